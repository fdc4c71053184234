#pragma once
// Vector versions of the scalar number formats' encoders, eight values at a time, and nibble packing: what the formats
// with scales in a plane of their own share. Each gives the codes of its number/ header bit for bit
// (tests/format/vector_codes_test.cc).

#include <cstddef>

#include "format/lanes.h"
#include "number/bnb_fp4.h"
#include "number/nf4.h"

namespace assay {

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
  const uint64_t bytes = LowBytes(codes);
  if (n >= 8) {
    std::memcpy(out, &bytes, 8);
  } else {
    std::memcpy(out, &bytes, static_cast<size_t>(n));
  }
}

/// The low halves of eight codes.
ASSAY_INLINE void StoreHalves(Int8Lanes codes, std::byte* out) {
  auto pairs = reinterpret_cast<PairLanes>(codes);
  pairs = (pairs | pairs >> 16) & 0xffffffffu;
  const uint64_t words[2] = {pairs[0] | pairs[1] << 32, pairs[2] | pairs[3] << 32};
  std::memcpy(out, words, sizeof words);
}

/// The low bytes of four 64-bit lanes, the first lowest.
ASSAY_INLINE uint32_t LowBytes(PairLanes pairs) {
  const auto bytes = reinterpret_cast<ByteLanes>(pairs);
  const auto halves = reinterpret_cast<PairLanes>(__builtin_shufflevector(bytes, bytes, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0,
                                                                          8, 0, 8, 0, 8, 16, 24, 16, 24, 16, 24, 16, 24,
                                                                          16, 24, 16, 24, 16, 24, 16, 24));
  return static_cast<uint32_t>((halves[0] & 0xffffu) | (halves[2] & 0xffffu) << 16);
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

/// Binary16 codes of finite v; what rounds beyond 65504 becomes infinity.
ASSAY_INLINE Int8Lanes F16Codes(Float8 v) {
  const Int8Lanes magnitude = MinifloatCodes<5, 10>(FromBits(Bits(v) & 0x7fffffff));
  const Int8Lanes infinity = Int8Lanes{} + 0x7c00;
  return (magnitude < infinity ? magnitude : infinity) | (Bits(v) >> 16 & 0x8000);
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
  const auto pairs = reinterpret_cast<PairLanes>(codes);
  const uint32_t bytes = LowBytes(pairs | pairs >> 28);
  std::memcpy(out, &bytes, sizeof bytes);
}
/// The same, the first in the high nibble.
ASSAY_INLINE void PackHighFirst(Int8Lanes codes, uint8_t* out) {
  const auto pairs = reinterpret_cast<PairLanes>(codes);
  const uint32_t bytes = LowBytes(pairs << 4 | pairs >> 32);
  std::memcpy(out, &bytes, sizeof bytes);
}

/// Eight codes of `bits` bits as a little-endian stream of `bits` bytes.
template <int bits>
ASSAY_INLINE void StorePacked(Int8Lanes codes, std::byte* out) {
  if constexpr (bits == 8) {
    StoreBytes(codes, 8, out);
  } else if constexpr (bits == 4) {
    PackLowFirst(codes, reinterpret_cast<uint8_t*>(out));
  } else {
    PairLanes pairs = reinterpret_cast<PairLanes>(codes);
    pairs = (pairs | pairs >> (32 - bits)) & ((1u << (2 * bits)) - 1);
    const uint64_t word = pairs[0] | pairs[1] << (2 * bits) | pairs[2] << (4 * bits) | pairs[3] << (6 * bits);
    std::memcpy(out, &word, bits);
  }
}

/// max |x| over n values.
ASSAY_INLINE float LargestMagnitudeOf(const float* x, int64_t n) {
  // Four maxima at a time, or each would wait for the one before.
  Float8 part[4] = {};
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    for (int k = 0; k < 4; ++k) part[k] = Max(part[k], Abs(Load8(x + i + 8 * k)));
  }
  for (; i < n; i += 8) part[0] = Max(part[0], Abs(LoadUpTo8(x + i, n - i)));
  return LargestLane(Max(Max(part[0], part[1]), Max(part[2], part[3])));
}

}  // namespace assay
