#pragma once
// Counts for people: "1 example", "2 examples".

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

/// `one`: the noun, whose plural ends in s.
inline std::string Counted(int64_t n, std::string_view one) {
  return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s");
}

}  // namespace assay
