#pragma once
// Comma-separated values (RFC 4180), as spreadsheets write them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct CsvRecord {
  int64_t line = 0;  // where it begins
  std::vector<std::string> fields;
};

/// The separator is the one of , ; and tab that the first line has most of. Empty lines are passed over. Throws
/// Error{kCorrupt} naming `name` and line for a quote that is not closed, or stands inside a field.
std::vector<CsvRecord> ParseCsv(std::string_view text, std::string_view name);

}  // namespace assay
