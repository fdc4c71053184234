#include "report/headline.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/counted.h"
#include "base/strings.h"
#include "evidence/advice.h"

namespace assay {
namespace {

std::vector<std::string> CrackedSlices(const Comparison& comparison) {
  std::vector<std::string> names;
  for (const Judgement& slice : comparison.slices)
    if (slice.judged && slice.verdict == Verdict::kCracks) names.push_back(slice.name);
  return names;
}

std::string Kept(const Comparison& comparison) {
  const Judgement& all = comparison.all;
  const int64_t lost = all.counts.regressions, gained = all.counts.fixes;
  if (lost == 0 && !all.sampled() && all.baseline_passed > 0)
    return all.baseline_passed == 1
               ? "the one answer that was right is not lost"
               : fmt::format("none of the {} answers that were right is lost", all.baseline_passed);
  return fmt::format("it loses {} of {}{} and gains {}, within the margin of {:g} points",
                     lost == 0 ? "none" : std::to_string(lost), Counted(all.counts.n, "example"),
                     all.sampled() ? " on balance" : "", gained == 0 ? "none" : std::to_string(gained),
                     comparison.margin);
}

std::string WhatToShip(const CheckRecord& record, const Comparison& comparison, const Arm& arm) {
  const ModelIdentity &model = arm.model(), &baseline = record.baseline.model();
  if (!model.file_bytes || !baseline.file_bytes)
    return fmt::format("Ship {}: {}.", comparison.candidate, Kept(comparison));
  if (model.file_bytes >= baseline.file_bytes)
    return fmt::format("Keep {}: nothing smaller is shown to do the same.", baseline.format);
  return fmt::format("Ship {}: {:.0f}% of the size of {}, and {}.", comparison.candidate,
                     100.0 * static_cast<double>(model.file_bytes) / static_cast<double>(baseline.file_bytes),
                     baseline.format, Kept(comparison));
}

/// The baseline's most frequent class of failure and how often it came; "": it fails nothing.
std::pair<std::string, int64_t> MostFailed(const RunRecord& run) {
  std::map<std::string, int64_t> counts;
  for (const ExampleResult& result : run.examples)
    if (!result.pass && result.error.empty()) ++counts[result.failure()];
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == counts.end()) return {};
  return *most;
}

bool AllCrack(std::span<const Comparison> comparisons) {
  return std::all_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) {
    return c.comparable && c.all.judged && c.all.verdict == Verdict::kCracks;
  });
}

bool WeakBaseline(std::span<const Comparison> comparisons) {
  bool any = false;
  for (const Comparison& c : comparisons) {
    if (!c.comparable || !c.all.judged) continue;
    if (!c.all.weak_baseline) return false;
    any = true;
  }
  return any;
}

}  // namespace

std::string Headline(const CheckRecord& record, std::span<const Comparison> comparisons) {
  if (comparisons.empty()) return "There is no candidate to judge.";
  const Walk walk = WalkDown(record, comparisons);
  const std::string& baseline = record.baseline.model().format;
  if (const auto ship = walk.recommended()) return WhatToShip(record, comparisons[*ship], record.candidates[*ship]);
  if (std::none_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) { return c.comparable; }))
    return fmt::format("Nothing can be said: no candidate can be compared with {}.", baseline);
  if (AllCrack(comparisons))
    return comparisons.size() == 1
               ? fmt::format("Do not ship {}: it loses answers that {} gets right.", comparisons[0].candidate, baseline)
               : fmt::format("Do not ship any of these: every one loses answers that {} gets right.", baseline);
  if (WeakBaseline(comparisons))
    return fmt::format("Nothing can be said yet: {} itself fails most of this task.", baseline);
  const Comparison& first = comparisons[walk.order[0]];
  if (!first.comparable)
    return fmt::format("Nothing is recommended: {} cannot be compared with {}.", first.candidate, baseline);
  if (first.all.verdict == Verdict::kCracks)
    return fmt::format("Nothing is recommended: {} loses answers that {} gets right.", first.candidate, baseline);
  if (const std::vector<std::string> slices = CrackedSlices(first); !slices.empty())
    return fmt::format("Do not ship {}: it loses answers of the slice{} {}.", first.candidate,
                       slices.size() == 1 ? "" : "s", Join(slices, ", "));
  if (first.all.downgraded)
    return fmt::format("Not known yet: {} answers differently enough that {} cannot show it does the same.",
                       first.candidate, Counted(first.all.counts.n, "example"));
  return fmt::format("Not known yet: {} cannot show whether {} does the same as {}.",
                     Counted(first.all.counts.n, "example"), first.candidate, baseline);
}

