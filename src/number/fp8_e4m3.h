#pragma once
// FP8 E4M3 (the FN variant of OCP, NVIDIA and PyTorch's float8_e4m3fn): sign, 4 exponent bits (bias 7), 3 mantissa
// bits. No infinities; S.1111.111 is NaN; largest 448, smallest 2^-9. Source: OCP 8-bit Floating Point
// Specification 1.0.

#include <bit>
#include <cstdint>

#include "number/minifloat.h"

namespace assay {

inline constexpr float kFp8E4m3Max = 448.0f;

/// Exact.
constexpr float DecodeFp8E4m3(uint8_t code) {
  const uint32_t magnitude = code & 0x7fu;
  uint32_t bits = std::bit_cast<uint32_t>(DecodeMinifloatMagnitude<4, 3>(magnitude));
  if (magnitude == 0x7fu) bits = 0x7fc00000u;
  return std::bit_cast<float>(bits | static_cast<uint32_t>(code & 0x80u) << 24);
}

/// To nearest even, saturating: everything beyond 448, infinity too, becomes 448 with its sign. NaN stays NaN.
constexpr uint8_t EncodeFp8E4m3(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint8_t sign = static_cast<uint8_t>(bits >> 24 & 0x80u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7fu;
  if (magnitude >= 0x43e00000u) return sign | 0x7eu;  // 448 and above
  return sign | static_cast<uint8_t>(EncodeMinifloatMagnitude<4, 3>(magnitude));
}

/// To nearest even without saturation (the OCP specification's other mode, PyTorch's cast): what rounds beyond 448
/// becomes NaN with its sign.
constexpr uint8_t EncodeFp8E4m3Overflowing(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint8_t sign = static_cast<uint8_t>(bits >> 24 & 0x80u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t code = magnitude < 0x7f800000u ? EncodeMinifloatMagnitude<4, 3>(magnitude) : 0x7fu;
  return sign | static_cast<uint8_t>(code < 0x7fu ? code : 0x7fu);
}

}  // namespace assay
