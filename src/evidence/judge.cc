#include "evidence/judge.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/counted.h"
#include "statistics/bounded_mean.h"
#include "statistics/exact_paired.h"
#include "statistics/multiplicity.h"
#include "statistics/power.h"
#include "statistics/sign_flip.h"

namespace assay {
namespace {

/// Planning figures enumerate all tables: a second of work at this size, and far above it nobody asks.
constexpr int64_t kMaxPlanned = 20'000;
constexpr Interval kNoBounds{-1, 1};

/// Outcomes of a group by what is independent: sources (clusters), and examples that share none. An example with
/// several samples is a source of so many.
struct Sources {
  std::unordered_map<std::string_view, SourceLoss> clusters;
  std::vector<SourceLoss> alone;
  bool shared = false;

  void Add(const ExamplePair& pair) {
    if (pair.outcome == Outcome::kExcluded) return;
    const int64_t lost = pair.baseline_passes - pair.candidate_passes;
    const auto answers = static_cast<int64_t>(pair.samples.size());
    if (pair.source.empty()) {
      alone.push_back({lost, answers});
      return;
    }
    SourceLoss& cluster = clusters[pair.source];
    shared |= cluster.examples > 0;
    cluster.lost += lost;
    cluster.examples += answers;
  }
  std::vector<SourceLoss> all() const {
    std::vector<SourceLoss> all = alone;
    for (const auto& [name, cluster] : clusters) all.push_back(cluster);
    return all;
  }
};

void Count(const ExamplePair& pair, Judgement& group) {
  if (pair.outcome == Outcome::kExcluded) return;
  ++group.counts.n;
  group.counts.regressions += pair.outcome == Outcome::kRegression;
  group.counts.fixes += pair.outcome == Outcome::kFix;
  group.answers += static_cast<int64_t>(pair.samples.size());
  group.baseline_passed += pair.baseline_passes;
  group.candidate_passed += pair.candidate_passes;
  if (!pair.displacement) return;
  const Displacement& moved = *pair.displacement;
  DisplacementSummary& sum = group.displacement;
  // Sums for now; Average() divides.
  sum.measured = true;
  ++sum.examples;
  if (moved.known_tokens > 0) {
    sum.known_tokens = sum.at_least ? std::min(sum.known_tokens, moved.known_tokens) : moved.known_tokens;
    sum.at_least = true;
    sum.whole_answers |= moved.whole_answer;
  }
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

}  // namespace

/// What counts say at a margin and a level.
class Jury::Figures {
 public:
  struct Tests {
    Interval drop;
    double holds_p = 1, cracks_p = 1, chance_worse = 0.5, chance_beyond_margin = 0;
  };

  explicit Figures(bool only_verdicts) : only_verdicts_(only_verdicts) {}

  /// `cracks_p` is Suissa and Shuster's.
  const Tests& Of(const PairedCounts& counts, double margin, double level) {
    auto [found, fresh] = tests_.try_emplace({Key(counts), margin, level});
    Tests& tests = found->second;
    if (fresh) {
      tests.drop = only_verdicts_ ? kNoBounds : ExactDropInterval(counts, level);
      tests.holds_p = ExactHoldsP(counts, margin);
      tests.cracks_p = ExactCracksP(counts);
      tests.chance_worse = PosteriorDropAbove(counts, 0);
      tests.chance_beyond_margin = PosteriorDropAbove(counts, margin);
    }
    return tests;
  }

  std::optional<double> DetectableDrop(const PairedCounts& counts, double level) {
    if (counts.n > kMaxPlanned) return std::nullopt;
    auto [found, fresh] = drops_.try_emplace({Key(counts), level});
    if (fresh) found->second = MinimumDetectableDrop(counts.n, PlanningRates(counts).fix, level);
    return found->second;
  }

  std::optional<int64_t> ToSettle(const PairedCounts& counts, double margin, double level) {
    auto [found, fresh] = settling_.try_emplace({Key(counts), margin, level});
    if (fresh) found->second = ExamplesToSettle(PlanningRates(counts), margin / 100, counts.n, level);
    return found->second;
  }