std::vector<std::string> NextSteps(const CheckRecord& record, std::span<const Comparison> comparisons) {
  std::vector<std::string> steps;
  if (comparisons.empty() || WalkDown(record, comparisons).recommended()) return steps;
  for (const Comparison& c : comparisons)
    if (!c.comparable && !c.obstacles.empty())
      steps.push_back(fmt::format("Make {} comparable: {}{}.", c.candidate, c.obstacles[0],
                                  c.obstacles.size() > 1 ? fmt::format(" (and {} more)", c.obstacles.size() - 1) : ""));
  const RunRecord& run = record.baseline.run;
  if (WeakBaseline(comparisons)) {
    const auto [failure, count] = MostFailed(run);
    const auto failed = std::count_if(run.examples.begin(), run.examples.end(),
                                      [](const ExampleResult& e) { return !e.pass && e.error.empty(); });
    steps.push_back(
        fmt::format("Look at what {} fails, {} of {} answers{}: the checks may be too strict, or the model does not do "
                    "this task. Correct one or the other, then check again.",
                    run.header.model.format, failed, run.examples.size(),
                    failure.empty() ? "" : fmt::format(", most often as \"{}\" ({})", failure, count)));
    return steps;
  }
  double most_bits = 0;
  int64_t lost = 0;
  bool cracks = false;
  const Comparison* nearest = nullptr;
  for (size_t i = 0; i < comparisons.size(); ++i) {
    const Comparison& c = comparisons[i];
    most_bits = std::max(most_bits, record.candidates[i].model().bits_per_weight);
    if (!c.comparable || !c.all.judged) continue;
    lost = std::max(lost, c.all.counts.regressions);
    cracks |= c.all.verdict == Verdict::kCracks || !CrackedSlices(c).empty();
    if (c.all.verdict == Verdict::kCantTell && c.all.examples_to_settle &&
        (!nearest || *c.all.examples_to_settle < *nearest->all.examples_to_settle))
      nearest = &c;
  }
  if (cracks)
    steps.push_back(most_bits > 0 ? fmt::format("Try a larger format: more than {:.3g} bits per weight (`assay "
                                                "formats` lists them).",
                                                most_bits)
                                  : "Try a larger format (`assay formats` lists them).");
  if (nearest)
    steps.push_back(
        fmt::format("Add examples of the same kind: about {} would settle {}. Ask the new ones alone, or plan "
                    "looks beforehand (docs/tasks.md): every further look at the same ones is one more "
                    "chance of a false verdict.",
                    *nearest->all.examples_to_settle, nearest->candidate));
  else if (!cracks &&
           std::any_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) { return c.comparable; }))
    steps.push_back("Add examples of the same kind: more than twice as many as there are.");
  if (!steps.empty() && record.baseline.unlabelled.examples.empty() && !cracks && run.header.samples == 1)
    steps.push_back("Prompts without right answers help, too: --unlabelled takes them (docs/tasks.md).");
  if (lost > 0)
    steps.push_back(
        "Read the lost answers: where one is right in your eyes, its check is too strict. Mend the task and "
        "check again.");
  return steps;
}

}  // namespace assay
