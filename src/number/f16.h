#pragma once
// IEEE 754 binary16: sign, 5 exponent bits (bias 15), 10 mantissa bits; infinities and NaNs.
// Source: IEEE 754-2019 section 3.4.

#include <bit>
#include <cstdint>

#include "number/minifloat.h"

namespace assay {

inline constexpr float kF16Max = 65504.0f;

/// Exact.
constexpr float DecodeF16(uint16_t code) {
  const uint32_t magnitude = code & 0x7fffu;
  uint32_t bits = std::bit_cast<uint32_t>(DecodeMinifloatMagnitude<5, 10>(magnitude));
  if (magnitude >= 0x7c00u) bits = 0x7f800000u | (magnitude & 0x3ffu) << 13;
  return std::bit_cast<float>(bits | static_cast<uint32_t>(code & 0x8000u) << 16);
}

/// To nearest even. Values that round beyond 65504 become infinity; NaN stays NaN (quiet, its payload lost).
constexpr uint16_t EncodeF16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;
  if (magnitude == 0x7f800000u) return sign | 0x7c00u;
  const uint32_t code = EncodeMinifloatMagnitude<5, 10>(magnitude);
  return sign | static_cast<uint16_t>(code < 0x7c00u ? code : 0x7c00u);
}

/// The value after a trip through binary16.
constexpr float RoundToF16(float x) {
  return DecodeF16(EncodeF16(x));
}

}  // namespace assay
