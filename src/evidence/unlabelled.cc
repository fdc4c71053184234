#include "evidence/unlabelled.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "base/counted.h"
#include "base/hash.h"
#include "base/strings.h"
#include "evidence/comparison.h"
#include "statistics/bounded_mean.h"
#include "statistics/exact_paired.h"
#include "statistics/interval.h"
#include "statistics/paired.h"
#include "statistics/sign_flip.h"

namespace assay {
namespace {

using LabelKey = std::tuple<std::string, std::string, std::string>;  // id, hashes of the two answers
using Labels = std::map<LabelKey, const AnswerLabel*>;

Labels ByAnswers(const std::vector<AnswerLabel>& labels) {
  Labels by_answers;
  for (const AnswerLabel& label : labels)
    by_answers.emplace(LabelKey{label.id, label.baseline_hash, label.other_hash}, &label);
  return by_answers;
}

const AnswerLabel* Find(const Labels& labels, const ExampleResult& baseline, const ExampleResult& other) {
  const auto found = labels.find({baseline.id, HashHex(baseline.answer), HashHex(other.answer)});
  return found == labels.end() ? nullptr : found->second;
}

/// "calls" of "calls:3f…".
std::string NotionOf(const ExampleResult& result) {
  if (!result.pass || result.checks.empty()) return "no answer";
  return result.checks[0].detail.substr(0, result.checks[0].detail.find(':'));
}

/// The exact one-sided bound of the drop, rounded up to a tenth of a point: of hundreds of examples the digits behind
/// cost a second.
double MostDrop(const PairedCounts& counts, double level) {
  constexpr double kStep = 0.001;
  const double start = TangoInterval(counts, 1 - 2 * level).upper;
  auto excluded = [&](int64_t step) {
    const double drop = kStep * static_cast<double>(step);
    return drop >= 1 || (drop > -1 && ExactHoldsP(counts, drop) <= level);
  };
  auto step = static_cast<int64_t>(std::ceil(start / kStep));
  while (!excluded(step)) ++step;
  while (excluded(step - 1)) --step;
  return std::min(1.0, kStep * static_cast<double>(step));
}

/// Losses of examples and prompts by what is independent: a source (cluster), or an example that has none.
class Together {
 public:
  /// `holds`, `cracks`: what it lost in the reading that is worst for each claim.
  void Add(const std::string& cluster, int64_t holds, int64_t cracks) {
    holds_lost_ += holds > 0;
    holds_gained_ += holds < 0;
    cracks_lost_ += cracks > 0;
    cracks_gained_ += cracks < 0;
    ++n_;
    size_t place = holds_.size();
    if (!cluster.empty()) place = places_.try_emplace(cluster, place).first->second;
    shared_ |= place < holds_.size();
    if (place == holds_.size()) {
      holds_.push_back({});
      cracks_.push_back(0);
    }
    holds_[place].lost += holds;
    ++holds_[place].examples;
    cracks_[place] += cracks;
  }
  int64_t n() const { return n_; }
  bool shared() const { return shared_; }
  int64_t sources() const { return static_cast<int64_t>(holds_.size()); }
  /// Of which something was lost.
  int64_t LostSources() const {
    return std::count_if(holds_.begin(), holds_.end(), [](const SourceLoss& source) { return source.lost > 0; });
  }
  double HoldsP(double margin) const {
    return shared_ ? SourcesHoldP(holds_, margin) : ExactHoldsP({n_, holds_lost_, holds_gained_}, margin);
  }
  double CracksP() const { return shared_ ? SignFlipP(cracks_) : ExactCracksP({n_, cracks_lost_, cracks_gained_}); }
  /// From the least drop that the unknown answers leave possible to the largest.
  Interval Drop(double level) const {
    if (!shared_)
      return {-MostDrop({n_, cracks_gained_, cracks_lost_}, level), MostDrop({n_, holds_lost_, holds_gained_}, level)};
    std::vector<SourceLoss> least = holds_;
    for (size_t i = 0; i < least.size(); ++i) least[i].lost = cracks_[i];
    return {SourcesDropInterval(least, level).lower, SourcesDropInterval(holds_, level).upper};
  }

