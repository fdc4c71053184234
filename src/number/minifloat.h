#pragma once
// Conversions of small IEEE-like floats to and from float32; the formats' own headers choose the widths and say what
// lies at the top of their range. Constexpr, no tables, no reliance on anything but round-to-nearest-even float32.

#include <bit>
#include <cstdint>

namespace assay {

/// The bias of IEEE 754 formats.
constexpr int IeeeBias(int exponent_bits) {
  return (1 << (exponent_bits - 1)) - 1;
}

/// Magnitude bits (no sign) of a float with `exponent_bits` and `mantissa_bits`, decoded as if every exponent were
/// finite.
template <int exponent_bits, int mantissa_bits, int bias = IeeeBias(exponent_bits)>
constexpr float DecodeMinifloatMagnitude(uint32_t magnitude) {
  // Subnormals would be subnormal in float32 too, which processors are slow with.
  constexpr float smallest = std::bit_cast<float>(static_cast<uint32_t>(127 + 1 - bias - mantissa_bits) << 23);
  if (magnitude >> mantissa_bits == 0) return static_cast<float>(magnitude) * smallest;
  return std::bit_cast<float>((magnitude << (23 - mantissa_bits)) + (static_cast<uint32_t>(127 - bias) << 23));
}

/// Magnitude bits of |x| rounded to nearest even, subnormals included, with an exponent range that has no end:
/// the caller compares the result with its largest code. `x_bits` are the bits of a finite |x|.
template <int exponent_bits, int mantissa_bits, int bias = IeeeBias(exponent_bits)>
constexpr uint32_t EncodeMinifloatMagnitude(uint32_t x_bits) {
  constexpr int shift = 23 - mantissa_bits;
  constexpr uint32_t smallest_normal = static_cast<uint32_t>(127 + 1 - bias) << 23;
  if (x_bits < smallest_normal) {
    // Adding a power of two whose unit in the last place is the smallest subnormal lets the float adder do the
    // rounding.
    constexpr uint32_t magic = static_cast<uint32_t>(127 + 1 - bias + shift) << 23;
    return std::bit_cast<uint32_t>(std::bit_cast<float>(x_bits) + std::bit_cast<float>(magic)) - magic;
  }
  const uint32_t rounded = x_bits + ((1u << (shift - 1)) - 1) + ((x_bits >> shift) & 1);
  return (rounded >> shift) - (static_cast<uint32_t>(127 - bias) << mantissa_bits);
}

}  // namespace assay
