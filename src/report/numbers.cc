#include "report/numbers.h"

#include <fmt/core.h>

#include <cmath>

#include "base/counted.h"
#include "base/strings.h"

namespace assay {

std::string PerplexityText(std::optional<double> value) {
  if (!value) return kDash;
  if (std::isnan(*value)) return "NaN";
  return fmt::format("{:.{}f}", *value, *value < 100 ? 2 : *value < 1000 ? 1 : 0);
}

std::string DivergenceText(std::optional<double> value) {
  if (!value) return kDash;
  if (std::isnan(*value)) return "NaN";
  return fmt::format("{:.{}f}", *value, *value < 0.1 ? 4 : *value < 1 ? 3 : 2);
}

std::string SpeedText(double tokens_per_s) {
  if (!(tokens_per_s > 0)) return kDash;
  return fmt::format("{:.{}f}", tokens_per_s, tokens_per_s < 100 ? 1 : 0);
}

std::string SizeText(uint64_t bytes) {
  return bytes ? FormatBytes(bytes) : kDash;
}

std::string BitsText(double bits) {
  return bits > 0 ? fmt::format("{:.2f}", bits) : kDash;
}

std::string PointsText(double share) {
  const double points = std::round(1000 * share) / 10;
  return points < 0 ? fmt::format("\xE2\x88\x92{:.1f}", -points) : fmt::format("{:.1f}", std::abs(points));
}

std::string ExamplesText(const RunRecord& run) {
  const std::string examples = Counted(run.example_count(), "example");
  if (run.header.samples == 1) return examples;
  return fmt::format("{} ({} \xC3\x97 {})", Counted(static_cast<int64_t>(run.examples.size()), "answer"), examples,
                     run.header.samples);
}

std::string VerdictText(const Judgement& group, bool comparable) {
  if (!comparable) return "not comparable";
  if (!group.judged) return "not judged";
  return std::string(VerdictName(group.verdict));
}

std::string VerdictText(const Comparison& comparison) {
  return VerdictText(comparison.all, comparison.comparable);
}

std::string FlipsText(const PairedCounts& counts) {
  std::string text;
  if (counts.regressions) text += fmt::format("\xE2\x88\x92{}", counts.regressions);
  if (counts.fixes) text += fmt::format("{}+{}", text.empty() ? "" : " ", counts.fixes);
  return text;
}

std::string SliceText(const Judgement& slice, bool comparable) {
  std::string text = fmt::format("{}/{}", slice.candidate_passed, slice.answers);
  if (const std::string flips = FlipsText(slice.counts); !flips.empty()) text += " " + flips;
  if (!comparable || !slice.judged || slice.verdict == Verdict::kCantTell) return text;
  return (slice.verdict == Verdict::kHolds ? "\xE2\x9C\x93 " : "\xE2\x9C\x97 ") + text;
}

std::string WhenText(std::string_view started) {
  // 2026-11-22T09:30:00Z
  if (started.size() != 20 || started[4] != '-' || started[10] != 'T' || started[16] != ':' || started[19] != 'Z')
    return std::string(started);
  return fmt::format("{} {} UTC", started.substr(0, 10), started.substr(11, 5));
}

std::string UnlabelledText(const Unlabelled& unlabelled) {
  std::string notions, left_out;
  for (const auto& [notion, count] : unlabelled.notions)
    notions += fmt::format("{}{} {}", notions.empty() ? " (compared as " : ", ", notion, count);
  if (!notions.empty()) notions += ")";
  if (unlabelled.labelled_too)
    left_out += fmt::format("; {} more are asked in the task itself", unlabelled.labelled_too);
  if (unlabelled.errors) left_out += fmt::format("; {} left out because a model had an error", unlabelled.errors);
  return unlabelled.summary + notions + left_out;
}

}  // namespace assay
