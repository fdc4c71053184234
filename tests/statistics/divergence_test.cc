#include "statistics/divergence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

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

TEST(DivergenceAtLeast, IsABoundAndTheWholeWhereAllIsKnown) {
  Random random(3);
  double of_twenty = 0, of_all = 0;
  for (int round = 0; round < 60; ++round) {
    constexpr size_t kTokens = 200;
    std::vector<float> base(kTokens), other(kTokens);
    for (size_t i = 0; i < kTokens; ++i) {
      base[i] = static_cast<float>(14 * random.Uniform());
      other[i] = base[i] + static_cast<float>(random.Uniform() - 0.5) * static_cast<float>(round % 7);
    }
    const auto known = [](const std::vector<float>& logits, size_t count) {
      std::vector<std::pair<double, size_t>> all;
      for (size_t i = 0; i < logits.size(); ++i) all.emplace_back(LogProbability(logits, static_cast<int64_t>(i)), i);
      std::sort(all.rbegin(), all.rend());
      static std::vector<std::string> names;
      if (names.empty())
        for (size_t i = 0; i < kTokens; ++i) names.push_back("t" + std::to_string(i));
      std::vector<KnownToken> tokens;
      for (size_t i = 0; i < count; ++i) tokens.push_back({names[all[i].second], all[i].first});
      return tokens;
    };
    const double whole = DivergenceOf(base, other).kl;
    EXPECT_NEAR(DivergenceAtLeast(known(base, kTokens), known(other, kTokens)), whole, 2e-4);
    for (size_t count : {1, 2, 5, 20}) {
      const double bound = DivergenceAtLeast(known(base, count), known(other, count));
      EXPECT_LE(bound, whole + 1e-9) << count;
      EXPECT_GE(bound, 0);
      if (count == 20) of_twenty += bound;
    }
    of_all += whole;
    EXPECT_EQ(DivergenceAtLeast(known(base, 20), known(base, 20)), 0);
  }
  EXPECT_GT(of_twenty, 0.2 * of_all);  // it says something
  EXPECT_LT(of_twenty, 0.99 * of_all);
}

TEST(DivergenceAtLeast, ByHand) {
  const auto token = [](const char* text, double p) { return KnownToken{text, std::log(p)}; };
  const std::vector<KnownToken> base = {token("a", 0.5), token("b", 0.3)}, other = {token("b", 0.6), token("c", 0.2)};
  // b against all else
  EXPECT_NEAR(DivergenceAtLeast(base, other), 0.3 * std::log(0.3 / 0.6) + 0.7 * std::log(0.7 / 0.4), 1e-12);
  // Tokens of one text count together.
  const std::vector<KnownToken> twice = {token("a", 0.25), token("a", 0.25), token("b", 0.3)};
  EXPECT_NEAR(DivergenceAtLeast(twice, other), DivergenceAtLeast(base, other), 1e-12);
  EXPECT_EQ(DivergenceAtLeast({}, other), 0);
  EXPECT_EQ(DivergenceAtLeast(base, {}), 0);
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
