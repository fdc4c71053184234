#include "convert/row_sums.h"

#include "format/lanes.h"

namespace assay {
namespace {

typedef double Double4 __attribute__((vector_size(32)));
typedef float Float4 __attribute__((vector_size(16)));

ASSAY_INLINE Double4 LoadFour(const float* x) {
  return __builtin_convertvector(Load<Float4>(x), Double4);
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

ASSAY_CLONES void AddSquares(const float* a, const float* b, int64_t n, double* error, double* energy) {
  Double4 errors{}, energies{};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const Double4 value = LoadFour(b + i);
    const Double4 difference = LoadFour(a + i) - value;
    errors += difference * difference;
    energies += value * value;
  }
  for (int lane = 0; lane < 4; ++lane) {
    *error += errors[lane];
    *energy += energies[lane];
  }
  for (; i < n; ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    *error += difference * difference;
    *energy += static_cast<double>(b[i]) * b[i];
  }
}

}  // namespace assay
