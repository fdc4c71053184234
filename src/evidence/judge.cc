#include "evidence/judge.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "statistics/power.h"

namespace assay {
namespace {

/// Planning figures enumerate all tables: a second of work at this size, and far above it nobody asks.
constexpr int64_t kMaxPlanned = 20'000;

void Count(const ExamplePair& pair, Judgement& group) {
  if (pair.outcome == Outcome::kExcluded) return;
  ++group.counts.n;
  group.counts.regressions += pair.outcome == Outcome::kRegression;
  group.counts.fixes += pair.outcome == Outcome::kFix;
  group.baseline_passed += pair.baseline->pass;
  group.candidate_passed += pair.candidate->pass;
  if (!pair.displacement) return;
  const Displacement& moved = *pair.displacement;
  DisplacementSummary& sum = group.displacement;
  // Sums for now; Average() divides.
  sum.measured = true;
  ++sum.examples;
  sum.tokens += moved.tokens;
  const auto tokens = static_cast<double>(moved.tokens);
  if (moved.tokens > 0) {
    sum.mean_kl += moved.mean_kl * tokens;
    sum.same_top += moved.same_top * tokens;
    sum.max_kl = std::max(sum.max_kl, moved.max_kl);
  }
  sum.diverged += moved.first_divergence >= 0;
}

void Average(DisplacementSummary& sum) {
  sum.same_top -= 1;  // the default, which the sum started from
  if (sum.tokens > 0) {
    sum.mean_kl /= static_cast<double>(sum.tokens);
    sum.same_top /= static_cast<double>(sum.tokens);
  } else {
    sum.same_top = 1;
  }
  if (sum.examples > 0) sum.diverged /= static_cast<double>(sum.examples);
}

/// What counts say at a margin. Slices have the same counts more often than not, and some of this is work.
class Figures {
 public:
  explicit Figures(double margin) : margin_(margin / 100) {}

  void Test(Judgement& group) {
    const PairedCounts& counts = group.counts;
    auto [found, fresh] = tests_.try_emplace(Key(counts));
    Tests& tests = found->second;
    if (fresh) {
      tests.drop = TangoInterval(counts, 1 - 2 * kLevel);
      tests.mid_p = McNemarMidP(counts.regressions, counts.fixes);
      tests.exact_p = McNemarExact(counts.regressions, counts.fixes);
      tests.holds_p = NonInferiorityP(counts, margin_);
      tests.chance_worse = PosteriorDropAbove(counts, 0);
      tests.chance_beyond_margin = PosteriorDropAbove(counts, margin_);
    }
    group.drop = tests.drop;
    group.mid_p = group.adjusted_mid_p = tests.mid_p;
    group.exact_p = tests.exact_p;
    group.holds_p = group.adjusted_holds_p = tests.holds_p;
    group.chance_worse = tests.chance_worse;
    group.chance_beyond_margin = tests.chance_beyond_margin;
  }

  std::optional<double> DetectableDrop(const PairedCounts& counts, double level) {
    if (counts.n > kMaxPlanned) return std::nullopt;
    auto [found, fresh] = drops_.try_emplace({Key(counts), level});
    if (fresh) found->second = MinimumDetectableDrop(counts.n, PlanningRates(counts).fix, level);
    return found->second;
  }

  std::optional<int64_t> ToSettle(const PairedCounts& counts, double level) {
    auto [found, fresh] = settling_.try_emplace({Key(counts), level});
    if (fresh) found->second = ExamplesToSettle(PlanningRates(counts), margin_, counts.n, level);
    return found->second;
  }

