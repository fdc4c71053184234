#pragma once
// Vector versions of the scalar number formats' encoders, eight values at a time, and nibble packing: what the formats
// with scales in a plane of their own share. Each gives the codes of its number/ header bit for bit
// (tests/format/vector_codes_test.cc).

#include <cstddef>

#include "format/lanes.h"
#include "number/bnb_fp4.h"
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

/// Codes of a small float of IEEE bias with the sign above its exponent; |v| at most the largest finite value.
template <int exponent_bits, int mantissa_bits>
ASSAY_INLINE Int8Lanes MinifloatCodes(Float8 v) {
  constexpr int bias = (1 << (exponent_bits - 1)) - 1, shift = 23 - mantissa_bits;
  const Int8Lanes bits = Bits(v);
  const Int8Lanes magnitude = bits & 0x7fffffff;
  const Int8Lanes normal =
      ((magnitude + ((1 << (shift - 1)) - 1) + (magnitude >> shift & 1)) >> shift) - ((127 - bias) << mantissa_bits);
  // Adding a power of two whose unit in the last place is the smallest subnormal rounds.
  const Float8 magic = FromBits(Int8Lanes{} + ((127 + 1 - bias + shift) << 23));
  const Int8Lanes subnormal = Bits(FromBits(magnitude) + magic) - Bits(magic);
  const Int8Lanes code = magnitude < Int8Lanes{} + ((127 + 1 - bias) << 23) ? subnormal : normal;
  return code | (bits >> (31 - exponent_bits - mantissa_bits) & (1 << (exponent_bits + mantissa_bits)));
}

/// E4M3 codes of |v| <= 448.
ASSAY_INLINE Int8Lanes Fp8E4m3Codes(Float8 v) {
  return MinifloatCodes<4, 3>(v);
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

/// Codes of bitsandbytes' FP4.
ASSAY_INLINE Int8Lanes BnbFp4Codes(Float8 v) {
  Int8Lanes rank{};
  for (int i = 0; i < 15; ++i) rank -= v > Float8{} + BnbFp4Bound(i);
  Int8Lanes code;
  for (int lane = 0; lane < 8; ++lane) code[lane] = kBnbFp4Order[rank[lane] & 15];
  return code;
}

/// Four bytes from eight codes, the first of each pair in the low nibble.
ASSAY_INLINE void PackLowFirst(Int8Lanes codes, uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(codes[2 * i] | codes[2 * i + 1] << 4);
}
/// The same, the first in the high nibble.
ASSAY_INLINE void PackHighFirst(Int8Lanes codes, uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(codes[2 * i] << 4 | codes[2 * i + 1]);
}

/// Eight codes of `bits` bits as a little-endian stream of `bits` bytes.
template <int bits>
ASSAY_INLINE void StorePacked(Int8Lanes codes, std::byte* out) {
  if constexpr (bits == 8) {
    StoreBytes(codes, 8, out);
  } else {
    uint64_t word = 0;
    for (int lane = 0; lane < 8; ++lane)
      word |= static_cast<uint64_t>(static_cast<uint32_t>(codes[lane])) << (lane * bits);
    std::memcpy(out, &word, bits);
  }
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
