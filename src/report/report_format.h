#pragma once
// The files that a check can be shown in, by the endings of their names.

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "evidence/comparison.h"

namespace assay {

enum class ReportFormat { kHtml, kMarkdown, kJunit, kCsv, kJson };

/// ".html", ".md", ".xml", ".csv" or ".json". Throws Error{kInvalid} that begins with `flag` and lists them.
ReportFormat ReportFormatOf(const std::filesystem::path& name, std::string_view flag);

/// The whole file. `judged_by`: the build that judges a record of another day; empty: the record's own.
std::string RenderReport(ReportFormat format, const CheckRecord& record, std::span<const Comparison> comparisons,
                         std::string_view judged_by = {});

/// Whether a file that begins so is a report of any of these formats.
bool IsReport(std::string_view head);

}  // namespace assay
