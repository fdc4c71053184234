#pragma once
// What the exact rules share: the largest magnitude of a block and rounding half away from zero.

#include "format/gguf/blocks.h"
#include "format/vector/lanes.h"
#include "format/vector/vector_codes.h"
#include "number/f16.h"

namespace assay {

/// max |x|.
template <int count>
ASSAY_INLINE float LargestMagnitude(const float* x) {
  Float8 largest{};
  for (int i = 0; i < count; i += 8) {
    Float8 v;
    std::memcpy(&v, x + i, sizeof v);
    largest = Max(largest, Abs(v));
  }
  return LargestLane(largest);
}

/// The smallest and the largest value.
template <int count>
ASSAY_INLINE void Range(const float* x, float* smallest, float* largest) {
  Float8 low, high;
  std::memcpy(&low, x, sizeof low);
  high = low;
  for (int i = 8; i < count; i += 8) {
    Float8 v;
    std::memcpy(&v, x + i, sizeof v);
    low = Min(low, v);
    high = Max(high, v);
  }
  *smallest = SmallestLane(low);
  *largest = LargestLane(high);
}

/// The value of largest magnitude with its sign, the first of them; +0 when all are zero.
template <int count>
ASSAY_INLINE float SignedLargest(const float* x) {
  float low, high;
  Range<count>(x, &low, &high);
  if (high != -low) return high > -low ? high : low;
  if (high == 0) return 0.0f;
  for (int i = 0; i < count; ++i) {
    if (x[i] == high || x[i] == low) return x[i];
  }
  return high;
}

/// As C's roundf; |a| below 2^22.
template <typename V>
ASSAY_INLINE IntsOf<V> RoundHalfAway(V a) {
  // The number below a half: a half itself is rounded up by the addition, what is less is not.
  const IntsOf<V> half = (BitsOf(a) & static_cast<int32_t>(0x80000000)) | BitsOf(Broadcast<V>(0x1.fffffep-2f));
  return __builtin_convertvector(a + FromBits(half), IntsOf<V>);
}

/// Lane k of the result is the fold of all lanes of r[k].
template <typename Fold>
ASSAY_INLINE Float8 FoldLanes(const Float8 (&r)[8], const Fold& fold) {
  Float8 pairs[4], fours[2];
  ASSAY_UNROLL
  for (int k = 0; k < 4; ++k) {
    const Float8 a = r[2 * k], b = r[2 * k + 1];
    pairs[k] = fold(__builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13),
                    __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15));
  }
  ASSAY_UNROLL
  for (int k = 0; k < 2; ++k) {
    const Float8 a = pairs[2 * k], b = pairs[2 * k + 1];
    fours[k] = fold(__builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13),
                    __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15));
  }
  return fold(__builtin_shufflevector(fours[0], fours[1], 0, 1, 2, 3, 8, 9, 10, 11),
              __builtin_shufflevector(fours[0], fours[1], 4, 5, 6, 7, 12, 13, 14, 15));
}

/// One number of each of eight runs of `count` weights that lie one after the other. (Of zeros of both signs the order
/// of folding decides, so it is one order for every instruction set.)
template <int count, typename Fold>
ASSAY_INLINE Float8 FoldRuns(const float* runs, const Fold& fold) {
  Float8 r[8];
  ASSAY_UNROLL
  for (int k = 0; k < 8; ++k) {
    r[k] = Load<Float8>(runs + k * count);
    ASSAY_UNROLL
    for (int i = 8; i < count; i += 8) r[k] = fold(r[k], Load<Float8>(runs + k * count + i));
  }
  return FoldLanes(r, fold);
}
template <int count>
ASSAY_INLINE Float8 SmallestOfRuns(const float* runs) {
  return FoldRuns<count>(
      runs, [](Float8 a, Float8 b) __attribute__((always_inline)) { return Min(a, b); });
}
template <int count>
ASSAY_INLINE Float8 LargestOfRuns(const float* runs) {
  return FoldRuns<count>(
      runs, [](Float8 a, Float8 b) __attribute__((always_inline)) { return Max(a, b); });
}
/// max |x| of each.
template <int count, typename V>
ASSAY_INLINE Float8 LargestMagnitudeOfRuns(const float* runs) {
  Float8 r[8];
  ASSAY_UNROLL
  for (int k = 0; k < 8; ++k) {
    V run = Abs(Load<V>(runs + k * count));
    ASSAY_UNROLL
    for (int i = kLanes<V>; i < count; i += kLanes<V>) run = Max(run, Abs(Load<V>(runs + k * count + i)));
    if constexpr (kLanes<V> == 16) {
      r[k] = Max(LowHalf(run), HighHalf(run));
    } else {
      r[k] = run;
    }
  }
  return FoldLanes(
      r, [](Float8 a, Float8 b) __attribute__((always_inline)) { return Max(a, b); });
}
/// SignedLargest of each.
template <int count>
ASSAY_INLINE Float8 SignedLargestOfRuns(const float* runs) {
  const Float8 low = SmallestOfRuns<count>(runs), high = LargestOfRuns<count>(runs);
  Float8 largest = (high > -low ? high : low) + 0.0f;  // no negative zero
  const Int8Lanes tied = (high == -low) & (high != Float8{});
  const auto words = reinterpret_cast<PairLanes>(tied);
  if ((words[0] | words[1] | words[2] | words[3]) != 0) {
    for (int k = 0; k < 8; ++k) {
      if (tied[k]) largest[k] = SignedLargest<count>(runs + k * count);
    }
  }
  return largest;
}

/// Calls encode(eight runs, how many of them count, first) for `n` runs of `count` weights.
template <int count, typename Encode>
ASSAY_INLINE void EachEightRuns(const float* runs, int64_t n, const Encode& encode) {
  int64_t first = 0;
  for (; first + 8 <= n; first += 8) encode(runs + first * count, 8, first);
  if (first == n) return;
  float last[8 * count] = {};
  std::memcpy(last, runs + first * count, static_cast<size_t>((n - first) * count) * sizeof(float));
  encode(last, static_cast<int>(n - first), first);
}

/// 1 / d; 0 of 0.
ASSAY_INLINE Float8 InverseOf(Float8 d) {
  return d != Float8{} ? 1.0f / d : Float8{};
}

}  // namespace assay
