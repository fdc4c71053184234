#pragma once
// Rounding to the uneven levels of IQ4_NL and IQ4_XS and the search for a run's scale: eight runs of 32 weights at
// once, one a lane.

#include "format/gguf_blocks.h"
#include "format/iq4_nl.h"
#include "format/search.h"

namespace assay {

constexpr float Iq4Bound(int i) {
  return static_cast<float>(kIq4Values[i] + kIq4Values[i + 1]) / 2;
}

/// The level nearest to a.
ASSAY_INLINE Float8 NearestIq4Value(Float8 a) {
  Float8 value = Broadcast<Float8>(kIq4Values[0]);
  for (int i = 0; i < 15; ++i) {
    const Float8 step = Broadcast<Float8>(static_cast<float>(kIq4Values[i + 1] - kIq4Values[i]));
    value += a >= Broadcast<Float8>(Iq4Bound(i)) ? step : Float8{};
  }
  return value;
}

/// Its index.
ASSAY_INLINE Float8 NearestIq4Index(Float8 a) {
  Float8 index{};
  for (int i = 0; i < 15; ++i) index += a >= Broadcast<Float8>(Iq4Bound(i)) ? Broadcast<Float8>(1.0f) : Float8{};
  return index;
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
