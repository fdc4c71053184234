#include "cli/ranges.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <string>

#include "base/strings.h"

namespace assay {
namespace {

// The number of the whole text, in base ten; a sign may stand before it.
template <typename T>
bool ReadWhole(std::string_view text, T& value) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

// What is read here is handed on in the one spelling that means the same to CLI11, which takes 010 for 8 and -1 for
// 2^64 - 1.
template <typename T>
Reading Between(T least, T most) {
  return Reading{[least, most](std::string& text) -> std::string {
                   T value{};
                   if (!ReadWhole(text, value) || !(value >= least && value <= most))
                     return fmt::format("expected a number from {} to {}, found '{}'", least, most, text);
                   text = fmt::format("{}", value);
                   return {};
                 },
                 fmt::format("in [{} - {}]", least, most)};
}

// Bytes of a unit, "K" to "P" of 1000 or "Ki" to "Pi" of 1024, with or without "B"; 0 for no unit.
double UnitBytes(std::string_view unit) {
  std::string name = ToLowerAscii(unit);
  if (name.ends_with('b')) name.pop_back();
  if (name.empty()) return 1;
  const size_t power = std::string_view("kmgtp").find(name[0]);
  const bool binary = name.ends_with('i');
  if (power == std::string_view::npos || name.size() != (binary ? 2 : 1)) return 0;
  return std::pow(binary ? 1024.0 : 1000.0, static_cast<double>(power + 1));
}

}  // namespace

Reading IntegerBetween(int64_t least, int64_t most) {
  return Between(least, most);
}

Reading UnsignedInteger() {
  return Between(uint64_t{0}, UINT64_MAX);
}

Reading NumberBetween(double least, double most) {
  return Between(least, most);
}

Reading SizeBetween(int64_t least, int64_t most) {
  return Reading{[least, most](std::string& text) -> std::string {
                   const std::string_view trimmed = Trim(text);
                   const std::string_view number = trimmed.substr(0, trimmed.find_first_not_of("0123456789.")),
                                          unit = Trim(trimmed.substr(number.size()));
                   double value = 0;
                   const double bytes = ReadWhole(number, value) ? value * UnitBytes(unit) : -1;
                   if (!(bytes >= static_cast<double>(least) && bytes <= static_cast<double>(most)))
                     return fmt::format("expected a size from {} to {} bytes, such as 500MB, 4GB or 2GiB, found '{}'",
                                        least, most, text);
                   text = fmt::format("{}", static_cast<int64_t>(bytes));
                   return {};
                 },
                 fmt::format("in [{} - {}]", least, most)};
}

}  // namespace assay
