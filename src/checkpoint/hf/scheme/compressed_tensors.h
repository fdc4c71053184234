#pragma once
// QuantizationArgs of compressed-tensors, both ways. Source: quantization/quant_config.py, quant_args.py,
// quant_scheme.py. Internal to hf/.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/hf/packing/targets.h"
#include "format/format.h"

namespace assay {

/// One QuantizationArgs object, the fields that matter.
struct QuantizationArgs {
  int64_t bits = 8, group_size = 0;
  std::string type, strategy, dynamic;  // dynamic: "", "true" or "local"
  bool symmetric = true;
  std::vector<int64_t> block;  // rows, columns, both above 0; empty unless the strategy is "block"
};

/// `weights`: else activations. Throws Error{kInvalid} naming `where` and the key for numbers out of their range and
/// for a strategy that its group size or block structure contradicts.
QuantizationArgs ReadQuantizationArgs(const Json& json, bool weights, const std::string& where);
/// "int4 group 128 asymmetric".
std::string QuantizationArgsText(const QuantizationArgs& args);

}  // namespace assay
