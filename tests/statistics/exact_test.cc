// Exact tests of paired outcomes, sign flips, families of tests and bounds of means. Values by other routes:
// tools/golden/verdicts.py.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "statistics/bounded_mean.h"
#include "statistics/exact_paired.h"
#include "statistics/multiplicity.h"
#include "statistics/sign_flip.h"

namespace assay {
namespace {

TEST(ExactPaired, WithoutFlipsItIsAtLeastThePowerOfWhatIsLeft) {
  for (int64_t n : {1, 10, 25, 28, 29, 58, 59, 200})
    for (double margin : {0.02, 0.05, 0.1, 0.5})
      EXPECT_GE(ExactHoldsP({n, 0, 0}, margin), std::pow(1 - margin, static_cast<double>(n)) - 1e-9)
          << n << " " << margin;
  // The reference note: 29 examples for 10 points, 59 for 5; 10 examples, 1 example.
  EXPECT_NEAR(ExactHoldsP({28, 0, 0}, 0.1), std::pow(0.9, 28), 1e-9);
  EXPECT_NEAR(ExactHoldsP({59, 0, 0}, 0.05), std::pow(0.95, 59), 1e-9);
  EXPECT_NEAR(ExactDropInterval({10, 0, 0}, 0.05).upper, 1 - std::pow(0.05, 0.1), 1e-5);
  EXPECT_NEAR(ExactDropInterval({1, 0, 0}, 0.05).upper, 0.95, 1e-5);
}

TEST(ExactPaired, SuissaAndShuster) {
  EXPECT_NEAR(ExactCracksP({50, 3, 0}), 0.0495, 5e-5);  // the reference note
  EXPECT_EQ(ExactCracksP({50, 0, 0}), 1);
  EXPECT_EQ(ExactCracksP({50, 3, 3}), 1);
  // One example that flips: half of all flips, were every example to flip.
  EXPECT_NEAR(ExactCracksP({1, 1, 0}), 0.5, 1e-9);
}

/// The largest chance, over the rate of fixes, of a false claim.
template <typename Rejects>
double Size(int64_t n, double drop, const Rejects& rejects) {
  double most = 0;
  for (int step = 0; step <= 30; ++step) {
    const double q = (1 - drop) / 2 * std::pow(step / 30.0, 2), loss = q + drop, same = std::max(0.0, 1 - loss - q);
    double total = 0;
    for (int64_t b = 0; b <= n; ++b)
      for (int64_t c = 0; b + c <= n; ++c) {
        if (!rejects(b, c)) continue;
        auto power = [](double p, int64_t k) { return k ? std::pow(p, static_cast<double>(k)) : 1.0; };
        total += std::exp(std::lgamma(n + 1.0) - std::lgamma(b + 1.0) - std::lgamma(c + 1.0) -
                          std::lgamma(n - b - c + 1.0)) *
                 power(loss, b) * power(q, c) * power(same, n - b - c);
      }
    most = std::max(most, total);
  }
  return most;
}

TEST(ExactPaired, NeverExceedsItsLevel) {
  for (int64_t n : {11, 25}) {
    for (double margin : {0.1, 0.2}) {
      std::vector<char> holds(static_cast<size_t>((n + 1) * (n + 1)));
      for (int64_t b = 0; b <= n; ++b)
        for (int64_t c = 0; b + c <= n && b <= n / 4 + 2 + c; ++c)
          holds[static_cast<size_t>(b * (n + 1) + c)] = ExactHoldsP({n, b, c}, margin) <= 0.05;
      EXPECT_LE(Size(n, margin, [&](int64_t b, int64_t c) { return holds[static_cast<size_t>(b * (n + 1) + c)]; }),
                0.05 + 1e-9)
          << n << " " << margin;
    }
    EXPECT_LE(Size(n, 0, [&](int64_t b, int64_t c) { return ExactCracksP({n, b, c}) <= 0.05; }), 0.05 + 1e-9) << n;
  }
}

TEST(ExactPaired, BoundsBelongToTheTest) {
  for (const PairedCounts& counts :
       {PairedCounts{50, 0, 0}, {50, 3, 1}, {50, 0, 6}, {20, 20, 0}, {7, 0, 7}, {30, 9, 8}}) {
    const Interval drop = ExactDropInterval(counts, 0.05);
    EXPECT_LE(drop.lower, counts.drop() + 1e-9);
    EXPECT_GE(drop.upper, counts.drop() - 1e-9);
    if (drop.upper < 0.999) {
      EXPECT_LE(ExactHoldsP(counts, drop.upper + 1e-4), 0.05);
    }
    if (drop.upper > -0.999) {
      EXPECT_GT(ExactHoldsP(counts, drop.upper - 1e-4), 0.05);
    }
    const Interval mirror = ExactDropInterval({counts.n, counts.fixes, counts.regressions}, 0.05);
    EXPECT_NEAR(mirror.upper, -drop.lower, 1e-12);
  }
}

TEST(SignFlip, SharesOfPatterns) {
  EXPECT_EQ(SignFlipP(std::vector<int64_t>{}), 1);
  EXPECT_EQ(SignFlipP(std::vector<int64_t>{0, 0}), 1);
  EXPECT_EQ(SignFlipP(std::vector<int64_t>{1, 1, 1, 1, 0, -1}), 6.0 / 32);
  EXPECT_EQ(SignFlipP(std::vector<int64_t>{5, 5}), 0.25);
  EXPECT_EQ(LeastSignFlipP(std::vector<int64_t>{5, -5, 0}), 0.25);
  // All patterns, counted.
  const std::vector<int64_t> some = {3, -1, 4, 1, -5, 9, 2, -6};
  int64_t sum = 0, as_large = 0;
  for (int64_t d : some) sum += d;
  for (int pattern = 0; pattern < 256; ++pattern) {
    int64_t flipped = 0;
    for (size_t i = 0; i < 8; ++i) flipped += pattern >> i & 1 ? some[i] : -some[i];
    as_large += flipped >= sum;
  }
  EXPECT_NEAR(SignFlipP(some), static_cast<double>(as_large) / 256, 1e-15);
  std::vector<int64_t> huge(100'000, 1'000'003);
  huge[0] = 1;
  EXPECT_THROW(SignFlipP(huge), Error);
}

TEST(Multiplicity, TaroneLeavesOutWhatCannotReject) {
  using V = std::vector<double>;
  EXPECT_EQ(TaroneHolmAdjust(V{0.03, 1, 1}, V{0.03, 0.5, 0.25}), (V{0.03, 1, 1}));
  EXPECT_EQ(TaroneHolmAdjust(V{0.03, 1, 1}, V{0.03, 0.02, 0.25}), (V{0.06, 1, 1}));
  // With all able to reject it is Holm's.
  EXPECT_EQ(TaroneHolmAdjust(V{0.01, 0.02, 0.04}, V{0, 0, 0}), (V{0.03, 0.04, 0.04}));
  EXPECT_TRUE(TaroneHolmAdjust(V{}, V{}).empty());
}

TEST(BoundedMean, Gaffke) {
  // No value but the least: the exact bound of a proportion.
  EXPECT_NEAR(GaffkeUpperBound(std::vector<double>(10, 0.0), 1, 0.05), 1 - std::pow(0.05, 0.1), 1e-6);
  // One value: uniform between it and the most.
  EXPECT_NEAR(GaffkeUpperBound(std::vector<double>{0.3}, 1, 0.05), 0.3 + 0.95 * 0.7, 1e-6);
  EXPECT_EQ(GaffkeUpperBound(std::vector<double>(5, 1.0), 1, 0.05), 1);
  // Against its own definition, drawn.
  std::vector<double> values = {0.125, 0.25, 0.375, -0.25, -0.25};
  values.resize(50);
  Random random(7);
  std::vector<double> means;
  for (int draw = 0; draw < 40000; ++draw) {
    double sum = 0, weights = 0;
    for (size_t i = 0; i <= values.size(); ++i) {
      const double weight = -std::log(1 - random.Uniform());
      weights += weight;
      sum += weight * (i < values.size() ? values[i] : 1.0);
    }
    means.push_back(sum / weights);
  }
  std::sort(means.begin(), means.end());
  EXPECT_NEAR(GaffkeUpperBound(values, 1, 0.05), means[38000], 1e-3);
  EXPECT_NEAR(GaffkeP(values, 1, GaffkeUpperBound(values, 1, 0.05)), 0.05, 1e-6);
  const Interval both = GaffkeInterval(values, -1, 1, 0.05);
  EXPECT_LT(both.lower, 0);
  EXPECT_GT(both.upper, 0);
}

}  // namespace
}  // namespace assay
