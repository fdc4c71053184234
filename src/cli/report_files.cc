#include "cli/report_files.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "report/certificate.h"

namespace assay {
namespace fs = std::filesystem;

fs::path DataName(const std::string& report) {
  const fs::path name = fs::path(report).replace_extension(".json");
  return name == report ? fs::path(report).replace_extension(".record.json") : name;
}

ReportViews::ReportViews(const std::vector<std::string>& names, std::string_view flag, const OutputRules& rules,
                         const CommonFlags& flags) {
  OutputRules of_report = rules;
  of_report.ours = IsReport;
  for (const std::string& name : names) formats_.push_back(ReportFormatOf(name, flag));
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (std::find(names.begin(), name, *name) != name) Fail(ErrorKind::kInvalid, "{} names {} twice", flag, *name);
    NoteLeft(*name, flags);
    files_.push_back(std::make_unique<AtomicFile>(*name, of_report));
  }
}

void ReportViews::Write(const CheckRecord& record, std::span<const Comparison> comparisons,
                        std::string_view judged_by) {
  for (size_t i = 0; i < files_.size(); ++i)
    files_[i]->Write(RenderReport(formats_[i], record, comparisons, judged_by));
}

void ReportViews::Commit() {
  for (const auto& file : files_) file->Commit();
}

ReportFiles::ReportFiles(const std::string& report, const std::string& certificate, const OutputRules& rules,
                         const CommonFlags& flags)
    : report_({report}, "--report", rules, flags) {
  const fs::path data = DataName(report);
  OutputRules of_data = rules;
  of_data.ours = IsCheckRecord;
  NoteLeft(data, flags);
  data_.emplace(data, of_data);
  if (certificate.empty()) return;
  // Of two files with one name the second would replace the first.
  for (const fs::path& name : {fs::path(report), data})
    if (fs::weakly_canonical(certificate) == fs::weakly_canonical(name))
      Fail(ErrorKind::kInvalid, "--certificate {}: the report or its data would have the same name", certificate);
  NoteLeft(certificate, flags);
  certificate_.emplace(certificate, rules);  // of another check, perhaps: only with --force
}

void ReportFiles::Write(const CheckRecord& record, std::span<const Comparison> comparisons) {
  report_.Write(record, comparisons);
  const std::string bytes = DumpJson(ToJson(record)) + "\n";
  data_->Write(bytes);
  if (certificate_) certificate_->Write(DumpJson(MakeCertificate(record, comparisons, bytes), 1) + "\n");
  report_.Commit();
  data_->Commit();
  if (certificate_) certificate_->Commit();
}

}  // namespace assay
