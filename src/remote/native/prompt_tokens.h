#pragma once
// The tokens of a prompt as the server tells them that will answer it, in the calls of its own kind.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "remote/asker.h"
#include "remote/server_kind.h"

namespace assay {

/// `body` of a completion, with "messages" (and what its template is given) or "prompt". None where such a server has
/// no call for it, or does not give what it should.
std::optional<std::vector<int32_t>> PromptTokens(Asker& asker, ServerKind kind, const Json& body, Progress& progress);

/// The text that those tokens are, or that they are made of; none where such a server does not tell it.
std::optional<std::string> PromptText(Asker& asker, ServerKind kind, const Json& body,
                                      const std::vector<int32_t>& tokens, Progress& progress);

/// The tokens of a text as it stands, nothing put before or behind it.
std::optional<std::vector<int32_t>> TextTokens(Asker& asker, ServerKind kind, const std::string& model,
                                               const std::string& text, Progress& progress);

}  // namespace assay