 private:
  using Counts = std::tuple<int64_t, int64_t, int64_t>;
  static Counts Key(const PairedCounts& counts) { return {counts.n, counts.regressions, counts.fixes}; }
  bool only_verdicts_;
  std::map<std::tuple<Counts, double, double>, Tests> tests_;
  std::map<std::pair<Counts, double>, std::optional<double>> drops_;
  std::map<std::tuple<Counts, double, double>, std::optional<int64_t>> settling_;
};

namespace {

/// Rounded up: it follows "at most".
std::string Percent(double p) {
  return p < 0.001 ? "0.1%" : fmt::format("{:.3g}%", std::ceil(1000 * p - 1e-9) / 10);
}

/// "3 lost, 1 gained of 50", and of what is independent where that is less.
std::string Flips(const Judgement& group) {
  std::string text = fmt::format("{} lost, {} gained{} of {}", group.counts.regressions, group.counts.fixes,
                                 group.sampled() ? " on balance" : "", group.counts.n);
  if (group.clustered) text += fmt::format(" (of {})", Counted(group.sources, "source"));
  if (group.sampled())
    text += fmt::format(", {} passes before and {} after of {} answers ({} \xC3\x97 {})", group.baseline_passed,
                        group.candidate_passed, group.answers, Counted(group.counts.n, "example"),
                        group.answers / group.counts.n);
  return text;
}

void Explain(double margin, double level, int64_t groups, Judgement& group) {
  const std::string flips = Flips(group);
  switch (group.verdict) {
    case Verdict::kHolds:
      group.reason = fmt::format("{}: at most {:.1f} points worse, within the margin of {:g}", flips,
                                 std::max(0.0, 100 * group.drop.upper), margin);
      break;
    case Verdict::kCracks:
      if (group.crack_test == CrackTest::kMidP)
        group.reason = fmt::format("{}: mid-p {:.2g}{}", flips, group.mid_p,
                                   groups > 1 ? fmt::format(", {} slices judged together", groups) : "");
      else
        group.reason = fmt::format("{}: a model that is no worse would lose so many in at most {} of runs", flips,
                                   Percent(group.cracks_p));
      break;
    case Verdict::kCantTell:
      if (group.downgraded) {
        group.reason = fmt::format(
            "{}, but the outputs moved as far as 2-bit quantization moves them (mean KL {}{:.2f}, same top token "
            "{:.0f}%): {} passes are "
            "too few to overrule that",
            flips, group.displacement.at_least ? "at least " : "", group.displacement.mean_kl,
            100 * group.displacement.same_top, group.counts.n);
      } else if (group.weak_baseline) {
        group.reason = fmt::format("{}: the baseline itself passes only {}, too little to lose to show that it holds",
                                   flips, group.baseline_passed);
      } else if (group.holds_p <= level) {
        group.reason =
            fmt::format("{}: within the margin on its own, not among {} slices judged at once", flips, groups);
      } else if (group.cracks_p <= level) {
        group.reason = fmt::format("{}: a loss on its own, not among {} slices judged at once", flips, groups);
      } else {
        group.reason = fmt::format("{}: {}", flips, DropText(group.drop));
      }
      break;
  }
}

/// What slices get of the level for *cracks*. The whole and its slices are two families; where more than a tenth of the
/// examples flip, either way, both use up their level and one of them would crack falsely in up to 8% of runs. Flips
/// say nothing about which way they went, so a level that depends on their number is as exact as a fixed one. The
/// figures are those that keep both together at 5.5% for five slices and any rate of flips
/// (tests/evidence/operating_test.cc).
double SliceShare(const PairedCounts& all) {
  constexpr double kLeast = 0.05;
  const auto n = static_cast<double>(all.n), flips = static_cast<double>(all.regressions + all.fixes);
  const double from = std::max(10.0, 0.09 * n + 1), width = 0.05 * n;
  return std::clamp(1 - (1 - kLeast) * (flips - from) / width, kLeast, 1.0);
}

/// Whether judging makes sense at all.
void Admit(const Comparison& comparison, Judgement& group) {
  if (!comparison.comparable) {
    group.reason = "the runs are not comparable";
  } else if (group.counts.n == 0) {
    group.reason = "no example is left to judge";
  } else {
    group.judged = true;
    group.weak_baseline =
        static_cast<double>(group.baseline_passed) < kMinBaselineRate * static_cast<double>(group.answers);
  }
}

}  // namespace

Jury::Jury(bool only_verdicts) : figures_(std::make_unique<Figures>(only_verdicts)), only_verdicts_(only_verdicts) {}
Jury::~Jury() = default;

void Jury::JudgeGroups(Comparison& comparison) {
  Judgement& all = comparison.all;
  std::unordered_map<std::string_view, size_t> places;
  Sources all_sources;
  std::vector<Sources> sources;
  for (const ExamplePair& pair : comparison.pairs) {
    Count(pair, all);
    all_sources.Add(pair);
    const auto [place, fresh] = places.emplace(pair.slice, comparison.slices.size());
    if (fresh) {
      comparison.slices.emplace_back().name = pair.slice;
      sources.emplace_back();
    }
    Count(pair, comparison.slices[place->second]);
    sources[place->second].Add(pair);
  }
  const double level = comparison.level;
  Figures& figures = *figures_;
  // Fills what outcomes say on their own; returns the smallest value that cracks_p could have with so many flips.
  auto measure = [&](const Sources& of, bool slice, Judgement& group) {
    Average(group.displacement);
    group.sources = group.counts.n;
    if (group.counts.n == 0) return 1.0;
    const double margin = comparison.margin / 100;
    group.mid_p = McNemarMidP(group.counts.regressions, group.counts.fixes);
    group.exact_p = McNemarExact(group.counts.regressions, group.counts.fixes);
    double least = std::exp2(-static_cast<double>(group.counts.regressions + group.counts.fixes + 1));
    if (!group.sampled()) {
      const Figures::Tests& tests = figures.Of(group.counts, margin, level);
      group.drop = tests.drop;
      group.holds_p = tests.holds_p;
      group.cracks_p = slice ? group.mid_p : tests.cracks_p;
      group.crack_test = slice || group.counts.n > kMostExactCracks ? CrackTest::kMidP : CrackTest::kSuissaShuster;
      group.chance_worse = tests.chance_worse;
      group.chance_beyond_margin = tests.chance_beyond_margin;
    }
    if (of.shared || group.sampled()) {
      const std::vector<SourceLoss> parts = of.all();
      std::vector<int64_t> lost;
      for (const SourceLoss& source : parts) lost.push_back(source.lost);
      group.clustered = of.shared;
      group.sources = static_cast<int64_t>(parts.size());
      group.drop = only_verdicts_ ? kNoBounds : SourcesDropInterval(parts, level);
      group.holds_p = SourcesHoldP(parts, margin);
      group.cracks_p = SignFlipP(lost);
      group.crack_test = CrackTest::kSignFlip;
      least = LeastSignFlipP(lost);
    }
    // Bounds and tests are not of one kind, and need not be monotone to the last digit: what the tests say about no
    // drop and about the margin counts.
    auto agree = [](bool below, double at, double& end) { end = below ? std::min(end, at) : std::max(end, at); };
    agree(group.holds_p <= level, margin, group.drop.upper);
    agree(group.cracks_p > level, 0.0, group.drop.lower);
    group.adjusted_cracks_p = group.cracks_p;
    group.adjusted_holds_p = group.holds_p;
    return least;
  };
  // `groups`: how many are judged together; planning figures take the level that Holm's first step would.
  auto decide = [&](int64_t groups, Judgement& group) {
    const double share = level / static_cast<double>(groups);
    // Planning enumerates the tables of single, independent answers.
    const bool planned = !group.clustered && !group.sampled() && !only_verdicts_;
    if (planned) group.detectable_drop = figures.DetectableDrop(group.counts, share);
    // No drop is larger than what the baseline passes.
    if (group.detectable_drop &&
        *group.detectable_drop * static_cast<double>(group.counts.n) > static_cast<double>(group.baseline_passed))
      group.detectable_drop.reset();
    if (group.adjusted_holds_p <= level && !group.weak_baseline) {
      group.downgraded = group.displacement.large() && group.counts.n < kSmallSample;
      group.verdict = group.downgraded ? Verdict::kCantTell : Verdict::kHolds;
      if (group.downgraded) group.examples_to_settle = kSmallSample;
    } else if (group.adjusted_cracks_p <= level) {
      group.verdict = Verdict::kCracks;
    } else if (!group.weak_baseline && planned && level == kLevel) {  // else the next look is planned
      group.examples_to_settle = figures.ToSettle(group.counts, comparison.margin, share);
    }
    Explain(comparison.margin, level, groups, group);
  };
  measure(all_sources, false, all);
  Admit(comparison, all);
  if (all.judged) decide(1, all);

  std::vector<Judgement*> judged;
  std::vector<double> cracks_p, least, holds_p;
  for (size_t i = 0; i < comparison.slices.size(); ++i) {
    Judgement& slice = comparison.slices[i];
    // A slice that is the whole has the verdict of the whole.
    const double smallest = measure(sources[i], comparison.slices.size() > 1, slice);
    Admit(comparison, slice);
    if (!slice.judged) continue;
    judged.push_back(&slice);
    cracks_p.push_back(slice.cracks_p);
    least.push_back(smallest);
    holds_p.push_back(slice.holds_p);
  }
  // Two families, one per claim: each keeps its own chance of any false claim at the level or below.
  const std::vector<double> adjusted_cracks_p = TaroneHolmAdjust(cracks_p, least);
  const std::vector<double> adjusted_holds_p = HolmAdjust(holds_p);
  const double share = comparison.slices.size() > 1 ? SliceShare(all.counts) : 1.0;
  for (size_t i = 0; i < judged.size(); ++i) {
    judged[i]->adjusted_cracks_p = std::min(1.0, adjusted_cracks_p[i] / share);
    // A slice holds only where the whole does: two families of claims would be false more often than one.
    judged[i]->adjusted_holds_p = std::max(adjusted_holds_p[i], all.holds_p);
    decide(static_cast<int64_t>(judged.size()), *judged[i]);
  }
}

}  // namespace assay
