#pragma once
// Searches for the scale (and minimum) of many short runs of weights at once, one run a lane.
//
// The rule: try several step sizes around the one that spans the run, round to codes, refit scale and minimum to these
// codes by weighted least squares, keep what leaves the smallest weighted squared error; then alternate rounding and
// refitting from there. The idea of the candidates and the refit is public knowledge of the K-quants
// (docs/formats/gguf.md); with the refit the error follows from the sums.

#include <cmath>

#include "format/vector/lanes.h"

namespace assay {

/// Mean of squares, added in eight fixed lanes; n a multiple of 8.
ASSAY_INLINE float MeanSquare(const float* x, int64_t n) {
  Float8 sum{};
  for (int64_t i = 0; i < n; i += 8) {
    Float8 v;
    std::memcpy(&v, x + i, sizeof v);
    sum += v * v;
  }
  float total = 0;
  for (int lane = 0; lane < 8; ++lane) total += sum[lane];
  return total / static_cast<float>(n);
}

/// w = importance * sqrt(mean_square + x²), brought to a largest value of 1, with a floor that keeps columns of no
/// importance in view.
ASSAY_INLINE void SearchWeights(const float* x, const float* importance, float mean_square, int n, float* w) {
  float largest = 0;
  for (int i = 0; i < n; ++i) {
    w[i] = importance[i] * std::sqrt(mean_square + x[i] * x[i]);
    largest = w[i] > largest ? w[i] : largest;
  }
  const float inverse = largest > 1e-30f ? 1.0f / largest : 0.0f;
  for (int i = 0; i < n; ++i) w[i] = w[i] * inverse + 1e-6f;
}

/// Without importance: w = |x| + rms_share * root mean square of the run of `count` weights, in units of the root of
/// `mean_square`.
ASSAY_INLINE void RunWeights(const float* x, int n, int count, float rms_share, float mean_square, float* w) {
  const float inverse = mean_square > 1e-30f ? 1.0f / std::sqrt(mean_square) : 0.0f;
  for (int run = 0; run < n; run += count) {
    const float share = rms_share * std::sqrt(MeanSquare(x + run, count));
    for (int i = run; i < run + count; ++i) w[i] = (share + std::fabs(x[i])) * inverse + 1e-6f;
  }
}

/// The runs of a super-block of 256, in groups of lanes: x as LoadRuns gives it, w the error weights.
template <typename V, int count>
struct SuperBlockRuns {
  static constexpr int kGroups = 256 / count / kLanes<V>;
  V x[kGroups][count];
  V w[kGroups][count];
};

/// importance: [256] as it lies, or null. False when the weights are all (next to) zero and there is nothing to search.
template <typename V, int count>
ASSAY_INLINE bool LoadSuperBlock(const float* weights, const float* importance, float rms_share,
                                 SuperBlockRuns<V, count>& runs) {
  constexpr float tiny = 1e-30f, least = 1e-6f;
  constexpr int groups = SuperBlockRuns<V, count>::kGroups;
  V squares[groups] = {};
  for (int g = 0; g < groups; ++g) {
    LoadRuns<V, count>(weights + g * count * kLanes<V>, kLanes<V>, runs.x[g]);
    for (const V& x : runs.x[g]) squares[g] += x * x;
  }
  const float mean_square = SumOfLanes(squares) / 256.0f;
  if (!(mean_square > tiny)) return false;
  if (importance == nullptr) {
    const float inverse = 1.0f / std::sqrt(mean_square);
    for (int g = 0; g < groups; ++g) {
      const V share = rms_share * RoughRoot(squares[g] * (1.0f / count));
      for (int i = 0; i < count; ++i) runs.w[g][i] = (share + Abs(runs.x[g][i])) * inverse + least;
    }
    return true;
  }
  float largest = 0;
  for (int g = 0; g < groups; ++g) {
    LoadRuns<V, count>(importance + g * count * kLanes<V>, kLanes<V>, runs.w[g]);
    V most{};
    for (int i = 0; i < count; ++i) {
      const V x = runs.x[g][i];
      runs.w[g][i] *= RoughRoot(2.0f * mean_square + x * x);
      most = Max(most, runs.w[g][i]);
    }
    for (int lane = 0; lane < kLanes<V>; ++lane) largest = most[lane] > largest ? most[lane] : largest;
  }
  const float inverse = largest > tiny ? 1.0f / largest : 0.0f;
  for (auto& group : runs.w) {
    for (V& w : group) w = w * inverse + least;
  }
  return true;
}

/// x ≈ scale * q + minimum.
template <typename V>
struct AffineFit {
  V scale{};
  V minimum{};
  V error{};  // weighted squared error
};

template <typename V>
struct RunSums {
  V w{}, wx{}, wxx{};
};

template <typename V, int count>
ASSAY_INLINE RunSums<V> SumRuns(const V* x, const V* w) {
  RunSums<V> sums;
  for (int i = 0; i < count; ++i) {
    const V wx = w[i] * x[i];
    sums.w += w[i];
    sums.wx += wx;
    sums.wxx += wx * x[i];
  }
  return sums;
}

// Least squares for the codes that rounding (x - minimum) / step gives. `free_minimum`: the minimum may be positive.
template <typename V, int count, bool free_minimum>
ASSAY_INLINE AffineFit<V> FitAffine(const V* x, const V* w, const RunSums<V>& sums, V inverse_step, V minimum,
                                    float max_code) {
  V wq{}, wqq{}, wqx{};
  const V offset = -minimum * inverse_step;
  for (int i = 0; i < count; ++i) {
    const V q = RoundClamp(x[i] * inverse_step + offset, 0.0f, max_code);
    const V t = w[i] * q;
    wq += t;
    wqq += t * q;
    wqx += t * x[i];
  }
  const V determinant = sums.w * wqq - wq * wq;
  const V inverse = Reciprocal(sums.w * wqq);
  AffineFit<V> fit;
  // Codes that are (nearly) all the same leave the minimum undetermined: it stays where it is.
  const auto solvable = determinant * inverse > Broadcast<V>(1e-5f);
  fit.minimum = solvable ? (wqq * sums.wx - wq * wqx) / determinant : minimum;
  if constexpr (!free_minimum) fit.minimum = Min(fit.minimum, V{});
  fit.scale = (wqx - fit.minimum * wq) * Reciprocal(wqq);
  fit.error = sums.wxx - fit.minimum * (2.0f * sums.wx - fit.minimum * sums.w) - fit.scale * (wqx - fit.minimum * wq);
  return fit;
}

template <typename V>
ASSAY_INLINE void KeepBetter(AffineFit<V>& best, const AffineFit<V>& fit) {
  const auto better = fit.error < best.error;
  best.scale = better ? fit.scale : best.scale;
  best.minimum = better ? fit.minimum : best.minimum;
  best.error = better ? fit.error : best.error;
}

/// The smallest and the largest weight of every run.
template <typename V, int count>
ASSAY_INLINE void RangeOfRuns(const V* x, V* low, V* high) {
  *low = *high = x[0];
  for (int i = 1; i < count; ++i) {
    *low = Min(*low, x[i]);
    *high = Max(*high, x[i]);
  }
}

/// Weighted squared error of codes rounded by (scale, minimum), measured weight by weight.
template <typename V, int count>
ASSAY_INLINE V AffineError(const V* x, const V* w, V scale, V minimum, float max_code) {
  const V inverse = Reciprocal(scale);
  V error{};
  for (int i = 0; i < count; ++i) {
    const V difference = RoundClamp((x[i] - minimum) * inverse, 0.0f, max_code) * scale + minimum - x[i];
    error += w[i] * difference * difference;
  }
  return error;
}

/// Candidate step sizes: (max - min) / (max_code + first + i * delta), i = 0 … n - 1, then `refits` alternations.
struct AffineSearch {
  float first;
  float delta;
  int n;
  int refits;
};

/// x, w: [count] vectors. A run of equal values comes out with scale 0 and its value (or 0 if positive and not free) as
/// minimum.
template <typename V, int count, bool free_minimum>
ASSAY_INLINE AffineFit<V> SearchAffine(const V* x, const V* w, float max_code, const AffineSearch& search) {
  V low, high;
  RangeOfRuns<V, count>(x, &low, &high);
  if constexpr (!free_minimum) low = Min(low, V{});
  const RunSums<V> sums = SumRuns<V, count>(x, w);
  AffineFit<V> best;
  best.minimum = low;
  best.error = Broadcast<V>(3e38f);
  const V inverse_range = Reciprocal(high - low);
  for (int i = 0; i < search.n; ++i) {
    const V inverse_step = (max_code + search.first + search.delta * static_cast<float>(i)) * inverse_range;
    KeepBetter(best, FitAffine<V, count, free_minimum>(x, w, sums, inverse_step, low, max_code));
  }
  for (int i = 0; i < search.refits; ++i) {
    KeepBetter(best, FitAffine<V, count, free_minimum>(x, w, sums, Reciprocal(best.scale), best.minimum, max_code));
  }
  return best;
}

/// x ≈ scale * q, q in -max_code … max_code - 1.
template <typename V>
struct LinearFit {
  V scale{};
  V gain{};  // weighted squared error taken away
};

template <typename V, int count>
ASSAY_INLINE LinearFit<V> FitLinear(const V* x, const V* w, V inverse_step, float max_code) {
  V wqq{}, wqx{};
  for (int i = 0; i < count; ++i) {
    const V q = RoundClamp(x[i] * inverse_step, -max_code, max_code - 1);
    const V t = w[i] * q;
    wqq += t * q;
    wqx += t * x[i];
  }
  LinearFit<V> fit;
  fit.scale = wqx * Reciprocal(wqq);
  fit.gain = fit.scale * wqx;
  return fit;
}

template <typename V>
ASSAY_INLINE void KeepBetter(LinearFit<V>& best, const LinearFit<V>& fit) {
  const auto better = fit.gain > best.gain;
  best.scale = better ? fit.scale : best.scale;
  best.gain = better ? fit.gain : best.gain;
}

/// Candidate step sizes: the value of largest magnitude becomes -(max_code + first + i * delta), and the same with its
/// sign turned, where the codes end one step earlier.
struct LinearSearch {
  float first;
  float delta;
  int n;
  bool both_signs;
  int refits;
};

template <typename V, int count>
ASSAY_INLINE LinearFit<V> SearchLinear(const V* x, const V* w, float max_code, const LinearSearch& search) {
  V low, high;
  RangeOfRuns<V, count>(x, &low, &high);
  const V largest = high > -low ? high : low;
  const V inverse = Reciprocal(largest);
  LinearFit<V> best;
  for (int i = 0; i < search.n; ++i) {
    const float reach = search.first + search.delta * static_cast<float>(i);
    KeepBetter(best, FitLinear<V, count>(x, w, -(max_code + reach) * inverse, max_code));
    if (search.both_signs) KeepBetter(best, FitLinear<V, count>(x, w, (max_code - 1 + reach) * inverse, max_code));
  }
  for (int i = 0; i < search.refits; ++i) {
    KeepBetter(best, FitLinear<V, count>(x, w, Reciprocal(best.scale), max_code));
  }
  return best;
}

}  // namespace assay
