#include "evidence/advice.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "base/counted.h"
#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

bool Cracks(const Judgement& group) {
  return group.judged && group.verdict == Verdict::kCracks;
}

std::vector<std::string> CrackedSlices(const Comparison& comparison) {
  std::vector<std::string> names;
  if (comparison.slices.size() < 2) return names;  // the slice is the whole
  for (const Judgement& slice : comparison.slices)
    if (Cracks(slice)) names.push_back(slice.name);
  return names;
}

bool Passes(const Comparison& comparison) {
  return comparison.comparable && comparison.all.verdict == Verdict::kHolds &&
         std::none_of(comparison.slices.begin(), comparison.slices.end(), Cracks);
}

std::string Flips(const Judgement& group) {
  std::string text = fmt::format("{} lost, {} gained{} of {}", group.counts.regressions, group.counts.fixes,
                                 group.sampled() ? " on balance" : "", group.counts.n);
  if (group.sampled()) text += fmt::format(" \xC3\x97 {}", group.answers / group.counts.n);
  return text;
}

/// ": 3 lost, 1 gained, 4 without a label", as far as anybody has labelled them.
std::string Labelled(const Unlabelled& prompts) {
  std::string text;
  auto add = [&](int64_t n, std::string_view what) {
    if (n > 0) text += fmt::format("{}{} {}", text.empty() ? ": " : ", ", n, what);
  };
  add(prompts.lost, "lost");
  add(prompts.gained, "gained");
  add(prompts.same_worth, "worth the same");
  if (!text.empty()) add(prompts.unknown, "without a label");
  return text;
}

/// The same of the whole, with the unlabelled prompts where they count.
std::string Flips(const Comparison& comparison) {
  std::string text = Flips(comparison.all);
  if (const std::optional<Unlabelled>& prompts = comparison.unlabelled; prompts && prompts->used)
    text += fmt::format("; {} of {} differ{}", prompts->differing.size(),
                        Counted(prompts->prompts, "unlabelled answer"), Labelled(*prompts));
  return text;
}

/// " (5.1 MiB, 31% of bf16)", or nothing when sizes are unknown.
std::string Size(const ModelIdentity& model, const ModelIdentity& baseline) {
  if (!model.file_bytes || !baseline.file_bytes) return "";
  return fmt::format(" ({}, {:.0f}% of {})", FormatBytes(model.file_bytes),
                     100.0 * static_cast<double>(model.file_bytes) / static_cast<double>(baseline.file_bytes),
                     baseline.format);
}

/// What the least known slice may hide: "; with 10 examples, tools may still be 26 points down".
std::string WorstSlice(const Comparison& comparison) {
  const Judgement* worst = nullptr;
  if (comparison.slices.size() < 2) return "";
  for (const Judgement& slice : comparison.slices)
    if (slice.judged && (!worst || slice.drop.upper > worst->drop.upper)) worst = &slice;
  if (!worst || 100 * worst->drop.upper <= comparison.margin) return "";
  return fmt::format("; with {}, {} may still be {:.0f} points down",
                     Counted(worst->sources, worst->clustered ? "source" : "example"), worst->name,
                     100 * worst->drop.upper);
}

std::string Names(std::span<const Comparison> comparisons, std::span<const size_t> which) {
  std::vector<std::string> names;
  for (size_t i : which) names.push_back(comparisons[i].candidate);
  return Join(names, ", ");
}

/// Words for the walk's direction: sizes are named only where they lead it.
struct Way {
  const char *first, *all_before, *after, *from;
};
Way WayOf(const CheckRecord& record) {
  const bool sizes = !record.as_given && std::all_of(record.candidates.begin(), record.candidates.end(),
                                                     [](const Arm& arm) { return arm.model().file_bytes > 0; });
  return sizes ? Way{"the largest", "it and everything larger hold", "smaller", "From the largest down"}
               : Way{"the first", "it and all before it hold", "after it", "In the order given"};
}

std::string WhatHolds(const CheckRecord& record, std::span<const Comparison> comparisons, const Walk& walk) {
  const Comparison& comparison = comparisons[*walk.recommended()];
  const ModelIdentity &model = record.candidates[*walk.recommended()].model(), &baseline = record.baseline.model();
  std::string text;
  const bool none_smaller =
      std::none_of(walk.order.begin(), walk.order.begin() + static_cast<std::ptrdiff_t>(walk.held),
                   [&](size_t i) { return record.candidates[i].model().file_bytes < baseline.file_bytes; });
  if (none_smaller && baseline.file_bytes > 0)
    text = fmt::format("Keep {}: nothing smaller is shown to hold within {:g} points; {}{} holds ({})", baseline.format,
                       comparison.margin, comparison.candidate, Size(model, baseline), Flips(comparison));
  else
    text = fmt::format("Ship {}{}: {} within {:g} points ({})", comparison.candidate, Size(model, baseline),
                       walk.held > 1 ? WayOf(record).all_before : "it holds", comparison.margin, Flips(comparison));
  return text + WorstSlice(comparison) + ".";
}

