#include "evidence/sizes.h"

#include <fmt/core.h>

#include "base/strings.h"

namespace assay {

bool IsQuantized(const ModelIdentity& model) {
  return model.bits_per_weight > 0 && model.bits_per_weight < 15.9;  // one small matrix of eight bits is enough
}

std::string BaselineRemark(const ModelIdentity& baseline) {
  if (!IsQuantized(baseline)) return "";
  return fmt::format(
      "the baseline is itself quantized ({}, {:.2f} bits per weight): what was lost on the way to it is not seen here",
      baseline.format, baseline.bits_per_weight);
}

std::vector<std::string> SizeRemarks(const ModelIdentity& baseline, const ModelIdentity& candidate) {
  std::vector<std::string> remarks;
  if (std::string remark = BaselineRemark(baseline); !remark.empty()) remarks.push_back(std::move(remark));
  if (baseline.file_bytes > 0 && candidate.file_bytes > baseline.file_bytes)
    remarks.push_back(fmt::format("the candidate is larger than the baseline: {} and {}",
                                  FormatBytes(candidate.file_bytes), FormatBytes(baseline.file_bytes)));
  return remarks;
}

}  // namespace assay
