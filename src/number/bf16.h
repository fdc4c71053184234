#pragma once
// bfloat16: the upper half of a float32 (8 exponent bits, 7 mantissa bits); infinities and NaNs.

#include <bit>
#include <cstdint>

namespace assay {

/// Exact.
constexpr float DecodeBf16(uint16_t code) {
  return std::bit_cast<float>(static_cast<uint32_t>(code) << 16);
}

/// To nearest even, subnormals kept; overflow becomes infinity; NaN stays NaN (quiet, its payload lost).
constexpr uint16_t EncodeBf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16 & 0x8000u) | 0x7fc0u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/// The value after a trip through bfloat16.
constexpr float RoundToBf16(float x) {
  return DecodeBf16(EncodeBf16(x));
}

}  // namespace assay
