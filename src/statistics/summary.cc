#include "statistics/summary.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace assay {

double SortedQuantile(std::span<const double> sorted, double q) {
  ASSAY_CHECK(!sorted.empty() && q >= 0 && q <= 1);
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = position - static_cast<double>(below);
  if (part == 0 || sorted[below] == sorted[above]) return sorted[below];  // also keeps infinities from making NaN
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

double Quantile(std::span<const double> values, double q) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return SortedQuantile(sorted, q);
}

void MeanAccumulator::Add(double value) {
  ++count_;
  const double delta = value - mean_;
  mean_ += delta / static_cast<double>(count_);
  sum_of_squares_ += delta * (value - mean_);
}

double MeanAccumulator::variance() const {
  return count_ < 2 ? 0.0 : sum_of_squares_ / static_cast<double>(count_ - 1);
}

double MeanAccumulator::standard_error() const {
  return count_ < 2 ? 0.0 : std::sqrt(variance() / static_cast<double>(count_));
}

double PerplexityAccumulator::perplexity() const {
  return std::exp(nll_.mean());
}
double PerplexityAccumulator::standard_error() const {
  return perplexity() * nll_.standard_error();
}

}  // namespace assay
