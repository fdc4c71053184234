#pragma once
// Bars for the terminal.

#include <string>

namespace assay {

/// A bar of `share` (0 … 1) of `width` columns, in eighths.
std::string Bar(double share, int width);
/// Filled up with spaces to `width` columns; every character is taken for one column.
std::string PadRight(std::string text, int width);

}  // namespace assay
