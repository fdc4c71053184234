#include "convert/row_sums.h"

#include <algorithm>
#include <cmath>

#include "format/lanes.h"

namespace assay {
namespace {

typedef double Double8 __attribute__((vector_size(64)));

ASSAY_INLINE Double8 LoadEight(const float* x) {
  return __builtin_convertvector(Load<Float8>(x), Double8);
}

}  // namespace

ASSAY_CLONES bool AllFinite(const float* x, int64_t n) {
  constexpr int32_t exponent = 0x7f800000;
  LaneTypes<8>::Int broken{};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) broken |= (BitsOf(Load<Float8>(x + i)) & exponent) == exponent;
  int32_t any = 0;
  for (int lane = 0; lane < 8; ++lane) any |= broken[lane];
  for (; i < n; ++i) {
    int32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    any |= (bits & exponent) == exponent;
  }
  return any == 0;
}

ASSAY_CLONES void AddMagnitudes(const float* x, int64_t n, float* largest, float* sum) {
  Float8 most{}, sums{};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const Float8 value = Abs(Load<Float8>(x + i));
    most = Max(most, value);
    sums += value;
  }
  for (int lane = 0; lane < 8; ++lane) {
    *largest = std::max(*largest, most[lane]);
    *sum += sums[lane];
  }
  for (; i < n; ++i) {
    *largest = std::max(*largest, std::fabs(x[i]));
    *sum += std::fabs(x[i]);
  }
}

// Sixteen sums of each kind: fewer would wait for one another.
ASSAY_CLONES void AddSquares(const float* a, const float* b, int64_t n, double* error, double* energy) {
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

}  // namespace assay
