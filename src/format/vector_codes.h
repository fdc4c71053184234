#pragma once
// Vector versions of the scalar number formats' encoders, eight values at a time, and nibble packing: what the formats
// with scales in a plane of their own share. Each gives the codes of its number/ header bit for bit
// (tests/format/vector_codes_test.cc).

#include <cstddef>

#include "format/lanes.h"
#include "number/nf4.h"

namespace assay {

using Int8Lanes = LaneTypes<8>::Int;

ASSAY_INLINE Float8 Load8(const float* x) {
  Float8 v;
  std::memcpy(&v, x, sizeof v);
  return v;
}
/// The first n (all from 8 on) values; zeros behind them.
ASSAY_INLINE Float8 LoadUpTo8(const float* x, int64_t n) {
  if (n >= 8) return Load8(x);
  Float8 v{};
  std::memcpy(&v, x, static_cast<size_t>(n) * sizeof(float));
  return v;
}
/// The low byte of the first n (all from 8 on) codes.
ASSAY_INLINE void StoreBytes(Int8Lanes codes, int64_t n, std::byte* out) {
  typedef uint8_t Bytes __attribute__((vector_size(8)));
  const Bytes bytes = __builtin_convertvector(codes, Bytes);
  if (n >= 8) {
    std::memcpy(out, &bytes, 8);
  } else {
    std::memcpy(out, &bytes, static_cast<size_t>(n));
  }
}
ASSAY_INLINE Int8Lanes Bits(Float8 v) {
  Int8Lanes bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
}
ASSAY_INLINE Float8 FromBits(Int8Lanes bits) {
  Float8 v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

/// E4M3 codes of |v| <= 448.
ASSAY_INLINE Int8Lanes Fp8E4m3Codes(Float8 v) {
  const Int8Lanes bits = Bits(v);
  const Int8Lanes magnitude = bits & 0x7fffffff;
  const Int8Lanes normal = ((magnitude + 0x7ffff + (magnitude >> 20 & 1)) >> 20) - (120 << 3);
  constexpr float magic = 0x1p14f;  // its unit in the last place is 2^-9
  const Int8Lanes subnormal = Bits(FromBits(magnitude) + magic) - Bits(Float8{} + magic);
  const Int8Lanes code = magnitude < Int8Lanes{} + 0x3c800000 ? subnormal : normal;  // below 2^-6
  return code | (bits >> 24 & 0x80);
}

/// E2M1 codes of any finite v; negative zero becomes zero, as in compressed-tensors (numbers that round to zero keep
/// their sign).
ASSAY_INLINE Int8Lanes Fp4E2m1Codes(Float8 v) {
  const Float8 a = FromBits(Bits(v) & 0x7fffffff);
  // A true comparison is -1.
  const Int8Lanes count = (a > Float8{} + 0.25f) + (a >= Float8{} + 0.75f) + (a > Float8{} + 1.25f) +
                          (a >= Float8{} + 1.75f) + (a > Float8{} + 2.5f) + (a >= Float8{} + 3.5f) +
                          (a > Float8{} + 5.0f);
  return -count | ((v < Float8{}) & 8);
}

/// NF4 codes.
ASSAY_INLINE Int8Lanes Nf4Codes(Float8 v) {
  Int8Lanes count{};
  for (int i = 0; i < 15; ++i) count += v > Float8{} + Nf4Bound(i);
  return -count;
}

/// Four bytes from eight codes, the first of each pair in the low nibble.
ASSAY_INLINE void PackLowFirst(Int8Lanes codes, uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(codes[2 * i] | codes[2 * i + 1] << 4);
}
/// The same, the first in the high nibble.
ASSAY_INLINE void PackHighFirst(Int8Lanes codes, uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(codes[2 * i] << 4 | codes[2 * i + 1]);
}

/// max |x| over n values.
ASSAY_INLINE float LargestMagnitudeOf(const float* x, int64_t n) {
  Float8 largest{};
  for (int64_t i = 0; i < n; i += 8) largest = Max(largest, Abs(LoadUpTo8(x + i, n - i)));
  float m = largest[0];
  for (int lane = 1; lane < 8; ++lane) m = largest[lane] > m ? largest[lane] : m;
  return m;
}

}  // namespace assay
