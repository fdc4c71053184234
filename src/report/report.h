#pragma once
// Views of a check: a table for the terminal, JSON for scripts, one offline HTML file for reading the evidence.

#include <span>
#include <string>

#include "base/json.h"
#include "evidence/comparison.h"

namespace assay {

inline constexpr int kReportVersion = 2;

struct TerminalOptions {
  int width = 120;     // columns; narrower drops the least needed columns
  bool color = false;  // ANSI colours of the verdicts
};

/// Verdict table, slices, what to do. `comparisons` as Judge(record) gives them. Ends with a newline.
std::string RenderTerminal(const CheckRecord& record, std::span<const Comparison> comparisons,
                           const TerminalOptions& options);

/// {"schema": "assay.check", "version": 1, …}. Member "verdicts" depends on nothing but the runs; times, speeds and
/// memory are in "cost".
Json RenderJson(const CheckRecord& record, std::span<const Comparison> comparisons);

/// One file without outside resources. Everything that came from a model or a task is escaped.
std::string RenderHtml(const CheckRecord& record, std::span<const Comparison> comparisons);
/// Whether a file that begins so is such a report.
bool IsReport(std::string_view head);

}  // namespace assay