 private:
  using Counts = std::tuple<int64_t, int64_t, int64_t>;
  static Counts Key(const PairedCounts& counts) { return {counts.n, counts.regressions, counts.fixes}; }
  struct Tests {
    Interval drop;
    double mid_p = 1, exact_p = 1, holds_p = 1, chance_worse = 0, chance_beyond_margin = 0;
  };
  double margin_;  // share
  std::map<Counts, Tests> tests_;
  std::map<std::pair<Counts, double>, std::optional<double>> drops_;
  std::map<std::pair<Counts, double>, std::optional<int64_t>> settling_;
};

/// Tests and intervals, and whether judging makes sense at all.
void Measure(const Comparison& comparison, Figures& figures, Judgement& group) {
  const PairedCounts& counts = group.counts;
  if (counts.n > 0) figures.Test(group);
  const auto n = static_cast<double>(counts.n);
  if (!comparison.comparable) {
    group.reason = "the runs are not comparable";
  } else if (counts.n == 0) {
    group.reason = "no example is left to judge";
  } else if (static_cast<double>(group.baseline_passed) < kMinBaselineRate * n) {
    group.reason = fmt::format("not judged: the baseline itself passes only {} of {}", group.baseline_passed, counts.n);
  } else {
    group.judged = true;
  }
}

void Explain(double margin, int64_t groups, Judgement& group) {
  const PairedCounts& counts = group.counts;
  const double most = 100 * group.drop.upper;
  const std::string flips = fmt::format("{} lost, {} gained", counts.regressions, counts.fixes);
  switch (group.verdict) {
    case Verdict::kHolds:
      group.reason = fmt::format("{} of {}: at most {:.1f} points worse, within the margin of {:g}", flips, counts.n,
                                 most, margin);
      break;
    case Verdict::kCracks:
      group.reason = fmt::format("{} of {}: an equal model would lose so many in {} of runs", flips, counts.n,
                                 group.mid_p < 0.001 ? "less than 0.1%" : fmt::format("{:.2g}%", 100 * group.mid_p));
      break;
    case Verdict::kCantTell:
      if (group.downgraded) {
        group.reason = fmt::format(
            "{} of {}, but the outputs moved as far as 2-bit quantization moves them (mean KL {:.2f}, same top token "
            "{:.0f}%): {} passes are "
            "too few to overrule that",
            flips, counts.n, group.displacement.mean_kl, 100 * group.displacement.same_top, counts.n);
      } else if (most < margin) {
        group.reason = fmt::format("{} of {}: within the margin on its own, not among {} slices judged at once", flips,
                                   counts.n, groups);
      } else if (group.mid_p <= kLevel) {
        group.reason =
            fmt::format("{} of {}: a loss on its own, not among {} slices judged at once", flips, counts.n, groups);
      } else {
        group.reason =
            fmt::format("{} of {}: up to {:.1f} points worse is possible, and so is no loss", flips, counts.n, most);
      }
      break;
  }
}

/// The three-way rule on adjusted p-values. `groups`: how many are judged together; planning figures take the level
/// that Holm's first step would.
void Decide(double margin, int64_t groups, Figures& figures, Judgement& group) {
  const double level = kLevel / static_cast<double>(groups);
  group.detectable_drop = figures.DetectableDrop(group.counts, level);
  if (group.adjusted_holds_p < kLevel) {
    group.downgraded = group.displacement.large() && group.counts.n < kSmallSample;
    group.verdict = group.downgraded ? Verdict::kCantTell : Verdict::kHolds;
    if (group.downgraded) group.examples_to_settle = kSmallSample;
  } else if (group.adjusted_mid_p <= kLevel) {
    group.verdict = Verdict::kCracks;
  } else {
    group.verdict = Verdict::kCantTell;
    group.examples_to_settle = figures.ToSettle(group.counts, level);
  }
  Explain(margin, groups, group);
}

}  // namespace

void JudgeGroups(Comparison& comparison) {
  std::unordered_map<std::string_view, size_t> places;
  for (const ExamplePair& pair : comparison.pairs) {
    Count(pair, comparison.all);
    const auto [place, fresh] = places.emplace(pair.slice, comparison.slices.size());
    if (fresh) comparison.slices.emplace_back().name = pair.slice;
    Count(pair, comparison.slices[place->second]);
  }
  Figures figures(comparison.margin);
  Average(comparison.all.displacement);
  Measure(comparison, figures, comparison.all);
  if (comparison.all.judged) Decide(comparison.margin, 1, figures, comparison.all);

  std::vector<Judgement*> judged;
  std::vector<double> mid_p, holds_p;
  for (Judgement& slice : comparison.slices) {
    Average(slice.displacement);
    Measure(comparison, figures, slice);
    if (!slice.judged) continue;
    judged.push_back(&slice);
    mid_p.push_back(slice.mid_p);
    holds_p.push_back(slice.holds_p);
  }
  // Two families, one per claim: each keeps its own chance of any false claim at the level.
  const std::vector<double> adjusted_mid_p = HolmAdjust(mid_p), adjusted_holds_p = HolmAdjust(holds_p);
  for (size_t i = 0; i < judged.size(); ++i) {
    judged[i]->adjusted_mid_p = adjusted_mid_p[i];
    judged[i]->adjusted_holds_p = adjusted_holds_p[i];
    Decide(comparison.margin, static_cast<int64_t>(judged.size()), figures, *judged[i]);
  }
}

}  // namespace assay
