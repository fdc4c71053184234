#pragma once
// Views of a check: a table for the terminal, JSON for scripts, one offline HTML file for reading the evidence, JUnit
// XML for CI, Markdown for a pull request, CSV for a spreadsheet. `comparisons` as Judge(record) gives them.

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "evidence/comparison.h"

namespace assay {

inline constexpr int kReportVersion = 2;

struct TerminalOptions {
  int width = 120;     // columns; narrower drops the least needed columns
  bool color = false;  // ANSI colours of the verdicts
};

/// Verdict table, slices, what to do. Ends with a newline.
std::string RenderTerminal(const CheckRecord& record, std::span<const Comparison> comparisons,
                           const TerminalOptions& options);

/// {"schema": "assay.check", "version": 1, …}. Member "verdicts" depends on nothing but the runs; times, speeds and
/// memory are in "cost".
Json RenderJson(const CheckRecord& record, std::span<const Comparison> comparisons);

/// One file without outside resources. Everything that came from a model or a task is escaped. `judged_by`: as in
/// RenderReport.
std::string RenderHtml(const CheckRecord& record, std::span<const Comparison> comparisons,
                       std::string_view judged_by = {});
/// Whether a file that begins so is such a report.
bool IsHtmlReport(std::string_view head);

/// GitHub's Markdown: the sentence, a table of verdicts, slices, and what was lost, folded. No text of a model or a
/// task is markup in it, mentions somebody, or becomes a link. At most 60,000 bytes, since a comment holds 65,536
/// characters; what is left out is said.
std::string RenderMarkdown(const CheckRecord& record, std::span<const Comparison> comparisons,
                           std::string_view judged_by = {});
inline constexpr std::string_view kMarkdownHead = "<!-- assay report -->\n";

/// JUnit's XML: a suite for each candidate, with its verdict, its slices' and its examples as cases. It fails where the
/// verdict does: a candidate or slice that cracks is a failure and so are its lost examples, a candidate that cannot be
/// told (or compared) an error. Everything else that did not pass is skipped, with the reason.
std::string RenderJunit(const CheckRecord& record, std::span<const Comparison> comparisons,
                        std::string_view judged_by = {});
inline constexpr std::string_view kJunitHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- assay report -->\n";

/// A row for each answer of each arm (RFC 4180, UTF-8), the baseline's first. A text that a spreadsheet would take for
/// a formula has an apostrophe in front.
std::string RenderCsv(const CheckRecord& record, std::span<const Comparison> comparisons);
inline constexpr std::string_view kCsvHead =
    "arm,role,example,slice,sample,passed,outcome,failure,detail,finish,error,prompt_tokens,answer_tokens,mean_kl,"
    "same_top,answer\r\n";

}  // namespace assay
