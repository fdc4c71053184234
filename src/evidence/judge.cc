#include "evidence/judge.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

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

/// Tests and intervals, and whether judging makes sense at all.
void Measure(const Comparison& comparison, Judgement& group) {
  const PairedCounts& counts = group.counts;
  const double margin = comparison.margin / 100;
  if (counts.n > 0) {
    group.drop = TangoInterval(counts, 1 - 2 * kLevel);
    group.mid_p = group.adjusted_mid_p = McNemarMidP(counts.regressions, counts.fixes);
    group.exact_p = McNemarExact(counts.regressions, counts.fixes);
    group.holds_p = group.adjusted_holds_p = NonInferiorityP(counts, margin);
    group.chance_worse = PosteriorDropAbove(counts, 0);
    group.chance_beyond_margin = PosteriorDropAbove(counts, margin);
  }
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
void Decide(double margin, int64_t groups, Judgement& group) {
  const double level = kLevel / static_cast<double>(groups);
  const PairedRates rates = PlanningRates(group.counts);
  if (group.counts.n <= kMaxPlanned) group.detectable_drop = MinimumDetectableDrop(group.counts.n, rates.fix, level);
  if (group.adjusted_holds_p < kLevel) {
    group.downgraded = group.displacement.large() && group.counts.n < kSmallSample;
    group.verdict = group.downgraded ? Verdict::kCantTell : Verdict::kHolds;
    if (group.downgraded) group.examples_to_settle = kSmallSample;
  } else if (group.adjusted_mid_p <= kLevel) {
    group.verdict = Verdict::kCracks;
  } else {
    group.verdict = Verdict::kCantTell;
    group.examples_to_settle = ExamplesToSettle(rates, margin / 100, group.counts.n, level);
  }
  Explain(margin, groups, group);
}

}  // namespace

void JudgeGroups(Comparison& comparison) {
  for (const ExamplePair& pair : comparison.pairs) {
    Count(pair, comparison.all);
    auto slice = std::find_if(comparison.slices.begin(), comparison.slices.end(),
                              [&](const Judgement& j) { return j.name == pair.slice; });
    if (slice == comparison.slices.end()) {
      comparison.slices.emplace_back().name = pair.slice;
      slice = comparison.slices.end() - 1;
    }
    Count(pair, *slice);
  }
  Average(comparison.all.displacement);
  Measure(comparison, comparison.all);
  if (comparison.all.judged) Decide(comparison.margin, 1, comparison.all);

  std::vector<Judgement*> judged;
  std::vector<double> mid_p, holds_p;
  for (Judgement& slice : comparison.slices) {
    Average(slice.displacement);
    Measure(comparison, slice);
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
    Decide(comparison.margin, static_cast<int64_t>(judged.size()), *judged[i]);
  }
}

}  // namespace assay
