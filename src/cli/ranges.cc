#include "cli/ranges.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>

namespace assay {
namespace {

template <typename T>
CLI::Validator Between(T least, T most) {
  return CLI::Validator(
      [least, most](std::string& text) -> std::string {
        T value{};
        const char *begin = text.data() + (text.starts_with('+') ? 1 : 0), *end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(begin, end, value);
        if (error == std::errc() && stop == end && value >= least && value <= most) return {};
        return fmt::format("expected a number from {} to {}, found '{}'", least, most, text);
      },
      fmt::format("in [{} - {}]", least, most));
}

}  // namespace

CLI::Validator IntegerBetween(int64_t least, int64_t most) {
  return Between(least, most);
}

CLI::Validator NumberBetween(double least, double most) {
  return Between(least, most);
}

}  // namespace assay
