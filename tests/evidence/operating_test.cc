// How often the verdict is wrong, and how often it finds what is there: made-up pairs of runs whose truth is known,
// judged by the program's own code. The tables of docs/statistics.md are printed here: ctest -R operating -V. A binary
// of its own: about a minute of one processor.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "evidence/advice.h"
#include "evidence/judge.h"
#include "evidence/runs.h"

namespace assay {
namespace {

constexpr int kPairs = 2000;
/// What is promised is 5%; the rest is left to chance in so many pairs.
constexpr double kMostFalse = 0.055;
constexpr size_t kSlices = 5;

/// Rates of one example, both true: lost less gained is the drop.
struct Rates {
  double lost = 0, gained = 0;
};

Rates Drop(double drop, double churn) {
  return {drop + churn, churn};
}

/// Examples of a task: they take the slices in turn, so that every look has as many of each.
struct Plan {
  size_t n = 50, slices = kSlices;
  size_t paraphrases = 1;  // examples of one document
  double together = 1;     // share of a document's examples that move with it
};

/// One jury for all: groups of equal counts have equal figures, whichever pair they come from. No bounds: they decide
/// nothing.
Jury& TheJury() {
  static Jury jury(true);
  return jury;
}

/// The examples of a plan, as results that pass and that fail.
class Examples {
 public:
  explicit Examples(const Plan& plan) : plan_(plan) {
    passed_.resize(plan.n);
    failed_.resize(plan.n);
    for (size_t i = 0; i < plan.n; ++i) {
      ExampleResult& result = passed_[i];
      result.id = "e" + std::to_string(i);
      result.slice = "s" + std::to_string(document(i) % plan.slices);
      if (plan.paraphrases > 1) result.cluster = "d" + std::to_string(document(i));
      result.pass = true;
      failed_[i] = result;
      failed_[i].pass = false;
    }
  }

  size_t document(size_t i) const { return i / plan_.paraphrases; }
  size_t slice(size_t i) const { return document(i) % plan_.slices; }
  const Plan& plan() const { return plan_; }

  /// Where the outcome of each example falls in [0, 1): examples of a document fall together.
  std::vector<double> Fall(Random& random) const {
    std::vector<double> fall(plan_.n);
    double whole = 0;
    for (size_t i = 0; i < plan_.n; ++i) {
      if (i % plan_.paraphrases == 0) whole = random.Uniform();
      const bool own = plan_.paraphrases == 1 || random.Uniform() >= plan_.together;
      fall[i] = own ? random.Uniform() : whole;
    }
    return fall;
  }

  /// The verdict on the first `n` examples (0: all), whose outcomes fall so, when slices have these rates.
  Comparison Judged(const std::vector<double>& fall, const std::vector<Rates>& rates, double level = kLevel,
                    size_t n = 0) const {
    Comparison comparison;
    comparison.margin = kDefaultMargin;
    comparison.level = level;
    comparison.comparable = true;
    for (size_t i = 0; i < (n ? n : plan_.n); ++i) {
      const Outcome outcome = OutcomeOf(fall[i], rates[slice(i) % rates.size()]);
      ExamplePair& pair = comparison.pairs.emplace_back();
      pair.slice = passed_[i].slice;
      pair.outcome = outcome;
      pair.source = passed_[i].cluster;
      pair.baseline = outcome == Outcome::kFix ? &failed_[i] : &passed_[i];
      pair.candidate = outcome == Outcome::kRegression ? &failed_[i] : &passed_[i];
      pair.samples.push_back({pair.baseline, pair.candidate});
      pair.baseline_passes = pair.baseline->pass;
      pair.candidate_passes = pair.candidate->pass;
    }
    TheJury().JudgeGroups(comparison);
    return comparison;
  }

  /// The same by way of a record, as `assay check` does it.
  Comparison ByRecord(const std::vector<double>& fall, const std::vector<Rates>& rates) const {
    CheckRecord record;
    std::string before(plan_.n, '.'), after(plan_.n, '.');
    for (size_t i = 0; i < plan_.n; ++i) {
      const Outcome outcome = OutcomeOf(fall[i], rates[slice(i) % rates.size()]);
      if (outcome == Outcome::kFix) before[i] = 'x';
      if (outcome == Outcome::kRegression) after[i] = 'x';
    }
    record.baseline.run = MadeRun(before);
    record.candidates.resize(1);
    record.candidates[0].run = MadeRun(after, 0, "q");
    for (RunRecord* run : {&record.baseline.run, &record.candidates[0].run})
      for (size_t i = 0; i < plan_.n; ++i) {
        run->examples[i].slice = passed_[i].slice;
        run->examples[i].cluster = passed_[i].cluster;
      }
    Comparison comparison = std::move(Judge(record)[0]);
    comparison.pairs.clear();  // they point into the record
    return comparison;
  }