 private:
  int64_t n_ = 0, holds_lost_ = 0, holds_gained_ = 0, cracks_lost_ = 0, cracks_gained_ = 0;
  bool shared_ = false;
  std::unordered_map<std::string, size_t> places_;
  std::vector<SourceLoss> holds_;
  std::vector<int64_t> cracks_;
};

std::string Plural(int64_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

std::string LabelsText(const Unlabelled& found) {
  if (found.lost + found.gained + found.same_worth == 0) return "";
  std::string text =
      fmt::format("; labelled: {} lost, {} gained, {} no loss", found.lost, found.gained, found.same_worth);
  return found.unknown ? text + fmt::format(", {} not yet", found.unknown) : text;
}

/// "400 unlabelled prompts: 8 answers differ, so at most 3.6 points can be lost whatever a right answer is".
std::string Summary(const Unlabelled& found, bool too_many) {
  std::string text = fmt::format("{}: {}", Plural(found.prompts, "unlabelled prompt", "unlabelled prompts"),
                                 found.differing.empty() ? "no answer differs"
                                                         : Plural(static_cast<int64_t>(found.differing.size()),
                                                                  "answer differs", "answers differ"));
  if (too_many && 2 * found.unknown > found.prompts)
    return text + LabelsText(found) +
           ": most answers to such prompts are worded anew, which says nothing before they are labelled; the verdict "
           "is "
           "that of the task's examples alone";
  text += fmt::format(", so at most {:.1f} points can be lost whatever a right answer is", 100 * found.bound);
  text += LabelsText(found);
  if (too_many)
    text +=
        "; more answers than the margin surely differ, which says nothing before they are labelled: the verdict is "
        "that of the "
        "task's examples alone";
  return text;
}

/// What the examples and the prompts together say.
void Decide(const Together& together, Unlabelled& found, Comparison& comparison) {
  Judgement& all = comparison.all;
  const double margin = comparison.margin / 100, level = comparison.level;
  const Verdict alone = all.verdict;
  all.drop = together.Drop(level);
  // As for the examples alone: what the tests say about no drop and about the margin counts.
  all.drop.upper = found.holds_p <= level ? std::min(all.drop.upper, margin) : std::max(all.drop.upper, margin);
  if (found.cracks_p > level) all.drop.lower = std::min(all.drop.lower, 0.0);
  all.detectable_drop.reset();
  if (alone == Verdict::kCracks) return;  // never taken back
  all.examples_to_settle.reset();
  const std::string flips = fmt::format(
      "{} lost, {} gained{} of {} ({} and {})", all.counts.regressions + found.lost, all.counts.fixes + found.gained,
      found.unknown ? fmt::format(", {} of unknown worth", found.unknown) : "", found.examples,
      Counted(all.counts.n, "example"), Counted(found.prompts, "unlabelled prompt"));
  all.downgraded = false;
  if (found.holds_p <= level && !all.weak_baseline) {
    all.downgraded = all.displacement.large() && found.examples < kSmallSample;
    all.verdict = all.downgraded ? Verdict::kCantTell : Verdict::kHolds;
    all.reason = all.downgraded
                     ? fmt::format("{}, but the outputs moved as far as 2-bit quantization moves them", flips)
                     : fmt::format("{}: at most {:.1f} points worse, within the margin of {:g}", flips,
                                   std::max(0.0, 100 * all.drop.upper), comparison.margin);
  } else if (found.cracks_p <= kTogetherCracksShare * level) {
    all.verdict = Verdict::kCracks;
    all.reason = fmt::format("{}: a model that is no worse would lose so many in at most {:.2g}% of runs", flips,
                             100 * found.cracks_p);
  } else {
    all.verdict = Verdict::kCantTell;
    all.reason = all.weak_baseline ? fmt::format(
                                         "{}: the baseline itself passes only {} of the examples, too little "
                                         "to lose to show that it holds",
                                         flips, all.baseline_passed)
                                   : fmt::format("{}: {}", flips, DropText(all.drop));
    if (found.unknown)
      all.reason += fmt::format("; label the {}", found.unknown == 1 ? "answer that differs" : "answers that differ");
    if (alone == Verdict::kHolds) all.reason += " (the task's examples alone hold)";
  }
  found.decided = all.verdict != alone;
}

}  // namespace

bool SameAnswer(const ExampleResult& a, const ExampleResult& b) {
  // What has no reading is blank or no number: it fails every check.
  if (!a.pass || !b.pass) return a.pass == b.pass;
  return !a.checks.empty() && !b.checks.empty() && a.checks[0].detail == b.checks[0].detail;
}

void JudgeUnlabelled(const RunRecord& baseline, const RunRecord& candidate, const std::vector<AnswerLabel>& labels,
                     Comparison& comparison) {
  if (baseline.examples.empty() && candidate.examples.empty()) return;
  Unlabelled& found = comparison.unlabelled.emplace();
  found.file = baseline.header.task_name;
  const Comparison pairs = PairRuns(baseline, candidate, comparison.allow_difference);
  found.obstacles = pairs.obstacles;
  found.errors = static_cast<int64_t>(pairs.excluded.size());
  // A gain of one answer in eight would make up for an example that is lost whole.
  if (comparison.all.sampled())
    found.obstacles.emplace_back("examples are answered several times (--samples), prompts once");
  std::unordered_set<std::string> asked;
  Together together, prompts;
  for (const ExamplePair& pair : comparison.pairs) {
    if (pair.outcome == Outcome::kExcluded) continue;
    asked.insert(pair.baseline->prompt_hash);
    const int64_t lost = pair.outcome == Outcome::kRegression ? 1 : pair.outcome == Outcome::kFix ? -1 : 0;
    together.Add(pair.source, lost, lost);
  }
  const Labels given = ByAnswers(labels);
  std::map<std::string, int64_t> notions;
  for (const ExamplePair& pair : pairs.pairs) {
    if (pair.outcome == Outcome::kExcluded) continue;
    // Counted once: its outcome is known.
    if (asked.count(pair.baseline->prompt_hash)) {
      ++found.labelled_too;
      continue;
    }
    ++found.prompts;
    ++notions[NotionOf(*pair.baseline)];
    int64_t holds = 0, cracks = 0;
    const bool differs = !SameAnswer(*pair.baseline, *pair.candidate);
    if (differs) {
      found.differing.push_back(pair.id);
      const AnswerLabel* label = Find(given, *pair.baseline, *pair.candidate);
      if (!label) {
        ++found.unknown;
        holds = 1;
        cracks = -1;
      } else if (label->right == "baseline") {
        ++found.lost;
        holds = cracks = 1;
      } else if (label->right == "candidate") {
        ++found.gained;
        holds = cracks = -1;
      } else {
        ++found.same_worth;
      }
    }
    together.Add(pair.source, holds, cracks);
    prompts.Add(pair.source, differs, 0);
  }
  found.notions.assign(notions.begin(), notions.end());
  std::stable_sort(found.notions.begin(), found.notions.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (!found.obstacles.empty() || found.prompts == 0) {
    found.summary = found.obstacles.empty()
                        ? "no unlabelled prompt is left: the task asks all of them, or they ended in errors"
                        : "the unlabelled prompts do not count: " + Join(found.obstacles, "; ");
    return;
  }
  const double level = comparison.level;
  found.bound = ClopperPearson(prompts.LostSources(), prompts.sources(), 1 - 2 * level).upper;
  // Where more answers than the margin surely differ, labels alone can tell. Leaving it to the examples then costs no
  // error: were so many of unknown worth, the two together could hardly have held.
  const bool too_many = 2 * found.unknown > found.prompts ||
                        100 * ClopperPearson(found.unknown, found.prompts, 1 - 2 * level).lower > comparison.margin;
  found.summary = Summary(found, too_many);
  found.examples = together.n();
  found.holds_p = together.HoldsP(comparison.margin / 100);
  found.cracks_p = together.CracksP();
  found.used = !too_many && comparison.comparable && comparison.all.judged;
  if (found.used) Decide(together, found, comparison);
}

std::vector<DifferingPrompt> DifferingPrompts(const CheckRecord& record, const std::vector<ExampleText>& prompts) {
  const Labels given = ByAnswers(record.labels);
  std::unordered_map<std::string, const ExampleText*> texts;
  for (const ExampleText& prompt : prompts) texts.emplace(prompt.id, &prompt);
  std::vector<std::unordered_map<std::string, const ExampleResult*>> arms;
  for (const Arm& arm : record.candidates) {
    auto& by_id = arms.emplace_back();
    for (const ExampleResult& result : arm.unlabelled.examples) by_id.emplace(result.id, &result);
  }
  // What is right of those that the task asks is known.
  std::unordered_set<std::string_view> asked;
  for (const ExampleResult& result : record.baseline.run.examples)
    if (!result.prompt_hash.empty()) asked.insert(result.prompt_hash);
  std::vector<DifferingPrompt> out;
  for (const ExampleResult& baseline : record.baseline.unlabelled.examples) {
    if (!baseline.error.empty() || asked.contains(baseline.prompt_hash)) continue;
    DifferingPrompt differing{baseline.id, {}, {baseline.answer, record.baseline.model().format}, {}};
    for (size_t i = 0; i < arms.size(); ++i) {
      const auto found = arms[i].find(baseline.id);
      if (found == arms[i].end() || !found->second->error.empty()) continue;
      const ExampleResult& other = *found->second;
      if (SameAnswer(baseline, other)) continue;
      auto same = std::find_if(differing.answers.begin(), differing.answers.end(),
                               [&](const OtherAnswer& answer) { return answer.answer == other.answer; });
      if (same == differing.answers.end()) {
        const AnswerLabel* label = Find(given, baseline, other);
        same = differing.answers.insert(same, {other.answer, {}, label ? label->right : ""});
      }
      same->from.push_back(record.candidates[i].model().format);
    }
    if (differing.answers.empty()) continue;
    if (const auto text = texts.find(baseline.id); text != texts.end()) differing.prompt = text->second->prompt;
    out.push_back(std::move(differing));
  }
  return out;
}

std::vector<std::string> StaleLabels(const CheckRecord& record) {
  std::set<LabelKey> there;
  for (const DifferingPrompt& prompt : DifferingPrompts(record, {}))
    for (const OtherAnswer& answer : prompt.answers)
      there.insert({prompt.id, HashHex(prompt.draft.answer), HashHex(answer.answer)});
  std::vector<std::string> stale;
  for (const AnswerLabel& label : record.labels)
    if (!there.count({label.id, label.baseline_hash, label.other_hash})) stale.push_back(label.id);
  return stale;
}

}  // namespace assay
