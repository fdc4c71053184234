#pragma once
// The pieces of the HTML report. Each returns finished markup; all foreign text in it went through EscapeHtml.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/comparison.h"

namespace assay {

std::string_view ReportStyle();  // content of <style>
/// Content of <script>: filters, search, theme and moving between answers; the page is complete without it.
std::string_view ReportScript();

/// "holds", "cracks", "unsure" or "none": class names that carry a colour.
std::string_view VerdictClass(const Judgement& group, bool comparable);
/// Check mark, cross, question mark or dash, so that colour is never the only sign.
std::string_view VerdictMark(const Judgement& group, bool comparable);

/// Interval of the drop against zero and the margin, on a scale shared by all candidates.
struct DropScale {
  double low = 0, high = 0, margin = 0;  // points
};
DropScale ScaleOf(std::span<const Comparison> comparisons);
std::string DropStrip(const Judgement& group, bool comparable, const DropScale& scale);

/// Format, verdict, drop and cost of every arm, with a sentence for each candidate.
std::string VerdictsHtml(const CheckRecord& record, std::span<const Comparison> comparisons);

/// Slices by candidate; where something flipped the cell leads to the answers.
std::string SlicesHtml(std::span<const Comparison> comparisons);

/// Classes of failure, those first that a candidate has most of beyond the baseline: the order of the filter, too.
std::vector<std::string> FailureClasses(std::span<const Comparison> comparisons);
/// How often answers fail which way; the cells lead to them.
std::string FailuresHtml(std::span<const Comparison> comparisons);

/// Small multiples: size against an average (perplexity or KL), against passes, and against passes of the slice that
/// lost most.
std::string PlotsHtml(const CheckRecord& record, std::span<const Comparison> comparisons);

/// Filters, search, and every answer by example: the baseline's beside each different one, with those who gave it.
std::string AnswersHtml(const CheckRecord& record, std::span<const Comparison> comparisons);

/// The unlabelled prompts whose answers differ, side by side with what a person said of them; empty: there are none.
std::string UnlabelledHtml(const CheckRecord& record);

/// How the verdicts came about, folded: figures, remarks, rules, and what was run.
std::string MethodHtml(const CheckRecord& record, std::span<const Comparison> comparisons, std::string_view judged_by);

}  // namespace assay
