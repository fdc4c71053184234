#include "cli/report_files.h"

#include "base/error.h"
#include "base/json.h"
#include "report/certificate.h"
#include "report/report.h"

namespace assay {
namespace fs = std::filesystem;

fs::path DataName(const std::string& report) {
  fs::path name = fs::path(report).replace_extension(".json");
  if (name == report)
    Fail(ErrorKind::kInvalid, "--report {}: the data beside the report would have the same name; name it .html",
         report);
  return name;
}

ReportFiles::ReportFiles(const std::string& report, const std::string& certificate, const OutputRules& rules,
                         const CommonFlags& flags) {
  OutputRules of_report = rules, of_data = rules;
  of_report.ours = IsReport;
  of_data.ours = IsCheckRecord;
  const fs::path names[] = {report, DataName(report)};
  for (const fs::path& name : names) NoteLeft(name, flags);
  report_.emplace(names[0], of_report);
  data_.emplace(names[1], of_data);
  if (certificate.empty()) return;
  // Of two files with one name the second would replace the first.
  for (const fs::path& name : names)
    if (fs::weakly_canonical(certificate) == fs::weakly_canonical(name))
      Fail(ErrorKind::kInvalid, "--certificate {}: the report or its data would have the same name", certificate);
  NoteLeft(certificate, flags);
  certificate_.emplace(certificate, rules);  // of another check, perhaps: only with --force
}

void ReportFiles::Write(const CheckRecord& record, std::span<const Comparison> comparisons) {
  report_->Write(RenderHtml(record, comparisons));
  const std::string bytes = DumpJson(ToJson(record)) + "\n";
  data_->Write(bytes);
  if (certificate_) certificate_->Write(DumpJson(MakeCertificate(record, comparisons, bytes), 1) + "\n");
  report_->Commit();
  data_->Commit();
  if (certificate_) certificate_->Commit();
}

}  // namespace assay
