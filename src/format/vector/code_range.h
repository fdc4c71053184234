#pragma once
// A bound on every code of a row, eight bytes at a time: asked of every row that is written.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace assay {

/// Whether the codes' magnitudes (all bits but the highest) are below `bound`, which is the first that is not finite.
template <typename Code>
bool MagnitudesBelow(const std::byte* in, int64_t n, Code bound) {
  constexpr int bits = 8 * sizeof(Code), at_once = 8 / sizeof(Code);
  constexpr uint64_t ones = ~uint64_t{0} / (~uint64_t{0} >> (64 - bits)), sign = ones << (bits - 1);
  const uint64_t missing = ones * ((uint64_t{1} << (bits - 1)) - bound);  // what lifts the bound to the highest bit
  uint64_t seen = 0;
  int64_t i = 0;
  for (; i + at_once <= n; i += at_once, in += 8) {
    uint64_t word;
    std::memcpy(&word, in, sizeof word);
    seen |= (word & ~sign) + missing;
  }
  uint64_t rest = 0;
  std::memcpy(&rest, in, static_cast<size_t>(n - i) * sizeof(Code));
  seen |= (rest & ~sign) + missing;
  return (seen & sign) == 0;
}

}  // namespace assay
