#pragma once
// QuantizationArgs of compressed-tensors, both ways. Source: quantization/quant_config.py, quant_args.py,
// quant_scheme.py. Internal to hf/.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/hf/targets.h"
#include "format/format.h"

namespace assay {

/// One QuantizationArgs object, the fields that matter.
struct QuantizationArgs {
  int64_t bits = 8, group_size = 0;
  std::string type, strategy, dynamic, actorder;
  bool symmetric = true;
  std::vector<int64_t> block;  // rows, columns
};

QuantizationArgs ReadQuantizationArgs(const Json& json, const std::string& where);
/// "int4 group 128 asymmetric".
std::string QuantizationArgsText(const QuantizationArgs& args);

}  // namespace assay
