#include "record/check_record.h"

#include "record/label_file.h"
#include "record/members.h"
#include "system/file.h"

namespace assay {

void Members(auto& json, MaybeConst<ServedSpeed> auto& speed) {
  json.Member("answers", speed.answers);
  json.Member("concurrency", speed.concurrency);
  json.Member("first_token_p50_s", speed.first_token_p50_s);
  json.Member("first_token_p90_s", speed.first_token_p90_s);
  json.Member("first_token_p99_s", speed.first_token_p99_s);
  json.Member("tokens_per_s_p50", speed.tokens_per_s_p50);
  json.Member("tokens_per_s_p10", speed.tokens_per_s_p10);
  json.Member("tokens_per_s_p1", speed.tokens_per_s_p1);
  json.Member("total_tokens_per_s", speed.total_tokens_per_s);
}

void Members(auto& json, MaybeConst<ArmCost> auto& cost) {
  json.Member("prefill_tokens_per_s", cost.prefill_tokens_per_s);
  json.Member("decode_tokens_per_s", cost.decode_tokens_per_s);
  json.Member("peak_memory_bytes", cost.peak_memory_bytes);
  json.Optional("served", cost.served);
}

void Members(auto& json, MaybeConst<ArmQuality> auto& quality) {
  json.Optional("perplexity", quality.perplexity);
  json.Optional("perplexity_error", quality.perplexity_error);
  json.Optional("mean_kl", quality.mean_kl, kInfinity);
  json.Optional("p99_kl", quality.p99_kl, kInfinity);
  json.Optional("same_top", quality.same_top);
}

void Members(auto& json, MaybeConst<Arm> auto& arm) {
  json.Required("run", arm.run);
  json.Required("cost", arm.cost);
  json.Required("quality", arm.quality);
  json.Required("displacement", arm.displacement);
  if (json.Has("unlabelled", !arm.unlabelled.examples.empty())) json.Required("unlabelled", arm.unlabelled);
}

void Members(auto& json, MaybeConst<NoiseFloor> auto& noise) {
  json.Member("drawn", noise.drawn);
  json.Member("lost", noise.lost);
  json.Member("gained", noise.gained);
  json.Member("repeated", noise.repeated);
  json.Member("unsteady", noise.unsteady);
}

void Members(auto& json, MaybeConst<ExampleText> auto& example) {
  json.Required("id", example.id);
  json.Member("slice", example.slice);
  json.Required("prompt", example.prompt);
  json.Member("expected", example.expected);
}

void Members(auto& json, MaybeConst<AnswerLabel> auto& label) {
  json.Required("id", label.id);
  json.Required("baseline", label.baseline_hash);
  json.Required("candidate", label.other_hash);
  json.Required("right", label.right);
  json.Expect(IsRight(label.right), "right", "expected one of {}, found \"{}\"", RightNames(), label.right);
}

void Members(auto& json, MaybeConst<CheckRecord> auto& record) {
  json.Version("assay_check", record.version, kCheckRecordVersion, "a check");
  json.Member("started", record.started);
  json.Member("elapsed_s", record.elapsed_s);
  json.Member("build", record.build);
  json.Member("machine", record.machine);
  json.Member("task_name", record.task_name);
  json.Member("text_name", record.text_name);
  json.Member("margin", record.margin);
  json.Optional("allow_difference", record.allow_difference);
  json.Member("as_given", record.as_given);
  json.Required("examples", record.examples);
  json.Required("baseline", record.baseline);
  if (json.Has("noise", record.noise.measured())) json.Required("noise", record.noise);
  json.Required("candidates", record.candidates);
  json.Optional("labels", record.labels);
}

Json ToJson(const ArmCost& cost) {
  return JsonWriter::Written(cost);
}
Json ToJson(const ArmQuality& quality) {
  return JsonWriter::Written(quality);
}
Json ToJson(const NoiseFloor& noise) {
  return JsonWriter::Written(noise);
}
Json ToJson(const CheckRecord& record) {
  return JsonWriter::Written(record);
}

ArmQuality ArmQualityFromJson(const Json& json, std::string_view where) {
  return ReadJson<ArmQuality>(json, where);
}
Displacement DisplacementFromJson(const Json& json, std::string_view where) {
  return ReadJson<Displacement>(json, where);
}
CheckRecord CheckRecordFromJson(const Json& json, std::string_view where) {
  return ReadJson<CheckRecord>(json, where);
}

CheckRecord ReadCheckRecord(const std::filesystem::path& path) {
  return CheckRecordFromJson(ParseJson(ReadFile(path), path.string()), path.string());
}

bool IsCheckRecord(std::string_view head) {
  return head.starts_with("{\"assay_check\":");
}

}  // namespace assay
