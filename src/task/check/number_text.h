#pragma once
// Numbers in running text, as people, LaTeX and other scripts write them. What looks like a numeral is taken as a
// whole: it is read, or it is no number; never is a piece of it a number. docs/tasks.md ("number") is the list of what
// is read.

#include <optional>
#include <string_view>
#include <vector>

#include "base/decimal.h"

namespace assay {

struct TextNumber {
  std::optional<Decimal> value;  // nothing: a numeral that is not read, such as 1,2,34 or 0x1F
  size_t begin, end;             // bytes
};

/// In order of appearance. Dates, times, versions and the like are passed over. decimal_comma: "1.234,50" is 1234.5.
std::vector<TextNumber> FindNumbers(std::string_view text, bool decimal_comma = false);

}  // namespace assay
