#pragma once
// The members of what several records hold. See json_fields.h.

#include "record/check_record.h"
#include "record/json_fields.h"
#include "record/run_record.h"

namespace assay {

inline constexpr const char* kRunHeaderKey = "assay_run";

void Members(auto& json, MaybeConst<ModelIdentity> auto& model) {
  json.Member("name", model.name);
  json.Member("fingerprint", model.fingerprint);
  json.Member("architecture", model.architecture);
  json.Member("format", model.format);
  json.Member("bits_per_weight", model.bits_per_weight);
  json.Member("file_bytes", model.file_bytes);
}

void Members(auto& json, MaybeConst<Capabilities> auto& can) {
  const Capabilities usual;
  json.Optional("tokenize", can.tokenize, usual.tokenize);
  json.Optional("render", can.render, usual.render);
  json.Optional("score", can.score, usual.score);
  json.Optional("seeds", can.seeds, usual.seeds);
  json.Optional("same_bits", can.same_bits, usual.same_bits);
  json.Optional("holds_schema", can.holds_schema, usual.holds_schema);
  json.Optional("reads_calls", can.reads_calls, usual.reads_calls);
}

void Members(auto& json, MaybeConst<RunHeader> auto& header) {
  json.Version(kRunHeaderKey, header.version, kRunRecordVersion, "a run");
  json.Required("model", header.model);
  json.Member("task_name", header.task_name);
  json.Required("task_hash", header.task_hash);
  json.Optional("margin", header.margin);
  json.Expect(header.margin >= 0 && header.margin < 100, "margin", "expected 0 to less than 100 points, found {:g}",
              header.margin);
  json.Optional("looks", header.looks);
  json.Optional("samples", header.samples, 1);
  json.Expect(header.samples >= 1 && header.samples <= kMostSamples, "samples", "expected 1 to {}, found {}",
              kMostSamples, header.samples);
  json.Member("tokenizer_hash", header.tokenizer_hash);
  json.Optional("tokenizer_probe", header.tokenizer_probe);
  json.Member("template_hash", header.template_hash);
  json.Optional("prompts_by", header.prompts_by);
  json.Member("sampling", header.sampling);
  json.Optional("now", header.now);
  json.Optional("template_variables", header.template_variables);
  json.Optional("generation_remarks", header.generation_remarks);
  json.Member("arithmetic", header.arithmetic);
  json.Member("build", header.build);
  json.Member("machine", header.machine);
  json.Member("started", header.started);
  json.Optional("answers_from", header.answers_from);
  json.Optional("can", header.can);
  json.Optional("server", header.server);
}

void Members(auto& json, MaybeConst<CheckResult> auto& check) {
  json.Required("type", check.type);
  json.Member("pass", check.pass);
  json.Optional("failure", check.failure);
  json.Optional("detail", check.detail);
  json.Optional("read", check.read);
}

void Members(auto& json, MaybeConst<ExampleResult> auto& result) {
  json.Required("id", result.id);
  json.Member("slice", result.slice);
  json.Optional("cluster", result.cluster);
  json.Member("index", result.index);
  json.Optional("sample", result.sample);
  json.Expect(result.sample >= 0 && result.sample < kMostSamples, "sample", "expected 0 to {}, found {}",
              kMostSamples - 1, result.sample);
  json.Member("prompt_hash", result.prompt_hash);
  json.Optional("prompt_ids", result.prompt_ids);
  json.Member("prompt_tokens", result.prompt_tokens);
  json.Optional("prompt_remarks", result.prompt_remarks);
  json.Required("answer", result.answer);
  json.Required("answer_ids", result.answer_ids);
  json.Required("logprobs", result.logprobs, -kInfinity);
  json.Member("finish", result.finish);
  json.Optional("error", result.error);
  json.Member("pass", result.pass);
  json.Required("checks", result.checks);
  json.Optional("call_left_in_text", result.call_left_in_text);
  json.Optional("pass_as_delivered", result.pass_as_delivered);
}

/// Inside another record; a file of its own has a line for each part.
void Members(auto& json, MaybeConst<RunRecord> auto& run) {
  json.Required("header", run.header);
  json.Member("complete", run.complete);
  json.Required("examples", run.examples);
}

void Members(auto& json, MaybeConst<Displacement> auto& displacement) {
  json.Required("id", displacement.id);
  json.Member("tokens", displacement.tokens);
  json.Member("mean_kl", displacement.mean_kl, kInfinity);
  json.Member("max_kl", displacement.max_kl, kInfinity);
  json.Member("same_top", displacement.same_top);
  json.Member("first_divergence", displacement.first_divergence);
  json.Optional("known_tokens", displacement.known_tokens);
  json.Optional("whole_answer", displacement.whole_answer);
}

void Members(auto& json, MaybeConst<PromptPart> auto& part) {
  json.Member("role", part.role);
  json.Member("text", part.text);
}

}  // namespace assay
