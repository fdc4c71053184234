#pragma once
// FP8 FNUZ (AMD MI300, Graphcore): finite, one zero, NaN is the code of negative zero; biases one higher than OCP's.
// E4M3 FNUZ: bias 8, largest 240, smallest 2^-10. E5M2 FNUZ: bias 16, largest 57344, smallest 2^-17.
// Source: Noune et al., "8-bit Numerical Formats for Deep Neural Networks", 2022; LLVM's Float8E4M3FNUZ,
// Float8E5M2FNUZ.

#include <bit>
#include <cstdint>

#include "number/minifloat.h"

namespace assay {

inline constexpr float kFp8E4m3FnuzMax = 240.0f;
inline constexpr float kFp8E5m2FnuzMax = 57344.0f;

template <int exponent_bits, int mantissa_bits>
constexpr float DecodeFp8Fnuz(uint8_t code) {
  if (code == 0x80) return std::bit_cast<float>(0x7fc00000u);
  const float magnitude =
      DecodeMinifloatMagnitude<exponent_bits, mantissa_bits, IeeeBias(exponent_bits) + 1>(code & 0x7fu);
  return code & 0x80 ? -magnitude : magnitude;
}

/// To nearest even, saturating: everything beyond the largest value, infinity too, becomes it with its sign. Negative
/// values that round to zero become zero; NaN stays NaN.
template <int exponent_bits, int mantissa_bits>
constexpr uint8_t EncodeFp8Fnuz(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x80;
  uint32_t code = 0x7f;
  if (magnitude < 0x7f800000u) {
    code = EncodeMinifloatMagnitude<exponent_bits, mantissa_bits, IeeeBias(exponent_bits) + 1>(magnitude);
    if (code > 0x7f) code = 0x7f;
  }
  return static_cast<uint8_t>(code == 0 ? 0 : code | (bits >> 24 & 0x80u));
}

constexpr float DecodeFp8E4m3Fnuz(uint8_t code) {
  return DecodeFp8Fnuz<4, 3>(code);
}
constexpr uint8_t EncodeFp8E4m3Fnuz(float x) {
  return EncodeFp8Fnuz<4, 3>(x);
}
constexpr float DecodeFp8E5m2Fnuz(uint8_t code) {
  return DecodeFp8Fnuz<5, 2>(code);
}
constexpr uint8_t EncodeFp8E5m2Fnuz(float x) {
  return EncodeFp8Fnuz<5, 2>(x);
}

}  // namespace assay
