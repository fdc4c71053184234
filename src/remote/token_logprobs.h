#pragma once
// The most likely tokens at each step of an answer, as servers tell them.

#include <vector>

#include "base/json.h"
#include "task/backend.h"

namespace assay {

/// Appends the steps that the "logprobs" of one choice tell: {"content": [{"token", "bytes", "logprob",
/// "top_logprobs": […]}]} of chats (llama-server: of completions too), {"top_logprobs": [{token: logprob}]} of
/// completions. Best first; a step without a list is its own token alone. False, with nothing appended, for anything
/// else.
bool TakeTokenLogprobs(const Json& logprobs, std::vector<std::vector<TokenLogprob>>& steps);

}  // namespace assay
