#pragma once
// Which option an answer of running text chooses, in the words of many languages. docs/tasks.md ("choice") states the
// steps.

#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// An option's text as it is compared: folded, without marks around it and a leading article.
std::string OptionText(std::string_view text);

/// One of `letters`, or 0 where the answer chooses none, or more than one. `options` are OptionText()s, one per letter,
/// or empty.
char ChosenLetter(std::string_view answer, std::string_view letters, const std::vector<std::string>& options);

}  // namespace assay
