#include "statistics/tensor_error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace assay {
namespace {

TEST(TensorError, ByHand) {
  // base (3, 4), candidate (3, 2): error 2, |base| 5, |candidate| sqrt 13, product 17.
  TensorErrorSums sums;
  sums.Add(std::vector<float>{3, 4}, std::vector<float>{3, 2});
  EXPECT_DOUBLE_EQ(sums.rmse(), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(sums.relative(), 0.4);
  EXPECT_DOUBLE_EQ(sums.cosine(), 17 / (5 * std::sqrt(13.0)));
  EXPECT_DOUBLE_EQ(sums.signal_to_noise(), 20 * std::log10(2.5));
  EXPECT_EQ(sums.largest_error, 2);
}

TEST(TensorError, Ends) {
  TensorErrorSums none;
  EXPECT_EQ(none.rmse(), 0);
  EXPECT_EQ(none.relative(), 0);
  EXPECT_EQ(none.cosine(), 1);
  EXPECT_TRUE(std::isinf(none.signal_to_noise()));
  TensorErrorSums from_nothing;
  from_nothing.Add(std::vector<float>{0, 0}, std::vector<float>{1, 0});
  EXPECT_TRUE(std::isinf(from_nothing.relative()));
  EXPECT_EQ(from_nothing.cosine(), 0);
}

TEST(Moments, KnownDistributions) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(2.0f, 0.5f);
  MomentSums gaussian;
  for (int i = 0; i < 50; ++i) {
    std::vector<float> piece(4000);
    for (float& x : piece) x = normal(random);
    MomentSums part;
    part.Add(piece);
    gaussian.Add(part);
  }
  EXPECT_EQ(gaussian.n, 200000u);
  EXPECT_NEAR(gaussian.mean(), 2, 0.01);
  EXPECT_NEAR(gaussian.deviation(), 0.5, 0.01);
  EXPECT_NEAR(gaussian.kurtosis(), 3, 0.1);
  // 1 … 5: variance 2, fourth central moment 34 / 5, kurtosis 1.7.
  MomentSums steps;
  steps.Add(std::vector<float>{
      1,
      2,
      3,
      4,
      5,
  });
  EXPECT_DOUBLE_EQ(steps.deviation(), std::sqrt(2.0));
  EXPECT_NEAR(steps.kurtosis(), 1.7, 1e-12);
  EXPECT_EQ(steps.least, 1);
  EXPECT_EQ(steps.greatest, 5);
  MomentSums constant;
  constant.Add(std::vector<float>(100, 0.1f));
  EXPECT_EQ(constant.kurtosis(), 0);
  EXPECT_EQ(constant.zeros, 0u);
  EXPECT_FLOAT_EQ(static_cast<float>(constant.largest()), 0.1f);
}

}  // namespace
}  // namespace assay
