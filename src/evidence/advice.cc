#include "evidence/advice.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

std::vector<std::string> CrackedSlices(const Comparison& comparison) {
  std::vector<std::string> names;
  for (const Judgement& slice : comparison.slices)
    if (slice.judged && slice.verdict == Verdict::kCracks) names.push_back(slice.name);
  return names;
}

std::string Flips(const Judgement& all) {
  return fmt::format("{} lost, {} gained of {}", all.counts.regressions, all.counts.fixes, all.counts.n);
}

/// " (5.1 MiB, 31% of bf16)", or nothing when sizes are unknown.
std::string Size(const ModelIdentity& model, const ModelIdentity& baseline) {
  if (!model.file_bytes || !baseline.file_bytes) return "";
  return fmt::format(" ({}, {:.0f}% of {})", FormatBytes(model.file_bytes),
                     100.0 * static_cast<double>(model.file_bytes) / static_cast<double>(baseline.file_bytes),
                     baseline.format);
}

std::string AdviceWhenNothingHolds(std::span<const Comparison> comparisons) {
  const Comparison *nearest = nullptr, *best = nullptr;
  bool any_comparable = false, weak_baseline = false, holds_overall = false;
  for (const Comparison& comparison : comparisons) {
    any_comparable |= comparison.comparable;
    if (!comparison.comparable) continue;
    if (!comparison.all.judged) {
      weak_baseline = true;
      continue;
    }
    const Judgement& all = comparison.all;
    holds_overall |= all.verdict == Verdict::kHolds;
    if (all.examples_to_settle && (!nearest || *all.examples_to_settle < *nearest->all.examples_to_settle))
      nearest = &comparison;
    if (!best || all.counts.drop() < best->all.counts.drop()) best = &comparison;
  }
  if (!any_comparable) return "No candidate can be compared with the baseline; see the reasons.";
  if (holds_overall) return "No format here holds in every slice.";
  if (nearest) {
    return fmt::format(
        "Nothing here is shown to hold within {:g} points yet. Nearest to an answer is {} ({}): about {} examples "
        "would settle it.",
        nearest->margin, nearest->candidate, Flips(nearest->all), *nearest->all.examples_to_settle);
  }
  if (best && best->all.verdict == Verdict::kCracks) {
    return fmt::format("Do not ship any of these for this task: the best, {}, still cracks ({}). Try a larger format.",
                       best->candidate, Flips(best->all));
  }
  if (weak_baseline)
    return "The baseline itself fails most of this task, so there is nothing to lose: easier examples or a better "
           "model come first.";
  return "Nothing here is shown to hold, and no practical number of examples would settle it.";
}

}  // namespace

std::optional<size_t> Recommended(const CheckRecord& record, std::span<const Comparison> comparisons) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  std::optional<size_t> best;
  for (size_t i = 0; i < comparisons.size(); ++i) {
    if (!comparisons[i].comparable || comparisons[i].all.verdict != Verdict::kHolds ||
        !CrackedSlices(comparisons[i]).empty())
      continue;
    if (!best || record.candidates[i].model().file_bytes < record.candidates[*best].model().file_bytes) best = i;
  }
  return best;
}

std::string Advice(const CheckRecord& record, std::span<const Comparison> comparisons) {
  if (comparisons.empty()) return "There is no candidate to judge.";
  std::string advice;
  if (std::optional<size_t> best = Recommended(record, comparisons)) {
    const Comparison& comparison = comparisons[*best];
    const ModelIdentity &model = record.candidates[*best].model(), &baseline = record.baseline.model();
    if (model.file_bytes >= baseline.file_bytes && baseline.file_bytes > 0) {
      advice =
          fmt::format("Keep {}: nothing smaller is shown to hold within {:g} points; {}{} holds ({}).", baseline.format,
                      comparison.margin, comparison.candidate, Size(model, baseline), Flips(comparison.all));
    } else {
      advice =
          fmt::format("Ship {}{}: {} that holds within {:g} points ({}).", comparison.candidate, Size(model, baseline),
                      comparisons.size() > 1 ? "the smallest" : "a format", comparison.margin, Flips(comparison.all));
    }
  } else {
    advice = AdviceWhenNothingHolds(comparisons);
  }
  for (const Comparison& comparison : comparisons) {
    if (!comparison.comparable || comparison.all.verdict == Verdict::kCracks) continue;
    std::vector<std::string> cracked = CrackedSlices(comparison);
    if (!cracked.empty())
      advice += fmt::format(" {} cracks in {}, though {} overall.", comparison.candidate, Join(cracked, ", "),
                            comparison.all.verdict == Verdict::kHolds ? "it holds" : "nothing is shown");
  }
  return advice;
}

}  // namespace assay
