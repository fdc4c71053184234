#pragma once
// What the exact rules share: the largest magnitude of a block and rounding half away from zero.

#include "format/gguf_blocks.h"
#include "format/lanes.h"
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

/// As C's roundf; |a| below 2^31.
ASSAY_INLINE LaneTypes<8>::Int RoundHalfAway(Float8 a) {
  const auto whole = __builtin_convertvector(a, LaneTypes<8>::Int);
  const Float8 rest = a - __builtin_convertvector(whole, Float8);
  // A true comparison is -1.
  return whole - (rest >= Broadcast<Float8>(0.5f)) + (rest <= Broadcast<Float8>(-0.5f));
}

/// Codes of 32 values by the scale max|x| / 127, which is returned.
ASSAY_INLINE float EncodeCodesQ8(const float* x, int8_t* qs) {
  const float d = LargestMagnitude<kQ>(x) / 127.0f;
  const float inverse = d != 0 ? 1.0f / d : 0.0f;
  for (int i = 0; i < 4; ++i) {
    const uint64_t codes = LowBytes(RoundHalfAway(Load<Float8>(x + 8 * i) * inverse));
    std::memcpy(qs + 8 * i, &codes, sizeof codes);
  }
  return d;
}

ASSAY_INLINE void EncodeBlockQ8_0(const float* x, BlockQ8_0* out) {
  out->d = EncodeF16(EncodeCodesQ8(x, out->qs));
}

}  // namespace assay
