#include "convert/row_sums.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "format/vector/lanes.h"

namespace assay {
namespace {

typedef double Double8 __attribute__((vector_size(64)));

ASSAY_INLINE Double8 LoadEight(const float* x) {
  return __builtin_convertvector(Load<Float8>(x), Double8);
}

// The largest magnitude's bits: an infinity's or a NaN's are above all others.
template <typename V>
ASSAY_INLINE void LargestBits(const float* x, int64_t n, int32_t* out) {
  constexpr int lanes = kLanes<V>;
  IntsOf<V> most[4]{};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    ASSAY_UNROLL
    for (int k = 0; k < 4; ++k) most[k] = Max(most[k], BitsOf(Abs(Load<V>(x + i + lanes * k))));
  }
  const IntsOf<V> all = Max(Max(most[0], most[1]), Max(most[2], most[3]));
  int32_t largest = 0;
  for (int lane = 0; lane < lanes; ++lane) largest = std::max(largest, all[lane]);
  for (; i < n; ++i) {
    int32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    largest = std::max(largest, bits & 0x7fffffff);
  }
  *out = largest;
}

ASSAY_BY_WIDTH(FindLargestBits, (const float* x, int64_t n, int32_t* out), (x, n, out), LargestBits)
}  // namespace

float LargestMagnitude(const float* x, int64_t n) {
  int32_t largest;
  FindLargestBits(x, n, &largest);
  return std::bit_cast<float>(largest);
}

namespace {

// Halves are added to halves: lane after lane, each would wait for the one before.
ASSAY_INLINE float SumOfHalves(Float8 v) {
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
  return v[0] + v[1];
}
// The sum of four vectors of eight, however wide they are.
ASSAY_INLINE float SumOf(const Float8 (&sums)[4]) {
  return SumOfHalves((sums[0] + sums[1]) + (sums[2] + sums[3]));
}
ASSAY_INLINE float SumOf(const Float16 (&sums)[2]) {
  return SumOfHalves((LowHalf(sums[0]) + HighHalf(sums[0])) + (LowHalf(sums[1]) + HighHalf(sums[1])));
}

template <typename V>
ASSAY_INLINE void AddMagnitudesBySums(const float* x, int64_t n, float* largest, float* sum) {
  constexpr int lanes = kLanes<V>, n_sums = 32 / lanes;
  V most[n_sums]{}, sums[n_sums]{};
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    ASSAY_UNROLL
    for (int k = 0; k < n_sums; ++k) {
      const V value = Abs(Load<V>(x + i + lanes * k));
      most[k] = Max(most[k], value);
      sums[k] += value;
    }
  }
  for (int k = 0; k < n_sums; ++k) *largest = std::max(*largest, LargestLane(most[k]));
  *sum += SumOf(sums);
  for (; i < n; ++i) {
    *largest = std::max(*largest, std::fabs(x[i]));
    *sum += std::fabs(x[i]);
  }
}

}  // namespace

ASSAY_BY_WIDTH(AddMagnitudes, (const float* x, int64_t n, float* largest, float* sum), (x, n, largest, sum),
               AddMagnitudesBySums)

namespace {

// Sixteen sums of each kind: fewer would wait for one another.
ASSAY_INLINE void AddSquaresExactly(const float* a, const float* b, int64_t n, double* error, double* energy) {
  Double8 errors[2]{}, energies[2]{};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    ASSAY_UNROLL
    for (int half = 0; half < 2; ++half) {
      const Double8 value = LoadEight(b + i + 8 * half);
      const Double8 difference = LoadEight(a + i + 8 * half) - value;
      errors[half] += difference * difference;
      energies[half] += value * value;
    }
  }
  errors[0] += errors[1];
  energies[0] += energies[1];
  for (int lane = 0; lane < 8; ++lane) {
    *error += errors[0][lane];
    *energy += energies[0][lane];
  }
  for (; i < n; ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    *error += difference * difference;
    *energy += static_cast<double>(b[i]) * b[i];
  }
}

// Two thirds of the time, and the sums of a short run are good to six digits; false where they may have left the range
// of float32.
constexpr int64_t kRun = 512;
template <typename V>
ASSAY_INLINE bool AddSquaresOfRun(const float* a, const float* b, double* error, double* energy) {
  constexpr int lanes = kLanes<V>, n_sums = 32 / lanes;
  V errors[n_sums]{}, energies[n_sums]{};
  for (int64_t i = 0; i < kRun; i += 32) {
    ASSAY_UNROLL
    for (int k = 0; k < n_sums; ++k) {
      const V value = Load<V>(b + i + lanes * k);
      const V difference = Load<V>(a + i + lanes * k) - value;
      errors[k] += difference * difference;
      energies[k] += value * value;
    }
  }
  const float run_error = SumOf(errors), run_energy = SumOf(energies);
  const bool safe = run_error > 1e-30f && run_error < 1e30f && run_energy > 1e-30f && run_energy < 1e30f;
  if (safe) {
    *error += run_error;
    *energy += run_energy;
  }
  return safe;
}

template <typename V>
ASSAY_INLINE void AddSquaresByRuns(const float* a, const float* b, int64_t n, double* error, double* energy) {
  int64_t i = 0;
  for (; i + kRun <= n; i += kRun) {
    if (!AddSquaresOfRun<V>(a + i, b + i, error, energy)) AddSquaresExactly(a + i, b + i, kRun, error, energy);
  }
  AddSquaresExactly(a + i, b + i, n - i, error, energy);
}

}  // namespace

ASSAY_BY_WIDTH(AddSquares, (const float* a, const float* b, int64_t n, double* error, double* energy),
               (a, b, n, error, energy), AddSquaresByRuns)

}  // namespace assay
