#pragma once
// Decoding and rounding to the uneven levels of IQ4_NL and IQ4_XS and the search for a run's scale: eight runs of 32
// weights at once, one a lane.

#include "format/gguf/blocks.h"
#include "format/gguf/iq4_nl.h"
#include "format/vector/search.h"
#include "format/vector/vector_codes.h"

namespace assay {

constexpr float Iq4Bound(int i) {
  return static_cast<float>(kIq4Values[i] + kIq4Values[i + 1]) / 2;
}

/// The index of the level nearest to each lane.
ASSAY_INLINE Int8Lanes NearestIq4Index(Float8 a) {
  return CountBounds<Iq4Bound, true>(a);
}

ASSAY_INLINE Float8 Iq4Levels(Int8Lanes index) {
  static constexpr auto kLevels = AsFloats(kIq4Values);
  return Lookup16<Float8>(kLevels.data(), index);
}

/// The level nearest to each lane.
ASSAY_INLINE Float8 NearestIq4Value(Float8 a) {
  return Iq4Levels(NearestIq4Index(a));
}

/// A weight on a grid of these levels.
inline Rounded RoundIq4(const Format&, const Grid& grid, float x) {
  const int code = NearestIq4Index(Broadcast<Float8>(x * grid.factor))[0];
  return {static_cast<uint8_t>(code), grid.scale * static_cast<float>(kIq4Values[code])};
}

/// 32 codes as DecodeIq4 has them.
inline void PackIq4(const uint8_t* codes, uint8_t* qs) {
  for (int i = 0; i < kQ / 2; ++i) qs[i] = static_cast<uint8_t>(codes[i] | codes[i + kQ / 2] << 4);
}

/// 32 weights: byte j holds weight j in its low and weight j + 16 in its high nibble.
ASSAY_INLINE void DecodeIq4(float scale, const uint8_t* qs, float* out) {
  for (int j = 0; j < kQ / 2; j += 8) {
    uint64_t bytes;
    std::memcpy(&bytes, qs + j, sizeof bytes);
    const Float8 low = scale * Iq4Levels(SpreadLanes<8>(bytes & 0x0f0f0f0f0f0f0f0f));
    const Float8 high = scale * Iq4Levels(SpreadLanes<8>(bytes >> 4 & 0x0f0f0f0f0f0f0f0f));
    std::memcpy(out + j, &low, sizeof low);
    std::memcpy(out + j + kQ / 2, &high, sizeof high);
  }
}

ASSAY_INLINE LinearFit<Float8> FitIq4(const Float8* x, const Float8* w, Float8 inverse_step) {
  Float8 wqq{}, wqx{};
  for (int i = 0; i < kQ; ++i) {
    const Float8 q = NearestIq4Value(x[i] * inverse_step);
    const Float8 t = w[i] * q;
    wqq += t * q;
    wqx += t * x[i];
  }
  LinearFit<Float8> fit;
  fit.scale = wqx * Reciprocal(wqq);
  fit.gain = fit.scale * wqx;
  return fit;
}

/// Step sizes that put the value of largest magnitude near either end of the table.
ASSAY_INLINE LinearFit<Float8> SearchIq4(const Float8* x, const Float8* w) {
  Float8 low, high;
  RangeOfRuns<Float8, kQ>(x, &low, &high);
  const Float8 inverse = Reciprocal(high > -low ? high : low);
  LinearFit<Float8> best;
  for (int step = -6; step <= 6; step += 4) {
    KeepBetter(best, FitIq4(x, w, static_cast<float>(kIq4Values[0] - step) * inverse));
    KeepBetter(best, FitIq4(x, w, static_cast<float>(kIq4Values[15] + step) * inverse));
  }
  KeepBetter(best, FitIq4(x, w, Reciprocal(best.scale)));
  return best;
}

}  // namespace assay
