#include "record/quant_record.h"

#include "record/members.h"

namespace assay {

void Members(auto& json, MaybeConst<TensorQuantization> auto& tensor) {
  json.Required("name", tensor.name);
  json.Required("shape", tensor.shape);
  json.Member("from", tensor.from);
  json.Member("to", tensor.to);
  json.Member("method", tensor.method);
  json.Member("bytes", tensor.bytes);
  json.Member("rmse", tensor.rmse);
  json.Member("relative_error", tensor.relative_error);
}

void Members(auto& json, MaybeConst<QuantRecord> auto& record) {
  json.Version("assay_quant", record.version, kQuantRecordVersion, "a quantization record");
  json.Required("source", record.source);
  json.Required("result", record.result);
  json.Member("preset", record.preset);
  json.Member("seed", record.seed);
  json.Member("elapsed_s", record.elapsed_s);
  json.Member("peak_memory_bytes", record.peak_memory_bytes);
  json.Member("build", record.build);
  json.Member("machine", record.machine);
  json.Member("started", record.started);
  json.Required("tensors", record.tensors);
  json.Member("output", record.output);
  json.Optional("notes", record.notes);
}

Json ToJson(const ModelIdentity& model) {
  return JsonWriter::Written(model);
}
Json ToJson(const QuantRecord& record) {
  return JsonWriter::Written(record);
}

QuantRecord QuantRecordFromJson(const Json& json, std::string_view where) {
  return ReadJson<QuantRecord>(json, where);
}

}  // namespace assay
