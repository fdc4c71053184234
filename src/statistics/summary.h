#pragma once
// Means with their standard errors, quantiles, perplexity.

#include <cstdint>
#include <span>
#include <vector>

namespace assay {

/// Quantile of values in ascending order, linear between order statistics (type 7, the default of R and NumPy). Not
/// empty, 0 <= q <= 1.
double SortedQuantile(std::span<const double> sorted, double q);
/// The same of values in any order; copies.
double Quantile(std::span<const double> values, double q);

/// Running mean and variance (Welford 1962). Adding in the same order gives the same bits.
class MeanAccumulator {
 public:
  void Add(double value);
  int64_t count() const { return count_; }
  double mean() const { return mean_; }
  /// Sample variance, n - 1 in the denominator; 0 below two values.
  double variance() const;
  double standard_error() const;

 private:
  int64_t count_ = 0;
  double mean_ = 0, sum_of_squares_ = 0;
};

/// exp(mean negative log-likelihood) and its standard error (delta method; tokens taken as independent, so optimistic).
class PerplexityAccumulator {
 public:
  /// `log_probability`: natural, of the token that came.
  void Add(double log_probability) { nll_.Add(-log_probability); }
  int64_t tokens() const { return nll_.count(); }
  double perplexity() const;
  double standard_error() const;

 private:
  MeanAccumulator nll_;
};

}  // namespace assay
