#include "statistics/divergence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay {
namespace {

#include "golden_scipy.inc"

TEST(Divergence, AgreesWithScipy) {
  EXPECT_NEAR(DivergenceOf(kLogitsP, kLogitsQ).kl, kKl, 1e-12);
  EXPECT_TRUE(DivergenceOf(kLogitsP, kLogitsQ).same_top);
  EXPECT_EQ(DivergenceOf(kLogitsP, kLogitsP).kl, 0);
}

TEST(Divergence, ShiftDoesNotMatter) {
  std::vector<float> p = {1, 2, 3}, q = {1001, 1002, 1003};
  EXPECT_NEAR(DivergenceOf(p, q).kl, 0, 1e-12);
  EXPECT_NEAR(LogProbability(q, 2), std::log(std::exp(2.0) / (1 + std::exp(1.0) + std::exp(2.0))), 1e-12);
}

TEST(Divergence, EndsOfTheRange) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> open = {0, 0}, closed = {0, -inf}, broken = {nan, 0};
  EXPECT_NEAR(DivergenceOf(closed, open).kl, std::log(2.0), 1e-15);
  EXPECT_TRUE(std::isinf(DivergenceOf(open, closed).kl));
  EXPECT_TRUE(std::isinf(DivergenceOf(open, broken).kl));
  EXPECT_FALSE(DivergenceOf(open, broken).same_top);
  std::vector<float> tie = {5, 5}, second = {4, 5};
  EXPECT_FALSE(DivergenceOf(tie, second).same_top);  // the lowest id wins the tie
}

TEST(Divergence, Summary) {
  DivergenceAccumulator all;
  EXPECT_EQ(all.Summary().tokens, 0);
  bool same = true;
  for (double value : kValues) {
    all.Add({value, same});
    same = !same;
  }
  DivergenceSummary summary = all.Summary();
  EXPECT_EQ(summary.tokens, 101);
  EXPECT_NEAR(summary.mean, kValueSummary[0], 1e-10);
  EXPECT_NEAR(summary.standard_error, kValueSummary[1], 1e-10);
  EXPECT_NEAR(summary.p50, kValueSummary[2], 1e-10);
  EXPECT_NEAR(summary.p90, kValueSummary[3], 1e-10);
  EXPECT_NEAR(summary.p99, kValueSummary[4], 1e-10);
  EXPECT_NEAR(summary.p999, kValueSummary[5], 1e-7);
  EXPECT_EQ(summary.max, *std::max_element(std::begin(kValues), std::end(kValues)));
  EXPECT_NEAR(summary.same_top, 51.0 / 101, 1e-15);
  all.Add({std::numeric_limits<double>::infinity(), false});
  EXPECT_TRUE(std::isinf(all.Summary().mean));
  EXPECT_FALSE(std::isnan(all.Summary().p999));
}

TEST(Perplexity, OfAUniformModel) {
  PerplexityAccumulator accumulator;
  for (int i = 0; i < 10; ++i) accumulator.Add(std::log(1.0 / 32));
  EXPECT_NEAR(accumulator.perplexity(), 32, 1e-9);
  EXPECT_NEAR(accumulator.standard_error(), 0, 1e-9);
  accumulator.Add(0);
  EXPECT_LT(accumulator.perplexity(), 32);
  EXPECT_GT(accumulator.standard_error(), 0);
}

TEST(Quantile, Ends) {
  const double values[] = {3, 1, 2};
  EXPECT_EQ(Quantile(values, 0), 1);
  EXPECT_EQ(Quantile(values, 0.5), 2);
  EXPECT_EQ(Quantile(values, 1), 3);
  EXPECT_EQ(Quantile(values, 0.25), 1.5);
}

}  // namespace
}  // namespace assay
