#pragma once
// A model behind a server, led along given texts, in whatever calls its kind has for it.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "remote/asker.h"
#include "remote/server_facts.h"

namespace assay {

/// Whether such a server can be led with a request for each token alone: llama-server.
bool IsLedTokenByToken(ServerKind kind);

/// SGLang's: the whole text in one request, and one token behind it.
FetchRequest WholeTextCall(const ForcedText& text, int64_t top);
ForcedPredictions ReadWholeText(const std::optional<Json>& said, const ForcedText& text);

/// llama-server's: what it predicts behind the first `length` tokens.
FetchRequest NextTokenCall(const ServerFacts& facts, const ForcedText& text, size_t length, int64_t top);
/// That prediction, best first; an error in its place where it is none of such a prompt.
ForcedPredictions ReadNextToken(const std::optional<Json>& said, size_t length);

/// `done` and progress as Backend::Force. Of a kind of TellsPromptLogprobs or IsLedTokenByToken.
void LeadAlong(Asker& asker, const ServerFacts& facts, std::span<const ForcedText> texts, int64_t top,
               const std::function<void(size_t, ForcedPredictions&&)>& done, Progress& progress);

}  // namespace assay
