#pragma once
// FP6 E3M2 (bias 3, largest 28, smallest 2^-4) and E2M3 (bias 1, largest 7.5, smallest 2^-3): a sign and no infinity,
// no NaN. Codes are the low six bits. Source: OCP Microscaling Formats (MX) Specification 1.0, section 5.3.2.

#include <bit>
#include <cstdint>

#include "number/minifloat.h"

namespace assay {

inline constexpr float kFp6E3m2Max = 28.0f;
inline constexpr float kFp6E2m3Max = 7.5f;

template <int exponent_bits, int mantissa_bits>
constexpr float DecodeFp6(uint8_t code) {
  const uint32_t bits = std::bit_cast<uint32_t>(DecodeMinifloatMagnitude<exponent_bits, mantissa_bits>(code & 0x1fu));
  return std::bit_cast<float>(bits | static_cast<uint32_t>(code & 0x20u) << 26);
}

/// To nearest even, saturating, infinity and NaN too. The sign of zero is kept.
template <int exponent_bits, int mantissa_bits>
constexpr uint8_t EncodeFp6(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t code = 0x1f;
  if (magnitude < 0x7f800000u) {
    code = EncodeMinifloatMagnitude<exponent_bits, mantissa_bits>(magnitude);
    if (code > 0x1f) code = 0x1f;
  }
  return static_cast<uint8_t>(code | (bits >> 26 & 0x20u));
}

constexpr float DecodeFp6E3m2(uint8_t code) {
  return DecodeFp6<3, 2>(code);
}
constexpr uint8_t EncodeFp6E3m2(float x) {
  return EncodeFp6<3, 2>(x);
}
constexpr float DecodeFp6E2m3(uint8_t code) {
  return DecodeFp6<2, 3>(code);
}
constexpr uint8_t EncodeFp6E2m3(float x) {
  return EncodeFp6<2, 3>(x);
}

}  // namespace assay
