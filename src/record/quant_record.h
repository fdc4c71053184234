#pragma once
// What a quantization did, tensor by tensor.

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "record/run_record.h"

namespace assay {

inline constexpr int kQuantRecordVersion = 1;

struct TensorQuantization {
  std::string name;
  std::vector<int64_t> shape;    // mathematical order
  std::string from, to, method;  // "bf16", "q4_k", "rtn"
  uint64_t bytes = 0;            // after
  double rmse = 0;               // of the decoded weights against the source; NaN: not measured
  double relative_error = 0;     // rmse / root mean square of the source
};

struct QuantRecord {
  int version = kQuantRecordVersion;
  ModelIdentity source, result;
  std::string preset;
  std::string output;  // what was written: a folder, or a file, the first of a split set
  uint64_t seed = 0;
  double elapsed_s = 0;
  uint64_t peak_memory_bytes = 0;
  std::string build, machine, started;
  std::vector<TensorQuantization> tensors;
  std::vector<std::string> notes;  // what went otherwise than hoped, for people
};

Json ToJson(const ModelIdentity& model);
Json ToJson(const QuantRecord& record);
/// Throws Error naming `where` and the member.
QuantRecord QuantRecordFromJson(const Json& json, std::string_view where);

}  // namespace assay
