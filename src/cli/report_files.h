#pragma once
// The files in which a check is shown and kept.

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "cli/command.h"
#include "evidence/comparison.h"
#include "system/output.h"

namespace assay {

/// Where the record of a check lies: beside its report. Throws Error{kInvalid} where both would have one name.
std::filesystem::path DataName(const std::string& report);

/// A check's report, its data and, where one is wanted, its certificate: they come together.
class ReportFiles {
 public:
  /// Claims the names before any work. `certificate` may be empty.
  ReportFiles(const std::string& report, const std::string& certificate, const OutputRules& rules,
              const CommonFlags& flags);
  void Write(const CheckRecord& record, std::span<const Comparison> comparisons);

 private:
  std::optional<AtomicFile> report_, data_, certificate_;
};

}  // namespace assay