std::string WhenNothingHolds(const CheckRecord& record, std::span<const Comparison> comparisons, const Walk& walk) {
  const auto first =
      std::find_if(walk.order.begin(), walk.order.end(), [&](size_t i) { return comparisons[i].comparable; });
  if (first == walk.order.end()) return "No candidate can be compared with the baseline; see the reasons.";
  const Way way = WayOf(record);
  if (first != walk.order.begin())
    return fmt::format("Nothing is recommended: {}, {}, cannot be compared with the baseline; see the reasons.",
                       comparisons[walk.order[0]].candidate, way.first);
  const Comparison *largest = &comparisons[*first], *nearest = nullptr;
  bool all_crack = true, weak = true;
  for (const Comparison& comparison : comparisons) {
    const Judgement& all = comparison.all;
    if (!comparison.comparable || !all.judged) continue;
    all_crack = all_crack && all.verdict == Verdict::kCracks;
    weak = weak && all.weak_baseline;
    if (all.examples_to_settle && (!nearest || *all.examples_to_settle < *nearest->all.examples_to_settle))
      nearest = &comparison;
  }
  if (all_crack)
    return fmt::format("Do not ship any of these for this task: {}, {}, cracks ({}). Try a larger format.", way.first,
                       largest->candidate, Flips(*largest));
  if (weak)
    return "The baseline itself fails most of this task, so there is too little to lose to show that anything holds: "
           "easier examples or a better model come first.";
  if (largest->all.verdict == Verdict::kHolds)
    return fmt::format("No format is recommended: {} holds on average only.", largest->candidate);
  std::string text =
      fmt::format("Nothing is recommended: {}, {}, {} within {:g} points ({}).", largest->candidate, way.first,
                  largest->all.verdict == Verdict::kCracks ? "does not hold" : "is not shown to hold", largest->margin,
                  Flips(*largest));
  if (nearest)
    text += fmt::format(" Nearest to an answer is {} ({}): about {} examples would settle it.", nearest->candidate,
                        Flips(*nearest), *nearest->all.examples_to_settle);
  return text;
}

/// "tools cracks (6 lost, 0 gained of 10)".
std::string SliceCracks(const Comparison& comparison) {
  std::vector<std::string> parts;
  for (const Judgement& slice : comparison.slices)
    if (Cracks(slice)) parts.push_back(fmt::format("{} ({})", slice.name, Flips(slice)));
  return Join(parts, ", ");
}

}  // namespace

Walk WalkDown(const CheckRecord& record, std::span<const Comparison> comparisons) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  Walk walk;
  walk.order.resize(comparisons.size());
  std::iota(walk.order.begin(), walk.order.end(), size_t{0});
  if (!record.as_given)
    std::stable_sort(walk.order.begin(), walk.order.end(), [&](size_t a, size_t b) {
      return record.candidates[a].model().file_bytes > record.candidates[b].model().file_bytes;
    });
  while (walk.held < walk.order.size() && Passes(comparisons[walk.order[walk.held]])) ++walk.held;
  return walk;
}

std::string Advice(const CheckRecord& record, std::span<const Comparison> comparisons) {
  if (comparisons.empty()) return "There is no candidate to judge.";
  const Walk walk = WalkDown(record, comparisons);
  std::vector<std::string> sentences;
  // A slice that cracks where the whole does not is what an average hides.
  for (size_t i : walk.order) {
    const Comparison& comparison = comparisons[i];
    if (comparison.comparable && !Cracks(comparison.all) && !CrackedSlices(comparison).empty())
      sentences.push_back(fmt::format("{} cracks in {}, though {} on average.", comparison.candidate,
                                      SliceCracks(comparison),
                                      comparison.all.verdict == Verdict::kHolds ? "it holds" : "nothing is shown"));
  }
  std::string main =
      walk.recommended() ? WhatHolds(record, comparisons, walk) : WhenNothingHolds(record, comparisons, walk);
  // Nobody ships less than what is recommended: its own words come first.
  sentences.insert(walk.recommended() ? sentences.begin() : sentences.end(), std::move(main));
  if (walk.held < walk.order.size()) {
    std::vector<size_t> unreached;
    for (size_t k = walk.held + 1; k < walk.order.size(); ++k)
      if (Passes(comparisons[walk.order[k]])) unreached.push_back(walk.order[k]);
    if (!unreached.empty())
      sentences.push_back(fmt::format("{}, {} is the first that {}: {}, {}, {} and {} not recommended.",
                                      WayOf(record).from, comparisons[walk.order[walk.held]].candidate,
                                      comparisons[walk.order[walk.held]].comparable ? "does not" : "cannot be compared",
                                      Names(comparisons, unreached), WayOf(record).after,
                                      unreached.size() == 1 ? "holds on its own" : "hold on their own",
                                      unreached.size() == 1 ? "is" : "are"));
  }
  return Join(sentences, " ");
}

}  // namespace assay
