#pragma once
// The files in which a check is shown and kept.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/command.h"
#include "evidence/comparison.h"
#include "report/report_format.h"
#include "system/output.h"

namespace assay {

/// Where the record of a check lies: beside its report, NAME.json, or NAME.record.json where that is the report.
std::filesystem::path DataName(const std::string& report);

/// Reports of one result, each in the format of its name's ending.
class ReportViews {
 public:
  /// Claims the names before any work. `flag` gave them; a file of this program is written anew. Throws
  /// Error{kInvalid} for an ending that is none, and for a name that is given twice.
  ReportViews(const std::vector<std::string>& names, std::string_view flag, const OutputRules& rules,
              const CommonFlags& flags);
  /// `judged_by`: as in RenderReport.
  void Write(const CheckRecord& record, std::span<const Comparison> comparisons, std::string_view judged_by = {});
  void Commit();

 private:
  std::vector<std::unique_ptr<AtomicFile>> files_;
  std::vector<ReportFormat> formats_;
};

/// A check's report, its data and, where one is wanted, its certificate: they come together.
class ReportFiles {
 public:
  /// Claims the names before any work. `certificate` may be empty.
  ReportFiles(const std::string& report, const std::string& certificate, const OutputRules& rules,
              const CommonFlags& flags);
  void Write(const CheckRecord& record, std::span<const Comparison> comparisons);

 private:
  ReportViews report_;
  std::optional<AtomicFile> data_, certificate_;
};

}  // namespace assay
