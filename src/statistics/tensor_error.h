#pragma once
// How far one array of numbers is from another, and how heavy its tails are. Sums are kept in double, so that pieces
// can be measured apart and added in a fixed order.

#include <cstdint>
#include <span>

namespace assay {

/// Error of `candidate` against `base`, over any number of elements.
struct TensorErrorSums {
  uint64_t n = 0;
  double squared_error = 0, squared_base = 0, squared_candidate = 0, product = 0;
  double largest_error = 0;  // absolute

  void Add(std::span<const float> base, std::span<const float> candidate);
  void Add(const TensorErrorSums& other);

  double rmse() const;             // root mean squared error
  double relative() const;         // |error| / |base|, Euclidean norms; 0 when both are zero
  double cosine() const;           // 1 when both are zero, 0 when one is
  double signal_to_noise() const;  // dB: 20 log10(|base| / |error|); infinity without error
};

/// Moments of an array. Kurtosis is Pearson's: 3 for a Gaussian, 1.8 for a uniform distribution.
struct MomentSums {
  uint64_t n = 0, zeros = 0;
  double sum = 0, squares = 0, cubes = 0, fourths = 0;
  double least = 0, greatest = 0;

  void Add(std::span<const float> values);
  void Add(const MomentSums& other);

  double mean() const;
  double deviation() const;  // root of the mean squared distance from the mean
  double kurtosis() const;   // 0 without spread
  double largest() const;    // magnitude
};

}  // namespace assay
