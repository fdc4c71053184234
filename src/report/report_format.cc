#include "report/report_format.h"

#include "base/error.h"
#include "base/strings.h"
#include "report/report.h"

namespace assay {
namespace {

struct Row {
  ReportFormat format;
  std::string_view ending;
};
constexpr Row kRows[] = {{ReportFormat::kHtml, ".html"},
                         {ReportFormat::kMarkdown, ".md"},
                         {ReportFormat::kJunit, ".xml"},
                         {ReportFormat::kCsv, ".csv"},
                         {ReportFormat::kJson, ".json"}};

}  // namespace

ReportFormat ReportFormatOf(const std::filesystem::path& name, std::string_view flag) {
  const std::string ending = ToLowerAscii(name.extension().string());
  for (const Row& row : kRows)
    if (ending == row.ending) return row.format;
  Fail(
      ErrorKind::kInvalid,
      "{} {}: expected a name that ends in .html (for people), .md (for a pull request), .xml (JUnit, for CI), .csv or "
      ".json, found {}",
      flag, name.string(), ending.empty() ? "no ending" : "\"" + ending + "\"");
}

std::string RenderReport(ReportFormat format, const CheckRecord& record, std::span<const Comparison> comparisons,
                         std::string_view judged_by) {
  switch (format) {
    case ReportFormat::kHtml:
      return RenderHtml(record, comparisons, judged_by);
    case ReportFormat::kMarkdown:
      return RenderMarkdown(record, comparisons, judged_by);
    case ReportFormat::kJunit:
      return RenderJunit(record, comparisons, judged_by);
    case ReportFormat::kCsv:
      return RenderCsv(record, comparisons);
    case ReportFormat::kJson:
      return DumpJson(RenderJson(record, comparisons), 1) + "\n";
  }
  return {};
}

bool IsReport(std::string_view head) {
  return IsHtmlReport(head) || head.starts_with(kMarkdownHead) || head.starts_with(kJunitHead) ||
         head.starts_with(kCsvHead) || head.starts_with("{\n \"schema\": \"assay.check\"");
}

}  // namespace assay
