#pragma once
// The pieces of the HTML report. Each returns finished markup; all foreign text in it went through EscapeHtml.

#include <span>
#include <string>
#include <string_view>

#include "evidence/comparison.h"

namespace assay {

std::string_view ReportStyle();  // content of <style>
std::string_view
ReportScript();  // content of <script>: filters, theme and moving between pairs; the page is complete without it

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

/// Small multiples: size against an average (perplexity or KL), against passes, and against passes of the slice that
/// lost most.
std::string PlotsHtml(const CheckRecord& record, std::span<const Comparison> comparisons);

/// Filters and every pair whose answers or outcomes differ, by example.
std::string PairsHtml(const CheckRecord& record, std::span<const Comparison> comparisons);

/// The unlabelled prompts whose answers differ, side by side with what a person said of them; empty: there are none.
std::string UnlabelledHtml(const CheckRecord& record);

}  // namespace assay
