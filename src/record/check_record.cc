#include "record/check_record.h"

#include "base/error.h"
#include "record/json_fields.h"
#include "record/label_file.h"
#include "system/file.h"

namespace assay {
namespace {

Json RunJson(const RunRecord& run) {
  Json json;
  json["header"] = ToJson(run.header);
  json["complete"] = run.complete;
  json["examples"] = Json::array();
  for (const ExampleResult& result : run.examples) json["examples"].push_back(ToJson(result));
  return json;
}

RunRecord RunFromJson(const Json& json, std::string_view where) {
  RunRecord run;
  run.header = RunHeaderFromJson(JsonObject(json, "header", where), where);
  run.complete = JsonBool(json, "complete", where, false);
  for (const Json& item : JsonArray(json, "examples", where))
    run.examples.push_back(ExampleResultFromJson(item, where));
  return run;
}

Json ExampleTextJson(const ExampleText& example) {
  Json json;
  json["id"] = example.id;
  json["slice"] = example.slice;
  json["prompt"] = Json::array();
  for (const PromptPart& part : example.prompt) {
    Json item;
    item["role"] = part.role;
    item["text"] = part.text;
    json["prompt"].push_back(std::move(item));
  }
  json["expected"] = example.expected;
  return json;
}

NoiseFloor NoiseFloorFromJson(const Json& json, std::string_view where) {
  NoiseFloor noise;
  noise.drawn = JsonInt(json, "drawn", where, 0);
  noise.lost = JsonTexts(json, "lost", where);
  noise.gained = JsonTexts(json, "gained", where);
  noise.repeated = JsonInt(json, "repeated", where, 0);
  noise.unsteady = JsonTexts(json, "unsteady", where);
  return noise;
}

Arm ArmFromJson(const Json& json, std::string_view where) {
  Arm arm;
  arm.run = RunFromJson(JsonObject(json, "run", where), where);
  const Json& cost = JsonObject(json, "cost", where);
  arm.cost.prefill_tokens_per_s = JsonNumber(cost, "prefill_tokens_per_s", where, 0);
  arm.cost.decode_tokens_per_s = JsonNumber(cost, "decode_tokens_per_s", where, 0);
  arm.cost.peak_memory_bytes = JsonUnsigned(cost, "peak_memory_bytes", where);
  const Json& quality = JsonObject(json, "quality", where);
  arm.quality.has_perplexity = quality.contains("perplexity");
  arm.quality.perplexity = JsonDoubleOrNan(quality, "perplexity", where);
  arm.quality.perplexity_error = JsonDoubleOrNan(quality, "perplexity_error", where);
  arm.quality.has_kl = quality.contains("mean_kl");
  arm.quality.mean_kl = JsonDouble(quality, "mean_kl", where);
  arm.quality.p99_kl = JsonDouble(quality, "p99_kl", where);
  arm.quality.same_top = JsonNumber(quality, "same_top", where, 1);
  for (const Json& item : JsonArray(json, "displacement", where))
    arm.displacement.push_back(DisplacementFromJson(item, where));
  if (json.contains("unlabelled")) arm.unlabelled = RunFromJson(JsonObject(json, "unlabelled", where), where);
  return arm;
}

}  // namespace

Displacement DisplacementFromJson(const Json& json, std::string_view where) {
  Displacement displacement;
  displacement.id = JsonString(json, "id", where);
  displacement.tokens = JsonInt(json, "tokens", where, 0);
  displacement.mean_kl = JsonDouble(json, "mean_kl", where);
  displacement.max_kl = JsonDouble(json, "max_kl", where);
  displacement.same_top = JsonNumber(json, "same_top", where, 1);
  displacement.first_divergence = JsonInt(json, "first_divergence", where, -1);
  return displacement;
}

Json ToJson(const Arm& arm) {
  Json json;
  json["run"] = RunJson(arm.run);
  Json& cost = json["cost"] = Json::object();
  cost["prefill_tokens_per_s"] = NumberJson(arm.cost.prefill_tokens_per_s);
  cost["decode_tokens_per_s"] = NumberJson(arm.cost.decode_tokens_per_s);
  cost["peak_memory_bytes"] = arm.cost.peak_memory_bytes;
  Json& quality = json["quality"] = Json::object();
  if (arm.quality.has_perplexity) {
    quality["perplexity"] = NumberJson(arm.quality.perplexity);
    quality["perplexity_error"] = NumberJson(arm.quality.perplexity_error);
  }
  if (arm.quality.has_kl) {
    quality["mean_kl"] = NumberJson(arm.quality.mean_kl);
    quality["p99_kl"] = NumberJson(arm.quality.p99_kl);
    quality["same_top"] = NumberJson(arm.quality.same_top);
  }
  json["displacement"] = Json::array();
  for (const Displacement& displacement : arm.displacement) json["displacement"].push_back(ToJson(displacement));
  if (!arm.unlabelled.examples.empty()) json["unlabelled"] = RunJson(arm.unlabelled);
  return json;
}

Json ToJson(const NoiseFloor& noise) {
  Json json;
  json["drawn"] = noise.drawn;
  json["lost"] = noise.lost;
  json["gained"] = noise.gained;
  json["repeated"] = noise.repeated;
  json["unsteady"] = noise.unsteady;
  return json;
}

Json ToJson(const CheckRecord& record) {
  Json json;
  json["assay_check"] = record.version;
  json["started"] = record.started;
  json["elapsed_s"] = NumberJson(record.elapsed_s);
  json["build"] = record.build;
  json["machine"] = record.machine;
  json["task_name"] = record.task_name;
  json["text_name"] = record.text_name;
  json["margin"] = NumberJson(record.margin);
  json["as_given"] = record.as_given;
  json["examples"] = Json::array();
  for (const ExampleText& example : record.examples) json["examples"].push_back(ExampleTextJson(example));
  json["baseline"] = ToJson(record.baseline);
  if (record.noise.measured()) json["noise"] = ToJson(record.noise);
  json["candidates"] = Json::array();
  for (const Arm& arm : record.candidates) json["candidates"].push_back(ToJson(arm));
  if (!record.labels.empty()) json["labels"] = Json::array();
  for (const AnswerLabel& label : record.labels) {
    Json item;
    item["id"] = label.id;
    item["baseline"] = label.baseline_hash;
    item["candidate"] = label.other_hash;
    item["right"] = label.right;
    json["labels"].push_back(std::move(item));
  }
  return json;
}

CheckRecord CheckRecordFromJson(const Json& json, std::string_view where) {
  CheckRecord record;
  record.version = JsonVersion(json, "assay_check", kCheckRecordVersion, "a check", where);
  record.started = JsonString(json, "started", where, "");
  record.elapsed_s = JsonDouble(json, "elapsed_s", where);
  record.build = JsonString(json, "build", where, "");
  record.machine = JsonString(json, "machine", where, "");
  record.task_name = JsonString(json, "task_name", where, "");
  record.text_name = JsonString(json, "text_name", where, "");
  record.margin = JsonNumber(json, "margin", where, 0);
  record.as_given = JsonBool(json, "as_given", where, false);
  for (const Json& item : JsonArray(json, "examples", where)) {
    ExampleText example;
    example.id = JsonString(item, "id", where);
    example.slice = JsonString(item, "slice", where, "");
    for (const Json& part : JsonArray(item, "prompt", where))
      example.prompt.push_back({JsonString(part, "role", where, ""), JsonString(part, "text", where, "")});
    example.expected = JsonString(item, "expected", where, "");
    record.examples.push_back(std::move(example));
  }
  record.baseline = ArmFromJson(JsonObject(json, "baseline", where), where);
  if (json.contains("noise")) record.noise = NoiseFloorFromJson(JsonObject(json, "noise", where), where);
  for (const Json& item : JsonArray(json, "candidates", where)) record.candidates.push_back(ArmFromJson(item, where));
  if (!json.contains("labels")) return record;
  for (const Json& item : JsonArray(json, "labels", where)) {
    AnswerLabel label{JsonString(item, "id", where), JsonString(item, "baseline", where),
                      JsonString(item, "candidate", where), JsonString(item, "right", where)};
    if (!IsRight(label.right))
      Fail(ErrorKind::kCorrupt, "{}: \"right\" of a label: expected one of {}, found \"{}\"", where, RightNames(),
           label.right);
    record.labels.push_back(std::move(label));
  }
  return record;
}

CheckRecord ReadCheckRecord(const std::filesystem::path& path) {
  return CheckRecordFromJson(ParseJson(ReadFile(path), path.string()), path.string());
}

bool IsCheckRecord(std::string_view head) {
  return head.starts_with("{\"assay_check\":");
}

}  // namespace assay
