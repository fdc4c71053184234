#include "statistics/power.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"

namespace assay {
namespace {

// Section 2.2 of the project's note: baseline 98%, fixes at half a point, one-sided .05; columns are the candidate's
// true rate.
constexpr double kRates[] = {98, 97, 96, 94, 92, 90, 85, 82, 80};
struct PowerRow {
  int n;
  const char* what;
  double value[9];
};
constexpr PowerRow kPower[] = {
    {50, "exact", {.000, .001, .007, .059, .184, .356, .747, .879, .930}},
    {50, "mid-p", {.000, .005, .029, .152, .342, .537, .856, .938, .966}},
    {50, "NI5", {.174, .106, .065, .024, .008, .003, .000, .000, .000}},
    {50, "NI10", {.979, .856, .693, .397, .203, .096, .012, .003, .001}},
    {100, "exact", {.000, .011, .069, .339, .637, .835, .987, .998, .999}},
    {100, "mid-p", {.001, .041, .160, .499, .763, .904, .994, .999, 1.00}},
    {100, "NI5", {.917, .581, .310, .070, .013, .002, .000, .000, .000}},
    {100, "NI10", {1.00, .996, .962, .717, .379, .150, .006, .001, .000}},
    {200, "exact", {.001, .081, .308, .771, .956, .994, 1.00, 1.00, 1.00}},
    {200, "mid-p", {.007, .163, .442, .850, .976, .997, 1.00, 1.00, 1.00}},
    {200, "NI5", {.998, .893, .592, .116, .011, .001, .000, .000, .000}},
    {200, "NI10", {1.00, 1.00, 1.00, .940, .608, .219, .002, .000, .000}},
    {400, "exact", {.008, .262, .682, .983, 1.00, 1.00, 1.00, 1.00, 1.00}},
    {400, "mid-p", {.024, .367, .769, .991, 1.00, 1.00, 1.00, 1.00, 1.00}},
    {400, "NI5", {1.00, .997, .900, .202, .008, .000, .000, .000, .000}},
    {400, "NI10", {1.00, 1.00, 1.00, .998, .864, .345, .000, .000, .000}},
};

PairedRates RatesFor(double candidate, double fix = 0.005) {
  return {(98 - candidate) / 100 + fix, fix};
}

TEST(Power, ReproducesTheTable) {
  for (const PowerRow& row : kPower)
    for (int i = 0; i < 9; ++i) {
      const std::string what = row.what;
      const PairedRates rates = RatesFor(kRates[i]);
      double value = what == "exact"   ? McNemarPower(row.n, rates, 0.05, false)
                     : what == "mid-p" ? ThreeWayChances(row.n, rates, 0.1).cracks_test
                     : what == "NI5"   ? ThreeWayChances(row.n, rates, 0.05).holds
                                       : ThreeWayChances(row.n, rates, 0.10).holds;
      EXPECT_NEAR(value, row.value[i], 0.00051) << row.n << " " << what << " " << kRates[i];
    }
}

TEST(Power, Sensitivity) {
  EXPECT_NEAR(McNemarPower(50, RatesFor(94, 0.02), 0.05, false), .080, .00051);
  EXPECT_NEAR(McNemarPower(50, RatesFor(90, 0.02), 0.05, false), .310, .00051);
  EXPECT_NEAR(McNemarPower(50, RatesFor(85, 0.02), 0.05, false), .633, .00051);
  EXPECT_NEAR(ThreeWayChances(50, RatesFor(98, 0.02), 0.1).holds, .857, .00051);
  for (double rate : kRates) EXPECT_EQ(ThreeWayChances(50, RatesFor(rate, 0), 0.05).holds, 0);
  EXPECT_NEAR(ThreeWayChances(50, RatesFor(98, 0), 0.1).holds, 1, 1e-12);
}

TEST(Power, ThreeWayRule) {
  struct Row {
    int n;
    double margin, rate, holds, cant_tell, cracks;
  };
  const Row rows[] = {
      {50, .10, 98, 98, 2, 0},   {50, .10, 96, 69, 28, 3},  {50, .10, 94, 40, 45, 15}, {50, .10, 92, 20, 46, 34},
      {50, .10, 90, 10, 37, 54}, {50, .10, 85, 1, 13, 86},  {50, .05, 98, 17, 83, 0},  {50, .05, 90, 0, 46, 54},
      {100, .05, 98, 92, 8, 0},  {100, .05, 94, 7, 43, 50}, {200, .05, 98, 100, 0, 0}, {200, .05, 96, 59, 3, 38},
      {200, .05, 94, 12, 4, 84},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(testing::Message() << row.n << " " << row.margin << " " << row.rate);
    RuleChances chances = ThreeWayChances(row.n, RatesFor(row.rate), row.margin);
    EXPECT_NEAR(100 * chances.holds, row.holds, 0.51);
    EXPECT_NEAR(100 * chances.cant_tell, row.cant_tell, 0.51);
    EXPECT_NEAR(100 * chances.cracks, row.cracks, 0.51);
    EXPECT_NEAR(chances.holds + chances.cant_tell + chances.cracks, 1, 1e-7);
  }
}

TEST(Power, SmallestDrop) {
  // The note's grid is half a point; ours is a tenth, so ours may lie up to half a point below.
  const double rows[][3] = {{10, 59, 49.5}, {20, 32.5, 27}, {30, 22.5, 19}, {50, 14.5, 12},
                            {100, 8, 6.5},  {200, 4.5, 4},  {400, 2.5, 2.5}};
  for (const auto& row : rows) {
    const auto n = static_cast<int64_t>(row[0]);
    auto exact = MinimumDetectableDrop(n, 0.005, 0.05, 0.8, false), mid = MinimumDetectableDrop(n, 0.005);
    ASSERT_TRUE(exact && mid);
    EXPECT_LE(100 * *exact, row[1] + 1e-9);
    EXPECT_GT(100 * *exact, row[1] - 0.55);
    EXPECT_LE(100 * *mid, row[2] + 1e-9);
    EXPECT_GT(100 * *mid, row[2] - 0.55);
  }
  EXPECT_FALSE(MinimumDetectableDrop(3, 0.005));  // three regressions of three give mid-p .0625
}

TEST(Power, LargestDropThatStillHolds) {
  const double rows[][3] = {{50, .10, 1.25},  {100, .10, 3.25}, {100, .05, 0.25}, {200, .10, 5},
                            {200, .05, 1.25}, {400, .10, 6.25}, {400, .05, 2.25}};
  for (const auto& row : rows) {
    const auto n = static_cast<int64_t>(row[0]);
    EXPECT_GE(ThreeWayChances(n, RatesFor(98 - row[2]), row[1]).holds, 0.8);
    EXPECT_LT(ThreeWayChances(n, RatesFor(98 - row[2] - 0.25), row[1]).holds, 0.8);
  }
}

TEST(Power, SimulationAgreesWithEnumeration) {
  Random random(20261122);
  constexpr int kRuns = 20000;
  for (PairedRates rates : {PairedRates{0.02, 0.02}, PairedRates{0.105, 0.005}, PairedRates{0.06, 0.02}}) {
    int64_t holds = 0, rejects = 0;
    for (int run = 0; run < kRuns; ++run) {
      PairedCounts counts{50, 0, 0};
      for (int i = 0; i < 50; ++i) {
        const double u = random.Uniform();
        if (u < rates.regression) {
          ++counts.regressions;
        } else if (u < rates.regression + rates.fix) {
          ++counts.fixes;
        }
      }
      holds += TangoInterval(counts, 0.9).upper < 0.1;
      rejects += McNemarMidP(counts.regressions, counts.fixes) <= 0.05;
    }
    const RuleChances exact = ThreeWayChances(50, rates, 0.1);
    // 0.014 is four standard errors of a share near one half.
    EXPECT_NEAR(static_cast<double>(holds) / kRuns, exact.holds, 0.0142);
    EXPECT_NEAR(static_cast<double>(rejects) / kRuns, exact.cracks_test, 0.0142);
  }
}

/// The chances as they are written down, every table looked at, none skipped but the negligible: the same terms in the
/// same order as the enumeration, which must give the same bits.
RuleChances AllTables(int64_t n, const PairedRates& rates, double margin, double alpha) {
  std::vector<double> log_factorial = {0};
  for (int64_t i = 1; i <= n; ++i) log_factorial.push_back(log_factorial.back() + std::log(static_cast<double>(i)));
  const auto pmf = [&](int64_t m, int64_t k, double p) {
    if (p <= 0) return k == 0 ? 1.0 : 0.0;
    if (p >= 1) return k == m ? 1.0 : 0.0;
    const auto kd = static_cast<double>(k), rest = static_cast<double>(m - k);
    const auto at = [&](int64_t i) { return log_factorial[static_cast<size_t>(i)]; };
    return std::exp(at(m) - at(k) - at(m - k) + kd * std::log(p) + rest * std::log1p(-p));
  };
  const double fix = rates.regression >= 1 ? 0.0 : std::min(1.0, rates.fix / (1 - rates.regression));
  RuleChances chances;
  for (int64_t b = 0; b <= n; ++b) {
    const double p_b = pmf(n, b, rates.regression);
    if (p_b < 1e-12) continue;
    for (int64_t c = 0; c <= n - b; ++c) {
      const double p = p_b * pmf(n - b, c, fix);
      if (p < 1e-12) continue;
      const bool rejects = McNemarMidP(b, c) <= alpha,
                 holds = TangoScore({n, b, c}, margin) < -NormalQuantile(1 - alpha);
      chances.cracks_test += rejects ? p : 0;
      (holds ? chances.holds : rejects ? chances.cracks : chances.cant_tell) += p;
    }
  }
  return chances;
}

TEST(Power, SkippingChangesNoBit) {
  Random random(11);
  for (int i = 0; i < 60; ++i) {
    const auto n = static_cast<int64_t>(1 + random.Below(i % 10 == 0 ? 150 : 50));
    const double regression = i % 7 == 0 ? 0 : random.Uniform() * (i % 2 ? 0.1 : 0.6);
    const PairedRates rates{regression, random.Uniform() * (i % 3 ? 0.1 : 1) * (1 - regression)};
    for (double margin : {0.01, 0.1, 0.5})
      for (double alpha : {0.05, 0.0005}) {
        const RuleChances all = AllTables(n, rates, margin, alpha), fast = ThreeWayChances(n, rates, margin, alpha);
        EXPECT_EQ(std::memcmp(&all, &fast, sizeof all), 0) << n << " " << rates.regression << " " << rates.fix;
      }
  }
}

TEST(Power, ScoreFallsAsFixesGrow) {  // what the search of ThreeWayChances for the first that holds rests on
  for (int64_t n = 1; n <= 60; ++n)
    for (double margin : {0.001, 0.01, 0.1, 0.3, 0.7, 0.999})
      for (int64_t b = 0; b <= n; ++b)
        for (int64_t c = 1; c + b <= n; ++c)
          ASSERT_LE(TangoScore({n, b, c}, margin), TangoScore({n, b, c - 1}, margin)) << n << " " << b << " " << c;
}

TEST(Power, SizeOfBothTests) {
  for (int64_t n : {50, 100, 200})
    for (double fix : {0.0, 0.002, 0.005, 0.01, 0.02, 0.05}) {
      EXPECT_LE(McNemarPower(n, {fix, fix}), 0.0503) << n << " " << fix;  // "mid-p <= .050"
      EXPECT_LE(McNemarPower(n, {fix, fix}, 0.05, false), 0.05);
      for (double margin : {0.05, 0.1})
        EXPECT_LE(ThreeWayChances(n, {margin + fix, fix}, margin).holds, 0.0585) << n << " " << fix;
    }
  EXPECT_NEAR(ThreeWayChances(100, {0.1, 0}, 0.1).holds, 0.0576, 0.00006);  // the note's worst case
}

TEST(Settle, FindsANumberThatSettles) {
  struct Row {
    PairedCounts counts;
    double margin;
  };
  for (const Row& row : {Row{{50, 2, 0}, 0.1}, Row{{50, 3, 1}, 0.1}, Row{{10, 0, 0}, 0.1}, Row{{50, 0, 0}, 0.05},
                         Row{{200, 8, 3}, 0.05}}) {
    const PairedRates rates = PlanningRates(row.counts);
    auto n = ExamplesToSettle(rates, row.margin, row.counts.n);
    ASSERT_TRUE(n);
    EXPECT_GT(*n, row.counts.n);
    EXPECT_EQ(*n % 10, 0);
    EXPECT_GE(1 - ThreeWayChances(*n, rates, row.margin).cant_tell, 0.8);
  }
  EXPECT_FALSE(ExamplesToSettle({0.1001, 0.1}, 0.0002, 50, 0.05, 0.8, 500));
}

}  // namespace
}  // namespace assay
