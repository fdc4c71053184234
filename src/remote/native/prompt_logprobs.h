#pragma once
// A model behind a server, led along a given text (teacher forcing): log-probabilities of the prompt's own tokens.

#include <cstdint>

#include "remote/asker.h"
#include "remote/server_facts.h"

namespace assay {

/// Whether servers of this kind have log-probabilities of prompts: vLLM, SGLang.
bool TellsPromptLogprobs(ServerKind kind);

/// vLLM's: the text as a prompt of tokens, with the `top` most likely at each, and one token more, whose list is the
/// prediction of what follows the last. What is drawn does not matter: the lists are of the model's own distribution.
CompletionRequest ForcedRequest(const ServerFacts& facts, const ForcedText& text, int64_t top);

/// What the response to it tells. An error where a token has no list, or a list that lacks the token that stands there.
ForcedPredictions ReadForced(const RemoteAnswer& reading, const ForcedText& text);

}  // namespace assay
