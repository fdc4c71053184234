#pragma once
// What a conversion asks of every row, at the speed of memory.

#include <cmath>
#include <cstdint>

namespace assay {

/// max |x|; infinite or NaN when any value is.
float LargestMagnitude(const float* x, int64_t n);
/// False when any value is NaN or infinite.
inline bool AllFinite(const float* x, int64_t n) {
  return std::isfinite(LargestMagnitude(x, n));
}

/// Adds Σ |x| to *sum and raises *largest to max |x|, in float32.
void AddMagnitudes(const float* x, int64_t n, float* largest, float* sum);

/// Adds Σ (a - b)² to *error and Σ b² to *energy, in double.
void AddSquares(const float* a, const float* b, int64_t n, double* error, double* energy);

}  // namespace assay
