#pragma once
// Numbers in running text. A number is: an optional sign (not after a letter, digit or closing bracket), an optional
// currency sign
// ($ € £ ¥, before or after the sign), digits plain or grouped by commas in threes, an optional decimal point with
// digits, an optional exponent. It does not begin inside a word ("Q4" has none), and a point without digits after it
// ends the sentence.

#include <string_view>
#include <vector>

namespace assay {

struct TextNumber {
  double value;
  size_t begin, end;  // bytes
};

/// In order of appearance. decimal_comma: "1.234,50" is 1234.5.
std::vector<TextNumber> FindNumbers(std::string_view text, bool decimal_comma = false);

}  // namespace assay
