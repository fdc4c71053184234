#include "statistics/tensor_error.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace assay {

void TensorErrorSums::Add(std::span<const float> base, std::span<const float> candidate) {
  ASSAY_CHECK(base.size() == candidate.size());
  for (size_t i = 0; i < base.size(); ++i) {
    const double b = base[i], c = candidate[i], error = c - b;
    squared_error += error * error;
    squared_base += b * b;
    squared_candidate += c * c;
    product += b * c;
    largest_error = std::max(largest_error, std::fabs(error));
  }
  n += base.size();
}

void TensorErrorSums::Add(const TensorErrorSums& other) {
  n += other.n;
  squared_error += other.squared_error;
  squared_base += other.squared_base;
  squared_candidate += other.squared_candidate;
  product += other.product;
  largest_error = std::max(largest_error, other.largest_error);
}

double TensorErrorSums::rmse() const {
  return n ? std::sqrt(squared_error / static_cast<double>(n)) : 0;
}

double TensorErrorSums::relative() const {
  if (squared_error == 0) return 0;
  return squared_base > 0 ? std::sqrt(squared_error / squared_base) : std::numeric_limits<double>::infinity();
}

double TensorErrorSums::cosine() const {
  if (squared_base == 0 || squared_candidate == 0) return squared_base == squared_candidate ? 1 : 0;
  return std::clamp(product / std::sqrt(squared_base) / std::sqrt(squared_candidate), -1.0, 1.0);
}

double TensorErrorSums::signal_to_noise() const {
  if (squared_error == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(squared_base / squared_error);
}

void MomentSums::Add(std::span<const float> values) {
  for (float value : values) {
    const double x = value, square = x * x;
    sum += x;
    squares += square;
    cubes += square * x;
    fourths += square * square;
    zeros += value == 0.0f;
    if (n == 0) least = greatest = x;
    least = std::min(least, x);
    greatest = std::max(greatest, x);
    ++n;
  }
}

void MomentSums::Add(const MomentSums& other) {
  if (other.n == 0) return;
  least = n ? std::min(least, other.least) : other.least;
  greatest = n ? std::max(greatest, other.greatest) : other.greatest;
  n += other.n;
  zeros += other.zeros;
  sum += other.sum;
  squares += other.squares;
  cubes += other.cubes;
  fourths += other.fourths;
}

double MomentSums::mean() const {
  return n ? sum / static_cast<double>(n) : 0;
}

double MomentSums::deviation() const {
  if (n == 0) return 0;
  const double m = mean();
  return std::sqrt(std::max(0.0, squares / static_cast<double>(n) - m * m));
}

double MomentSums::kurtosis() const {
  if (n == 0) return 0;
  const double count = static_cast<double>(n), m = mean(), second = squares / count, third = cubes / count;
  const double variance = second - m * m;
  // Below this share the variance is what rounding leaves of a constant.
  if (!(variance > 1e-12 * second)) return 0;
  return (fourths / count - 4 * m * third + 6 * m * m * second - 3 * m * m * m * m) / (variance * variance);
}

double MomentSums::largest() const {
  return std::max(std::fabs(least), std::fabs(greatest));
}

}  // namespace assay
