#pragma once
// A string as Python's repr writes it, which is how its logs show prompts.

#include <optional>
#include <string>
#include <string_view>

namespace assay {

/// The string that begins at the front of `text` with ' or "; `text` is moved behind it. Nothing where it is none, or
/// does not end, or holds half of a surrogate pair.
std::optional<std::string> TakePythonText(std::string_view& text);

}  // namespace assay
