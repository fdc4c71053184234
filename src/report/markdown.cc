#include <fmt/core.h>

#include <algorithm>

#include "base/counted.h"
#include "base/error.h"
#include "base/strings.h"
#include "evidence/advice.h"
#include "report/escape.h"
#include "report/headline.h"
#include "report/numbers.h"
#include "report/report.h"

namespace assay {
namespace {

constexpr size_t kMost = 60'000;    // bytes of the whole
constexpr size_t kMostWords = 300;  // bytes of a text in a cell

std::string Row(const std::vector<std::string>& cells) {
  return "| " + Join(cells, " | ") + " |\n";
}

std::string FailureText(const ExampleResult& result) {
  for (const CheckResult& check : result.checks)
    if (!check.pass) return check.failure + (check.detail.empty() ? "" : ": " + check.detail);
  return result.failure();
}

std::string VerdictRows(const CheckRecord& record, std::span<const Comparison> comparisons) {
  std::string out =
      Row({"format", "verdict", "passed", "lost", "gained", "size", "why"}) + "|---|---|--:|--:|--:|--:|---|\n";
  int64_t passed = 0;
  for (const ExampleResult& result : record.baseline.run.examples) passed += result.pass;
  out += Row({MarkdownText(record.baseline.model().format), "baseline",
              fmt::format("{}/{}", passed, record.baseline.run.examples.size()), "", "",
              SizeText(record.baseline.model().file_bytes), ""});
  for (size_t i = 0; i < comparisons.size(); ++i) {
    const Comparison& comparison = comparisons[i];
    const Judgement& all = comparison.all;
    const std::string verdict = VerdictText(comparison);
    const char* mark = verdict == "holds" ? "\xE2\x9C\x85 " : verdict == "cracks" ? "\xE2\x9D\x8C " : "";
    out += Row(
        {MarkdownText(comparison.candidate), mark + verdict, fmt::format("{}/{}", all.candidate_passed, all.answers),
         std::to_string(all.counts.regressions), std::to_string(all.counts.fixes),
         SizeText(record.candidates[i].model().file_bytes),
         MarkdownText(Shortened(comparison.comparable ? all.reason : Join(comparison.obstacles, "; "), kMostWords))});
  }
  return out;
}

std::string SliceRows(std::span<const Comparison> comparisons) {
  if (comparisons.empty() || comparisons[0].slices.size() < 2) return {};
  std::vector<std::string> head = {"slice", MarkdownText(comparisons[0].baseline)};
  std::string rule = "|---|--:|";
  for (const Comparison& comparison : comparisons) {
    head.push_back(MarkdownText(comparison.candidate));
    rule += "---|";
  }
  std::string out = "\n<details><summary>By slice</summary>\n\n" + Row(head) + rule + "\n";
  for (const Judgement& first : comparisons[0].slices) {
    std::vector<std::string> row = {MarkdownText(first.name.empty() ? "(no slice)" : first.name),
                                    fmt::format("{}/{}", first.baseline_passed, first.answers)};
    for (const Comparison& comparison : comparisons) {
      const auto slice = std::find_if(comparison.slices.begin(), comparison.slices.end(),
                                      [&](const Judgement& group) { return group.name == first.name; });
      row.push_back(slice == comparison.slices.end() ? "" : SliceText(*slice, comparison.comparable));
    }
    out += Row(row);
  }
  return out + "\n" + std::string(kSliceLegend) + "\n</details>\n";
}

/// What was lost, as far as `room` bytes go.
std::string LostRows(std::span<const Comparison> comparisons, size_t room) {
  int64_t total = 0, shown = 0;
  std::string rows;
  bool full = false;
  for (const Comparison& comparison : comparisons)
    for (const ExamplePair& pair : comparison.pairs) {
      if (pair.outcome != Outcome::kRegression) continue;
      ++total;
      const std::string row = Row({MarkdownText(comparison.candidate), MarkdownText(Shortened(pair.slice, kMostWords)),
                                   MarkdownText(Shortened(pair.id, kMostWords)),
                                   MarkdownText(Shortened(FailureText(*pair.candidate), kMostWords))});
      full |= rows.size() + row.size() + 200 > room;
      if (full) continue;
      rows += row;
      ++shown;
    }
  if (total == 0) return {};
  std::string out = fmt::format("\n<details><summary>{} lost</summary>\n\n", Counted(total, "answer"));
  out += Row({"format", "slice", "example", "why"}) + "|---|---|---|---|\n" + rows;
  if (shown < total) out += fmt::format("\nThe first {} of {} are shown; the others are in the data.\n", shown, total);
  return out + "\n</details>\n";
}

}  // namespace

std::string RenderMarkdown(const CheckRecord& record, std::span<const Comparison> comparisons,
                           std::string_view judged_by) {
  ASSAY_CHECK(record.candidates.size() == comparisons.size());
  std::string out(kMarkdownHead);
  out += "**" + MarkdownText(Headline(record, comparisons)) + "**\n\n";
  out += MarkdownText(Shortened(Advice(record, comparisons), 4000)) + "\n\n";
  if (!comparisons.empty()) {
    out += fmt::format("Model {}, task {}: {}, margin {:g} points.\n\n",
                       MarkdownText(Shortened(record.baseline.model().name, kMostWords)),
                       MarkdownText(Shortened(record.task_name, kMostWords)), ExamplesText(record.baseline.run),
                       comparisons[0].margin);
    out += VerdictRows(record, comparisons);
  }
  const std::vector<std::string> steps = NextSteps(record, comparisons);
  if (!steps.empty()) out += "\nWhat to do next:\n\n";
  for (const std::string& step : steps) out += "- " + MarkdownText(Shortened(step, 1000)) + "\n";
  out += SliceRows(comparisons);
  std::string end = "\nMeasured " + MarkdownText(Shortened(WhenText(record.started), kMostWords)) + " on " +
                    MarkdownText(Shortened(record.machine, kMostWords)) + " by " +
                    MarkdownText(Shortened(record.build, kMostWords));
  if (!judged_by.empty()) end += ", judged again by " + MarkdownText(Shortened(judged_by, kMostWords));
  end += ".\n";
  out += LostRows(comparisons, kMost - std::min(kMost, out.size() + end.size()));
  if (out.size() + end.size() > kMost) {
    // Hundreds of candidates, or names without end: a table cut in the middle is worse than none.
    out = std::string(kMarkdownHead) + "**" + MarkdownText(Shortened(Headline(record, comparisons), 4000)) + "**\n\n" +
          fmt::format("The tables of {} are too long for a comment: they are in the other reports and the data.\n",
                      Counted(std::ssize(comparisons), "candidate"));
  }
  return out + end;
}

}  // namespace assay
