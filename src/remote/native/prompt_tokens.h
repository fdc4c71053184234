#pragma once
// The tokens of a prompt as the server tells them that will answer it, in the calls of its own kind.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "remote/asker.h"
#include "remote/server_kind.h"

namespace assay {

/// Of each of `bodies`, completions with "messages" (and what their template is given) or "prompt", asked for at once;
/// progress advances by one for each that is asked for. None where such a server has no call for it, or does not give
/// what it should.
std::vector<std::optional<std::vector<int32_t>>> PromptTokens(Asker& asker, ServerKind kind,
                                                              std::span<const Json> bodies, Progress& progress);

/// The text that those tokens are, or that they are made of; none where such a server does not tell it.
std::optional<std::string> PromptText(Asker& asker, ServerKind kind, const Json& body,
                                      const std::vector<int32_t>& tokens, Progress& progress);

/// The tokens of a text as it stands, nothing put before or behind it.
std::optional<std::vector<int32_t>> TextTokens(Asker& asker, ServerKind kind, const std::string& model,
                                               const std::string& text, Progress& progress);

}  // namespace assay