 private:
  static Outcome OutcomeOf(double fall, const Rates& rates) {
    if (fall < rates.lost) return Outcome::kRegression;
    return fall >= 1 - rates.gained ? Outcome::kFix : Outcome::kBothPass;
  }

  Plan plan_;
  std::vector<ExampleResult> passed_, failed_;
};

bool AnySlice(const Comparison& comparison, Verdict verdict) {
  return std::any_of(comparison.slices.begin(), comparison.slices.end(),
                     [&](const Judgement& slice) { return slice.judged && slice.verdict == verdict; });
}

void ExpectSame(const Judgement& a, const Judgement& b) {
  EXPECT_EQ(a.verdict, b.verdict);
  EXPECT_EQ(a.adjusted_cracks_p, b.adjusted_cracks_p);
  EXPECT_EQ(a.adjusted_holds_p, b.adjusted_holds_p);
}

/// Shares of pairs.
struct Found {
  double holds = 0, cracks = 0, ship = 0;    // all examples
  double slice_holds = 0, slice_cracks = 0;  // any of them
  double any_hold = 0, any_crack = 0;        // the whole or a slice
};

/// Judges pairs whose slices have these rates.
Found Simulate(const Plan& plan, const std::vector<Rates>& rates, uint64_t seed, int pairs = kPairs) {
  const Examples examples(plan);
  Random random(seed);
  Found found;
  for (int k = 0; k < pairs; ++k) {
    const std::vector<double> fall = examples.Fall(random);
    const Comparison comparison = examples.Judged(fall, rates);
    const bool holds = comparison.all.verdict == Verdict::kHolds, cracks = comparison.all.verdict == Verdict::kCracks;
    const bool slice = AnySlice(comparison, Verdict::kCracks);
    found.holds += holds;
    found.cracks += cracks;
    found.slice_cracks += slice;
    found.any_crack += cracks || slice;
    const bool slice_holds = AnySlice(comparison, Verdict::kHolds);
    found.slice_holds += slice_holds;
    found.any_hold += holds || slice_holds;
    found.ship += holds && !slice;
    if (k > 0) continue;
    const Comparison other = examples.ByRecord(fall, rates);
    ExpectSame(comparison.all, other.all);
    EXPECT_EQ(comparison.slices.size(), other.slices.size());
    for (size_t s = 0; s < std::min(comparison.slices.size(), other.slices.size()); ++s)
      ExpectSame(comparison.slices[s], other.slices[s]);
  }
  for (double* share : {&found.holds, &found.cracks, &found.slice_cracks, &found.any_crack, &found.any_hold,
                        &found.slice_holds, &found.ship})
    *share /= pairs;
  return found;
}

/// What a share may fall short of a true rate by chance.
double Chance(double rate, int pairs = kPairs) {
  return 3 * std::sqrt(rate * (1 - rate) / pairs);
}

/// Rates in all slices but the first, which has its own.
std::vector<Rates> OneSlice(Rates rest, Rates first) {
  std::vector<Rates> rates(kSlices, rest);
  rates[0] = first;
  return rates;
}

void Head(const char* title) {
  fmt::print("\n{}\n{:<50}{:>6}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}\n", title, "", "n", "cracks", "a slice", "either",
             "holds", "a slice", "Ship");
}

void Row(const std::string& name, size_t n, const Found& found) {
  fmt::print("{:<50}{:>6}{:>8.1f}%{:>8.1f}%{:>8.1f}%{:>8.1f}%{:>8.1f}%{:>8.1f}%\n", name, n, 100 * found.cracks,
             100 * found.slice_cracks, 100 * found.any_crack, 100 * found.holds, 100 * found.slice_holds,
             100 * found.ship);
}

TEST(Operating, EqualModelsRarelyCrack) {
  Head("Equal models, five slices: every crack is false");
  uint64_t seed = 100;
  for (size_t n : {50, 100, 200})
    for (double churn : {0.01, 0.025, 0.05, 0.075, 0.1, 0.15}) {
      const Found found = Simulate({n}, {Drop(0, churn)}, ++seed);
      Row(fmt::format("{:g}% lost, {:g}% gained", 100 * churn, 100 * churn), n, found);
      EXPECT_LE(found.cracks, kMostFalse);
      EXPECT_LE(found.slice_cracks, kMostFalse);
      EXPECT_LE(found.any_crack, kMostFalse);
      // What equal models are for: with little churn they are shipped.
      if (churn > 0.01) continue;
      const double least = n == 50 ? 0.94 : n == 100 ? 1 : 0.995;
      EXPECT_GE(found.ship, least - 0.02 - Chance(least));
    }
}

TEST(Operating, AtTheMarginLittleHolds) {
  Head("Ten points worse in every slice: every hold is false");
  uint64_t seed = 200;
  for (size_t n : {50, 100, 200})
    for (double churn : {0.0, 0.005, 0.05}) {
      const Found found = Simulate({n}, {Drop(0.1, churn)}, ++seed);
      Row(fmt::format("{:g}% lost, {:g}% gained", 100 * (0.1 + churn), 100 * churn), n, found);
      EXPECT_LE(found.holds, kMostFalse);
      EXPECT_LE(found.ship, kMostFalse);
      EXPECT_LE(found.any_hold, kMostFalse);
    }
}

TEST(Operating, LossesAreFound) {
  Head("Worse everywhere (0.5% gained)");
  uint64_t seed = 300;
  for (const auto& [drop, least] : {std::pair(0.05, 0.42), {0.08, 0.68}, {0.1, 0.79}}) {
    const Found found = Simulate({50}, {Drop(drop, 0.005)}, ++seed);
    Row(fmt::format("{:g} points", 100 * drop), 50, found);
    EXPECT_GE(found.cracks, least - 0.02 - Chance(least));
  }
}

TEST(Operating, ABrokenSliceIsFound) {
  Head("One slice of five is worse, the others equal (0.5% lost, 0.5% gained, or 2.5% of both)");
  struct Case {
    size_t n;
    double drop, least, churn = 0.005;
  };
  uint64_t seed = 400;
  for (const Case& c : {Case{50, 0.16, 0.06},
                        {50, 0.3, 0.35},
                        {50, 0.5, 0.81},
                        {100, 0.16, 0.40},
                        {100, 0.3, 0.87},
                        {250, 0.16, 0.94},
                        {100, 0.3, 0.71, 0.025}}) {
    const Found found = Simulate({c.n}, OneSlice(Drop(0, c.churn), Drop(c.drop, c.churn)), ++seed);
    Row(fmt::format("{} a slice, {:g} points, {:g}% gained", c.n / kSlices, 100 * c.drop, 100 * c.churn), c.n, found);
    EXPECT_GE(found.slice_cracks, c.least - 0.02 - Chance(c.least));
  }
}

TEST(Operating, SourcesCount) {
  Head("Documents of five paraphrases that move together");
  uint64_t seed = 500;
  for (const auto& [documents, together] : {std::pair<size_t, double>(10, 1), {10, 0.7}, {20, 0.7}}) {
    const Plan plan{documents * 5, kSlices, 5, together};
    Found found = Simulate(plan, {Drop(0, 0.1)}, ++seed);
    Row(fmt::format("{} documents, equal, 10% churn, {:g}% together", documents, 100 * together), plan.n, found);
    EXPECT_LE(found.any_crack, kMostFalse);
    found = Simulate(plan, {Drop(0.1, 0.005)}, ++seed);
    Row(fmt::format("{} documents, at the margin, {:g}% together", documents, 100 * together), plan.n, found);
    EXPECT_LE(found.any_hold, kMostFalse);
  }
}

TEST(Operating, LooksTogetherStayAtFivePercent) {
  fmt::print("\nA task that grows: looks at 50, 100 and 200 until one says something\n{:<50}{:>9}{:>9}{:>9}{:>10}\n",
             "", "cracks", "either", "holds", "mean n");
  const Examples examples({200});
  uint64_t seed = 600;
  for (const auto& [drop, churn] : {std::pair(0.0, 0.025), {0.0, 0.05}, {0.1, 0.025}}) {
    Random random(++seed);
    Found found;
    double total = 0;
    for (int k = 0; k < kPairs; ++k) {
      const std::vector<double> fall = examples.Fall(random);
      for (size_t n : {50, 100, 200}) {
        const Comparison comparison = examples.Judged(fall, {Drop(drop, churn)}, kLookLevel, n);
        const bool slice = AnySlice(comparison, Verdict::kCracks);
        if (comparison.all.verdict == Verdict::kCantTell && !slice && n < 200) continue;
        found.holds += comparison.all.verdict == Verdict::kHolds;
        found.cracks += comparison.all.verdict == Verdict::kCracks;
        found.any_crack += comparison.all.verdict == Verdict::kCracks || slice;
        total += static_cast<double>(n);
        break;
      }
    }
    for (double* share : {&found.holds, &found.cracks, &found.any_crack}) *share /= kPairs;
    fmt::print("{:<50}{:>8.1f}%{:>8.1f}%{:>8.1f}%{:>10.0f}\n",
               fmt::format("{:g} points worse, {:g}% gained", 100 * drop, 100 * churn), 100 * found.cracks,
               100 * found.any_crack, 100 * found.holds, total / kPairs);
    if (drop == 0)
      EXPECT_LE(found.any_crack, kMostFalse);
    else
      EXPECT_LE(found.holds, kMostFalse);
  }
}

TEST(Operating, TheWalkShipsNothingWorse) {
  fmt::print(
      "\nTwelve formats from the largest down: one that is ten points worse is shipped\n{:<50}{:>6}{:>11}{:>11}\n", "",
      "n", "shipped", "nothing");
  const std::vector<double> all(12, 0.1);
  std::vector<double> half(12, 0.0), steep;
  std::fill(half.begin() + 6, half.end(), 0.1);
  for (int k = 0; k < 12; ++k) steep.push_back(std::min(0.1, 0.02 * k));
  CheckRecord record;
  record.baseline.run.header.model.format = "bf16";
  record.candidates.resize(12);
  for (size_t k = 0; k < 12; ++k) {
    ModelIdentity& model = record.candidates[k].run.header.model;
    model.format = "q" + std::to_string(k);
    model.file_bytes = 1200 - 100 * k;
  }
  uint64_t seed = 700;
  for (size_t n : {50, 100})
    for (const auto& [name, drops] : {std::pair("all at the margin", &all),
                                      {"six equal, six at the margin", &half},
                                      {"2 points more a step, down to the margin", &steep}})
      for (double shared : {0.0, 0.8}) {
        const Examples examples({n});
        Random random(++seed);
        double shipped = 0, nothing = 0;
        for (int pair = 0; pair < kPairs; ++pair) {
          // What one format loses the next one often loses too.
          const std::vector<double> common = examples.Fall(random);
          std::vector<Comparison> comparisons;
          for (size_t k = 0; k < 12; ++k) {
            std::vector<double> fall = examples.Fall(random);
            for (size_t i = 0; i < n; ++i)
              if (random.Uniform() < shared) fall[i] = common[i];
            comparisons.push_back(examples.Judged(fall, {Drop((*drops)[k], 0.005)}));
            // The walk ends where one does not hold; what lies below decides nothing.
            if (comparisons.back().all.verdict != Verdict::kHolds) break;
          }
          comparisons.resize(12);
          const std::optional<size_t> ship = WalkDown(record, comparisons).recommended();
          shipped += ship && (*drops)[*ship] >= 0.1;
          nothing += !ship;
        }
        fmt::print("{:<50}{:>6}{:>10.1f}%{:>10.1f}%\n", fmt::format("{}, {:g}% shared", name, 100 * shared), n,
                   100 * shipped / kPairs, 100 * nothing / kPairs);
        EXPECT_LE(shipped / kPairs, kMostFalse);
      }
}

TEST(Operating, WhatNoTestCanRepair) {
  // Examples that were picked because the baseline passes them can only be lost: the report says so.
  Head("Equal models, examples picked because the baseline passes them (told, not repaired)");
  for (size_t n : {50, 100}) {
    const Found found = Simulate({n}, {{0.05, 0}}, 800 + n);
    Row("5% lost by chance", n, found);
    EXPECT_GT(found.any_crack, kMostFalse);
  }
}

}  // namespace
}  // namespace assay
