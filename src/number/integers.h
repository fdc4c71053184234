#pragma once
// Integers of 2 to 8 bits, two's complement or unsigned, MXINT8 and ternary values. Codes are the low bits.

#include <bit>
#include <cstdint>

namespace assay {

/// `x` rounded to nearest even and clamped to low … high, |low|, |high| <= 2^22; NaN becomes 0.
constexpr int32_t RoundToRange(float x, int32_t low, int32_t high) {
  if (!(x > static_cast<float>(low))) return x == x ? low : 0;
  if (x >= static_cast<float>(high)) return high;
  const float magic = 12582912.0f;  // 1.5 * 2^23: the adder rounds to whole numbers
  return static_cast<int32_t>((x + magic) - magic);
}

template <int bits>
constexpr float DecodeSignedInt(uint8_t code) {
  constexpr int half = 1 << (bits - 1);
  return static_cast<float>(((code & (2 * half - 1)) ^ half) - half);
}
/// To nearest even, saturating at -2^(bits - 1) and 2^(bits - 1) - 1.
template <int bits>
constexpr uint8_t EncodeSignedInt(float x) {
  constexpr int half = 1 << (bits - 1);
  return static_cast<uint8_t>(RoundToRange(x, -half, half - 1) & (2 * half - 1));
}

template <int bits>
constexpr float DecodeUnsignedInt(uint8_t code) {
  return static_cast<float>(code & ((1 << bits) - 1));
}
/// To nearest even, saturating at 0 and 2^bits - 1.
template <int bits>
constexpr uint8_t EncodeUnsignedInt(float x) {
  return static_cast<uint8_t>(RoundToRange(x, 0, (1 << bits) - 1));
}

/// The element of MXINT8: two's complement times 2^-6, -2 … 1 63/64. Source: OCP Microscaling Formats (MX)
/// Specification 1.0, section 5.3.4.
inline constexpr float kMxInt8Max = 127.0f / 64.0f;
constexpr float DecodeMxInt8(uint8_t code) {
  return DecodeSignedInt<8>(code) / 64.0f;
}
/// To nearest even, saturating at ±127/64: the code of -2 stays unused, which keeps the range symmetric (the
/// specification allows either).
constexpr uint8_t EncodeMxInt8(float x) {
  return static_cast<uint8_t>(RoundToRange(x * 64.0f, -127, 127) & 255);
}

/// Ternary values of BitNet: the code is the value plus one; code 3 is not written.
constexpr float DecodeTernary(uint8_t code) {
  return static_cast<float>((code & 3) - 1);
}
/// To nearest even (±0.5 become 0), saturating at ±1.
constexpr uint8_t EncodeTernary(float x) {
  return static_cast<uint8_t>(RoundToRange(x, -1, 1) + 1);
}

}  // namespace assay
