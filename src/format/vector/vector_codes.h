#pragma once
// Vector versions of the scalar number formats' encoders, eight or sixteen values at a time, and nibble packing: what
// the formats with scales in a plane of their own share. Each gives the codes of its number/ header bit for bit
// (tests/format/vector_codes_test.cc).

#include <array>
#include <cstddef>

#include "format/vector/bit_spread.h"
#include "format/vector/lanes.h"
#include "number/bnb_fp4.h"
#include "number/fp4_e2m1.h"
#include "number/fp8_e4m3.h"
#include "number/nf4.h"

namespace assay {

/// The first n (all from kLanes on) values; zeros behind them.
template <typename V>
ASSAY_INLINE V LoadUpTo(const float* x, int64_t n) {
  if (n >= kLanes<V>) return Load<V>(x);
  V v{};
  std::memcpy(&v, x, static_cast<size_t>(n) * sizeof(float));
  return v;
}
/// The low byte of the first n (all from kLanes on) codes.
template <typename I>
ASSAY_INLINE void StoreBytes(I codes, int64_t n, std::byte* out) {
  const auto bytes = LowBytes(codes);
  if (n >= kLanes<I>) {
    std::memcpy(out, &bytes, sizeof bytes);
  } else {
    std::memcpy(out, &bytes, static_cast<size_t>(n));
  }
}

/// The low halves of the codes.
template <typename I>
ASSAY_INLINE void StoreHalves(I codes, std::byte* out) {
  if constexpr (kLanes<I> == 8) {
    auto pairs = reinterpret_cast<PairLanes>(codes & 0xffff);
    pairs = (pairs | pairs >> 16) & 0xffffffffu;
    const uint64_t words[2] = {pairs[0] | pairs[1] << 32, pairs[2] | pairs[3] << 32};
    std::memcpy(out, words, sizeof words);
  } else {
    const auto halves = __builtin_convertvector(codes, SixteenSignedHalves);
    std::memcpy(out, &halves, sizeof halves);
  }
}

/// 16-bit codes, not signed.
template <typename I>
ASSAY_INLINE I LoadHalves(const std::byte* in) {
  if constexpr (kLanes<I> == 8) {
    uint64_t words[2];
    std::memcpy(words, in, sizeof words);
    const auto spread = [](uint64_t word) __attribute__((always_inline)) {
      return (word & 0xffff) | (word & 0xffff0000) << 16;
    };
    return reinterpret_cast<I>(
        PairLanes{spread(words[0]), spread(words[0] >> 32), spread(words[1]), spread(words[1] >> 32)});
  } else {
    SixteenHalves halves;
    std::memcpy(&halves, in, sizeof halves);
    return __builtin_convertvector(halves, I);
  }
}

/// The low bytes of four 64-bit lanes, the first lowest.
ASSAY_INLINE uint32_t LowBytes(PairLanes pairs) {
  const auto bytes = reinterpret_cast<ByteLanes>(pairs);
  const auto halves = reinterpret_cast<PairLanes>(__builtin_shufflevector(bytes, bytes, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0,
                                                                          8, 0, 8, 0, 8, 16, 24, 16, 24, 16, 24, 16, 24,
                                                                          16, 24, 16, 24, 16, 24, 16, 24));
  return static_cast<uint32_t>((halves[0] & 0xffffu) | (halves[2] & 0xffffu) << 16);
}
/// Of eight.
ASSAY_INLINE uint64_t LowBytes(WidePairLanes pairs) {
  typedef uint8_t Bytes __attribute__((vector_size(8)));
  const Bytes bytes = __builtin_convertvector(pairs, Bytes);
  uint64_t word;
  std::memcpy(&word, &bytes, sizeof word);
  return word;
}

/// Codes of a small float of IEEE bias without their signs; 0 <= v, at most the largest finite value.
template <int exponent_bits, int mantissa_bits, typename I>
ASSAY_INLINE I MinifloatMagnitudes(I magnitude) {
  constexpr int bias = (1 << (exponent_bits - 1)) - 1, shift = 23 - mantissa_bits;
  const I normal =
      ((magnitude + ((1 << (shift - 1)) - 1) + (magnitude >> shift & 1)) >> shift) - ((127 - bias) << mantissa_bits);
  // Adding a power of two whose unit in the last place is the smallest subnormal rounds.
  const auto magic = FromBits(I{} + ((127 + 1 - bias + shift) << 23));
  const I subnormal = BitsOf(FromBits(magnitude) + magic) - BitsOf(magic);
  return magnitude < I{} + ((127 + 1 - bias) << 23) ? subnormal : normal;
}
/// Codes with the sign above the exponent of any v but NaN; beyond `largest` they are largest's.
template <int exponent_bits, int mantissa_bits, typename V>
ASSAY_INLINE IntsOf<V> MinifloatCodes(V v, float largest) {
  const IntsOf<V> bits = BitsOf(v);
  // The order of magnitudes is that of their bits; compilers make one instruction of it.
  const IntsOf<V> magnitude = Min(bits & 0x7fffffff, BitsOf(Broadcast<V>(largest)));
  return MinifloatMagnitudes<exponent_bits, mantissa_bits>(magnitude) |
         (bits >> (31 - exponent_bits - mantissa_bits) & (1 << (exponent_bits + mantissa_bits)));
}

/// Binary16 codes of finite v; what rounds beyond 65504 becomes infinity.
template <typename V>
ASSAY_INLINE IntsOf<V> F16Codes(V v) {
  const IntsOf<V> magnitude = MinifloatMagnitudes<5, 10>(BitsOf(v) & 0x7fffffff);
  const IntsOf<V> infinity = IntsOf<V>{} + 0x7c00;
  return (magnitude < infinity ? magnitude : infinity) | (BitsOf(v) >> 16 & 0x8000);
}

/// The eight `bits`-bit codes in the low 8 * bits bits of `word`, the first lowest.
template <int bits>
ASSAY_INLINE Int8Lanes SpreadLanes(uint64_t word) {
  if constexpr (bits <= 4) {
    const Int8Lanes shifts{0, bits, 2 * bits, 3 * bits, 4 * bits, 5 * bits, 6 * bits, 7 * bits};
    return (Int8Lanes{} + static_cast<int32_t>(word)) >> shifts & ((1 << bits) - 1);
  }
  const auto low = static_cast<int32_t>(word), high = static_cast<int32_t>(word >> 4 * bits);
  const Int8Lanes words{low, low, low, low, high, high, high, high};
  const Int8Lanes shifts{0, bits, 2 * bits, 3 * bits, 0, bits, 2 * bits, 3 * bits};
  return words >> shifts & ((1 << bits) - 1);
}
/// kLanes<I> of them from a little-endian stream.
template <typename I, int bits>
ASSAY_INLINE I LoadCodes(const std::byte* in) {
  if constexpr (kLanes<I> == 8) {
    return SpreadLanes<bits>(LoadWord<bits>(in));
  } else if constexpr (bits == 8) {
    SixteenBytes bytes;
    std::memcpy(&bytes, in, sizeof bytes);
    return __builtin_convertvector(__builtin_convertvector(bytes, SixteenHalves), I);
  } else {
    return Join(SpreadLanes<bits>(LoadWord<bits>(in)), SpreadLanes<bits>(LoadWord<bits>(in + bits)));
  }
}

/// Eight signed bytes.
ASSAY_INLINE Int8Lanes SignedBytes(const void* in) {
  uint64_t word;
  std::memcpy(&word, in, sizeof word);
  return SpreadLanes<8>(word ^ 0x8080808080808080) - 128;
}
/// kLanes<I> of them.
template <typename I>
ASSAY_INLINE I LoadSigned(const std::byte* in) {
  if constexpr (kLanes<I> == 8) {
    return SignedBytes(in);
  } else {
    SixteenSignedBytes bytes;
    std::memcpy(&bytes, in, sizeof bytes);
    return __builtin_convertvector(__builtin_convertvector(bytes, SixteenSignedHalves), I);
  }
}

/// Lane i of the result is lane index[i] of the table.
template <typename V, typename I>
ASSAY_INLINE V Shuffle(V table, I index) {
#if defined(__clang__)
  V out{};
  for (int lane = 0; lane < kLanes<I>; ++lane) out[lane] = table[index[lane] & (kLanes<I> - 1)];
  return out;
#else
  return __builtin_shuffle(table, index);
#endif
}
/// A table for the two below.
template <typename T, size_t n>
constexpr std::array<float, n> AsFloats(const T (&table)[n]) {
  std::array<float, n> floats{};
  for (size_t i = 0; i < n; ++i) floats[i] = static_cast<float>(table[i]);
  return floats;
}
/// Entry index[i] of eight.
template <typename V>
ASSAY_INLINE V Lookup8(const float* table, IntsOf<V> index) {
  const auto entries = Load<Float8>(table);
  if constexpr (kLanes<V> == 8) {
    return Shuffle(entries, index);
  } else {
    return Shuffle(Join(entries, entries), index);
  }
}
/// Entry index[i] of sixteen.
template <typename V>
ASSAY_INLINE V Lookup16(const float* table, IntsOf<V> index) {
  if constexpr (kLanes<V> == 8) {
    return index > 7 ? Shuffle(Load<V>(table + 8), index & 7) : Shuffle(Load<V>(table), index & 7);
  } else {
    return Shuffle(Load<V>(table), index);
  }
}

/// The values of MinifloatCodes' codes, finite ones.
template <int exponent_bits, int mantissa_bits, typename I>
ASSAY_INLINE FloatLanes<kLanes<I>> MinifloatValues(I codes) {
  constexpr int bias = (1 << (exponent_bits - 1)) - 1, shift = 23 - mantissa_bits;
  const I magnitude = codes & ((1 << (exponent_bits + mantissa_bits)) - 1);
  const I normal = (magnitude << shift) + ((127 - bias) << 23);
  // A subnormal gets the exponent of the smallest normal and an implied one, which is taken away again.
  const auto smallest = FromBits(I{} + ((128 - bias) << 23));
  const I subnormal = BitsOf(FromBits(normal + (1 << 23)) - smallest);
  const I bits = magnitude < (1 << mantissa_bits) ? subnormal : normal;
  return FromBits(bits | (codes >> (exponent_bits + mantissa_bits) & 1) << 31);
}

/// Of any E4M3 codes; NaN as number/ has it.
template <typename I>
ASSAY_INLINE FloatLanes<kLanes<I>> Fp8E4m3Values(I codes) {
  const auto values = MinifloatValues<4, 3>(codes);
  return (codes & 127) == 127 ? FromBits(BitsOf(values) | 0x7fc00000) : values;
}

/// E4M3 codes, saturating at 448.
template <typename V>
ASSAY_INLINE IntsOf<V> Fp8E4m3Codes(V v) {
  return MinifloatCodes<4, 3>(v, kFp8E4m3Max);
}

/// E2M1 codes of any finite v; negative zero becomes zero, as in compressed-tensors (numbers that round to zero keep
/// their sign).
template <typename V>
ASSAY_INLINE IntsOf<V> Fp4E2m1Codes(V v) {
  const IntsOf<V> magnitude = Min(BitsOf(v) & 0x7fffffff, BitsOf(Broadcast<V>(kFp4E2m1Max)));
  return MinifloatMagnitudes<2, 1>(magnitude) | ((v < V{}) & 8);
}
/// Their values.
template <typename I>
ASSAY_INLINE FloatLanes<kLanes<I>> Fp4E2m1Values(I codes) {
  constexpr float magnitudes[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  return FromBits(BitsOf(Lookup8<FloatLanes<kLanes<I>>>(magnitudes, codes & 7)) ^ (codes & 8) << 28);
}

/// How many of 15 ascending bounds lie below v (with `inclusive`: or are v), by halving.
template <float (*bound)(int i), bool inclusive, typename V>
ASSAY_INLINE IntsOf<V> CountBounds(V v) {
  using I = IntsOf<V>;
  const auto passed = [&](V bounds) __attribute__((always_inline)) {  // 1 where v has passed the bound
    return inclusive ? I(-(v >= bounds)) : I(-(v > bounds));
  };
  constexpr float quarters[8] = {bound(1), bound(5), bound(9), bound(13)};
  constexpr float eighths[8] = {bound(0), bound(2), bound(4), bound(6), bound(8), bound(10), bound(12), bound(14)};
  const I upper = passed(Broadcast<V>(bound(7)));
  I count = 2 * upper + passed(upper > 0 ? Broadcast<V>(bound(11)) : Broadcast<V>(bound(3)));
  count = 2 * count + passed(Lookup8<V>(quarters, count));
  return 2 * count + passed(Lookup8<V>(eighths, count));
}

/// NF4 codes.
template <typename V>
ASSAY_INLINE IntsOf<V> Nf4Codes(V v) {
  return CountBounds<Nf4Bound, false>(v);
}

/// Codes of bitsandbytes' FP4.
template <typename V>
ASSAY_INLINE IntsOf<V> BnbFp4Codes(V v) {
  constexpr auto order = AsFloats(kBnbFp4Order);
  return __builtin_convertvector(Lookup16<V>(order.data(), CountBounds<BnbFp4Bound, false>(v)), IntsOf<V>);
}

/// Codes from nibbles, the first of each byte in the high one.
template <typename I>
ASSAY_INLINE I LoadHighFirst(const std::byte* in) {
  uint64_t word = 0;
  std::memcpy(&word, in, sizeof(I) / 8);
  constexpr uint64_t low = 0x0f0f0f0f0f0f0f0f;
  word = (word & low) << 4 | (word >> 4 & low);
  if constexpr (kLanes<I> == 8) {
    return SpreadLanes<4>(word);
  } else {
    return Join(SpreadLanes<4>(word), SpreadLanes<4>(word >> 32));
  }
}
/// A byte from each pair of codes, the first in the low nibble.
template <typename I>
ASSAY_INLINE void PackLowFirst(I codes, std::byte* out) {
  const auto pairs = reinterpret_cast<PairsOf<I>>(codes);
  const auto bytes = LowBytes(pairs | pairs >> 28);
  std::memcpy(out, &bytes, sizeof bytes);
}
/// The same, the first in the high nibble.
template <typename I>
ASSAY_INLINE void PackHighFirst(I codes, std::byte* out) {
  const auto pairs = reinterpret_cast<PairsOf<I>>(codes);
  const auto bytes = LowBytes(pairs << 4 | pairs >> 32);
  std::memcpy(out, &bytes, sizeof bytes);
}

/// Codes of `bits` bits as a little-endian stream.
template <int bits, typename I>
ASSAY_INLINE void StorePacked(I codes, std::byte* out) {
  if constexpr (bits == 8) {
    StoreBytes(codes, kLanes<I>, out);
  } else if constexpr (bits == 4) {
    PackLowFirst(codes, out);
  } else if constexpr (kLanes<I> == 16) {
    StorePacked<bits>(LowHalf(codes), out);
    StorePacked<bits>(HighHalf(codes), out + bits);
  } else {
    PairLanes pairs = reinterpret_cast<PairLanes>(codes);
    pairs = (pairs | pairs >> (32 - bits)) & ((1u << (2 * bits)) - 1);
    const uint64_t word = pairs[0] | pairs[1] << (2 * bits) | pairs[2] << (4 * bits) | pairs[3] << (6 * bits);
    std::memcpy(out, &word, bits);
  }
}

/// max |x| over n values.
template <typename V>
ASSAY_INLINE float LargestMagnitudeOf(const float* x, int64_t n) {
  // Four maxima at a time, or each would wait for the one before.
  constexpr int lanes = kLanes<V>;
  V part[4] = {};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    ASSAY_UNROLL
    for (int k = 0; k < 4; ++k) part[k] = Max(part[k], Abs(Load<V>(x + i + lanes * k)));
  }
  for (; i < n; i += lanes) part[0] = Max(part[0], Abs(LoadUpTo<V>(x + i, n - i)));
  return LargestLane(Max(Max(part[0], part[1]), Max(part[2], part[3])));
}

}  // namespace assay
