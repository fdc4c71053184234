#pragma once
// FP8 E5M2: sign, 5 exponent bits (bias 15), 2 mantissa bits; infinities and NaNs as in IEEE 754; largest finite 57344,
// smallest 2^-16. Source: OCP 8-bit Floating Point Specification 1.0.

#include <bit>
#include <cstdint>

#include "number/minifloat.h"

namespace assay {

inline constexpr float kFp8E5m2Max = 57344.0f;

/// Exact.
constexpr float DecodeFp8E5m2(uint8_t code) {
  const uint32_t magnitude = code & 0x7fu;
  uint32_t bits = std::bit_cast<uint32_t>(DecodeMinifloatMagnitude<5, 2>(magnitude));
  if (magnitude >= 0x7cu) bits = 0x7f800000u | (magnitude & 3u) << 21;
  return std::bit_cast<float>(bits | static_cast<uint32_t>(code & 0x80u) << 24);
}

/// To nearest even, saturating: every finite value beyond 57344 becomes 57344 with its sign; infinity stays, NaN stays
/// NaN.
constexpr uint8_t EncodeFp8E5m2(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint8_t sign = static_cast<uint8_t>(bits >> 24 & 0x80u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7eu;
  if (magnitude == 0x7f800000u) return sign | 0x7cu;
  const uint32_t code = EncodeMinifloatMagnitude<5, 2>(magnitude);
  return sign | static_cast<uint8_t>(code < 0x7cu ? code : 0x7bu);
}

/// To nearest even without saturation (the OCP specification's other mode, PyTorch's cast): what rounds beyond 57344
/// becomes infinity.
constexpr uint8_t EncodeFp8E5m2Overflowing(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint8_t sign = static_cast<uint8_t>(bits >> 24 & 0x80u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7eu;
  const uint32_t code = magnitude < 0x7f800000u ? EncodeMinifloatMagnitude<5, 2>(magnitude) : 0x7cu;
  return sign | static_cast<uint8_t>(code < 0x7cu ? code : 0x7cu);
}

}  // namespace assay
