#pragma once
// E8M0: a power of two, 2^(code - 127), code 255 is NaN; no sign, no zero, no infinity: the block scale of the MX
// formats. Source: OCP Microscaling Formats (MX) Specification 1.0, section 5.4.1.

#include <bit>
#include <cstdint>

namespace assay {

/// Exact (code 0 is a float32 subnormal).
constexpr float DecodeE8m0(uint8_t code) {
  if (code == 0) return std::bit_cast<float>(0x00400000u);
  if (code == 255) return std::bit_cast<float>(0x7fc00000u);
  return std::bit_cast<float>(static_cast<uint32_t>(code) << 23);
}

/// The nearest power of two (a mantissa of 1.5 goes up), at least 2^-127. Zero, negative values, infinity, NaN and what
/// rounds beyond 2^127 become NaN.
constexpr uint8_t EncodeE8m0(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (bits == 0 || bits >= 0x7f800000u) return 255;
  if (bits < 0x00800000u) return bits >= 0x00600000u ? 1 : 0;
  return static_cast<uint8_t>((bits + 0x00400000u) >> 23);
}

}  // namespace assay
