#include "record/quant_record.h"

#include "base/error.h"
#include "record/json_fields.h"

namespace assay {

Json ToJson(const ModelIdentity& model) {
  Json json;
  json["name"] = model.name;
  json["fingerprint"] = model.fingerprint;
  json["architecture"] = model.architecture;
  json["format"] = model.format;
  json["bits_per_weight"] = NumberJson(model.bits_per_weight);
  json["file_bytes"] = model.file_bytes;
  return json;
}

ModelIdentity ModelIdentityFromJson(const Json& json, std::string_view where) {
  ModelIdentity model;
  model.name = JsonString(json, "name", where, "");
  model.fingerprint = JsonString(json, "fingerprint", where, "");
  model.architecture = JsonString(json, "architecture", where, "");
  model.format = JsonString(json, "format", where, "");
  model.bits_per_weight = JsonNumber(json, "bits_per_weight", where, 0);
  model.file_bytes = JsonUnsigned(json, "file_bytes", where);
  return model;
}

Json ToJson(const QuantRecord& record) {
  Json json;
  json["assay_quant"] = record.version;
  json["source"] = ToJson(record.source);
  json["result"] = ToJson(record.result);
  json["preset"] = record.preset;
  json["seed"] = record.seed;
  json["elapsed_s"] = NumberJson(record.elapsed_s);
  json["peak_memory_bytes"] = record.peak_memory_bytes;
  json["build"] = record.build;
  json["machine"] = record.machine;
  json["started"] = record.started;
  Json tensors = Json::array();
  for (const TensorQuantization& tensor : record.tensors) {
    Json item;
    item["name"] = tensor.name;
    item["shape"] = tensor.shape;
    item["from"] = tensor.from;
    item["to"] = tensor.to;
    item["method"] = tensor.method;
    item["bytes"] = tensor.bytes;
    item["rmse"] = NumberJson(tensor.rmse);
    item["relative_error"] = NumberJson(tensor.relative_error);
    tensors.push_back(std::move(item));
  }
  json["tensors"] = std::move(tensors);
  json["output"] = record.output;
  if (!record.notes.empty()) json["notes"] = record.notes;
  return json;
}

QuantRecord QuantRecordFromJson(const Json& json, std::string_view where) {
  QuantRecord record;
  record.version = JsonVersion(json, "assay_quant", kQuantRecordVersion, "a quantization record", where);
  record.source = ModelIdentityFromJson(JsonObject(json, "source", where), where);
  record.result = ModelIdentityFromJson(JsonObject(json, "result", where), where);
  record.preset = JsonString(json, "preset", where, "");
  record.seed = JsonUnsigned(json, "seed", where);
  record.elapsed_s = JsonDouble(json, "elapsed_s", where);
  record.peak_memory_bytes = JsonUnsigned(json, "peak_memory_bytes", where);
  record.build = JsonString(json, "build", where, "");
  record.machine = JsonString(json, "machine", where, "");
  record.started = JsonString(json, "started", where, "");
  for (const Json& item : JsonArray(json, "tensors", where)) {
    TensorQuantization tensor;
    tensor.name = JsonString(item, "name", where);
    for (const Json& extent : JsonArray(item, "shape", where)) {
      if (!extent.is_number_integer()) Fail(ErrorKind::kCorrupt, "{}: \"shape\" should hold integers", where);
      tensor.shape.push_back(extent.get<int64_t>());
    }
    tensor.from = JsonString(item, "from", where, "");
    tensor.to = JsonString(item, "to", where, "");
    tensor.method = JsonString(item, "method", where, "");
    tensor.bytes = JsonUnsigned(item, "bytes", where);
    tensor.rmse = JsonDoubleOrNan(item, "rmse", where);
    tensor.relative_error = JsonDoubleOrNan(item, "relative_error", where);
    record.tensors.push_back(std::move(tensor));
  }
  record.output = JsonString(json, "output", where, "");
  if (json.contains("notes"))
    for (const Json& note : JsonArray(json, "notes", where)) {
      if (!note.is_string()) Fail(ErrorKind::kCorrupt, "{}: \"notes\" should hold texts", where);
      record.notes.push_back(note.get<std::string>());
    }
  return record;
}

}  // namespace assay
