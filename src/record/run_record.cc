#include "record/run_record.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "base/error.h"
#include "record/json_fields.h"
#include "record/quant_record.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr std::string_view kHeaderKey = "assay_run";
constexpr std::string_view kBegin = "{\"assay_run\"";  // of the file
/// Far above any real task; bounds what a hostile file makes us keep.
constexpr size_t kMaxExamples = 10'000'000;

/// The header without what may differ between two sittings of one run.
std::string HeaderKey(const RunHeader& header, bool any_clock) {
  Json json = ToJson(header);
  json.erase("started");
  if (any_clock && !header.now.empty()) json["now"] = "any";
  return DumpJson(json);
}

/// Everything readable in a run file, whether it is finished or not.
struct ParsedRun {
  std::optional<RunHeader> header;  // none: not even the first line is whole
  std::vector<ExampleResult> examples;
  bool complete = false;
  size_t good_bytes = 0;       // up to the end of the last whole line, the end line not counted
  bool needs_newline = false;  // that line lacks its newline
};

using Places = std::map<std::pair<std::string, int64_t>, size_t>;  // of ids and samples

/// Adds a result. A later line replaces an earlier one of the same id and sample only when that was an error (a resumed
/// run tries those again).
void Place(std::vector<ExampleResult>& examples, Places& places, ExampleResult&& result, std::string_view where) {
  auto [it, added] = places.emplace(std::pair(result.id, result.sample), examples.size());
  if (added) {
    if (examples.size() >= kMaxExamples) Fail(ErrorKind::kResource, "{}: more than {} examples", where, kMaxExamples);
    examples.push_back(std::move(result));
    return;
  }
  if (examples[it->second].error.empty())
    Fail(ErrorKind::kCorrupt, "{}: a second result for example \"{}\"{}", where, result.id,
         result.sample ? fmt::format(", sample {}", result.sample) : "");
  examples[it->second] = std::move(result);
}

void CheckEnd(const Json& line, const std::vector<ExampleResult>& examples, std::string_view where) {
  const Json& end = JsonObject(line, "end", where);
  const int64_t count = JsonInt(end, "examples", where);
  if (count != static_cast<int64_t>(examples.size()))
    Fail(ErrorKind::kCorrupt, "{}: the end line counts {} examples, the file has {}", where, count, examples.size());
}

ParsedRun ParseRun(std::string_view text, const std::filesystem::path& path) {
  ParsedRun run;
  Places places;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t newline = text.find('\n', begin);
    const bool terminated = newline != std::string_view::npos;
    const std::string_view line = text.substr(begin, terminated ? newline - begin : std::string_view::npos);
    const std::string where = fmt::format("{}:{}", path.string(), ++number);
    if (run.complete) Fail(ErrorKind::kCorrupt, "{}: expected nothing after the end line", where);
    Json json;
    try {
      json = ParseJson(line, where);
    } catch (const Error&) {
      if (terminated) throw;
      return run;  // cut while it was written
    }
    if (!run.header) {
      run.header = RunHeaderFromJson(json, where);
    } else if (json.is_object() && json.contains("end")) {
      CheckEnd(json, run.examples, where);
      run.complete = true;
      begin = terminated ? newline + 1 : text.size();
      continue;
    } else {
      ExampleResult result = ExampleResultFromJson(json, where);
      if (result.sample >= run.header->samples)
        Fail(ErrorKind::kCorrupt, "{}: sample: expected less than the header's {}, found {}", where,
             run.header->samples, result.sample);
      Place(run.examples, places, std::move(result), where);
    }
    begin = terminated ? newline + 1 : text.size();
    run.good_bytes = begin;
    run.needs_newline = !terminated;
  }
  return run;
}

}  // namespace

std::string ExampleResult::failure() const {
  if (pass) return {};
  for (const CheckResult& check : checks)
    if (!check.pass) return check.failure;
  return error.empty() ? "no check" : "error";
}

int64_t RunRecord::example_count() const {
  return std::count_if(examples.begin(), examples.end(),
                       [](const ExampleResult& result) { return result.sample == 0; });
}

Json ToJson(const RunHeader& header) {
  Json json;
  json[std::string(kHeaderKey)] = header.version;
  json["model"] = ToJson(header.model);
  json["task_name"] = header.task_name;
  json["task_hash"] = header.task_hash;
  if (header.margin > 0) json["margin"] = header.margin;
  if (!header.looks.empty()) json["looks"] = header.looks;
  if (header.samples != 1) json["samples"] = header.samples;
  json["tokenizer_hash"] = header.tokenizer_hash;
  json["template_hash"] = header.template_hash;
  if (!header.prompts_by.empty()) json["prompts_by"] = header.prompts_by;
  json["sampling"] = header.sampling;
  if (!header.now.empty()) json["now"] = header.now;
  if (!header.template_variables.is_null()) json["template_variables"] = header.template_variables;
  if (!header.generation_remarks.empty()) json["generation_remarks"] = header.generation_remarks;
  json["arithmetic"] = header.arithmetic;
  json["build"] = header.build;
  json["machine"] = header.machine;
  json["started"] = header.started;
  if (!header.answers_from.empty()) json["answers_from"] = header.answers_from;
  return json;
}

RunHeader RunHeaderFromJson(const Json& json, std::string_view where) {
  if (!json.is_object() || !json.contains(kHeaderKey))
    Fail(ErrorKind::kCorrupt, "{}: expected the header of a run (\"{}\"), found something else", where, kHeaderKey);
  RunHeader header;
  header.version = JsonVersion(json, kHeaderKey, kRunRecordVersion, "a run", where);
  header.model = ModelIdentityFromJson(JsonObject(json, "model", where), where);
  header.task_name = JsonString(json, "task_name", where, "");
  header.task_hash = JsonString(json, "task_hash", where);
  header.margin = JsonNumber(json, "margin", where, 0);
  if (!(header.margin >= 0 && header.margin < 100))
    Fail(ErrorKind::kCorrupt, "{}: margin: expected 0 to less than 100 points, found {:g}", where, header.margin);
  header.looks = JsonInts(json, "looks", where);
  header.samples = JsonInt(json, "samples", where, 1);
  if (header.samples < 1 || header.samples > kMostSamples)
    Fail(ErrorKind::kCorrupt, "{}: samples: expected 1 to {}, found {}", where, kMostSamples, header.samples);
  header.tokenizer_hash = JsonString(json, "tokenizer_hash", where, "");
  header.template_hash = JsonString(json, "template_hash", where, "");
  header.prompts_by = JsonString(json, "prompts_by", where, "");
  if (auto it = json.find("sampling"); it != json.end()) header.sampling = *it;
  header.now = JsonString(json, "now", where, "");
  if (auto it = json.find("template_variables"); it != json.end()) header.template_variables = *it;
  header.generation_remarks = JsonTexts(json, "generation_remarks", where);
  header.arithmetic = JsonString(json, "arithmetic", where, "");
  header.build = JsonString(json, "build", where, "");
  header.machine = JsonString(json, "machine", where, "");
  header.started = JsonString(json, "started", where, "");
  header.answers_from = JsonString(json, "answers_from", where, "");
  return header;
}

Json ToJson(const ExampleResult& result) {
  Json json;
  json["id"] = result.id;
  json["slice"] = result.slice;
  if (!result.cluster.empty()) json["cluster"] = result.cluster;
  json["index"] = result.index;
  if (result.sample) json["sample"] = result.sample;
  json["prompt_hash"] = result.prompt_hash;
  json["prompt_tokens"] = result.prompt_tokens;
  if (!result.prompt_remarks.empty()) json["prompt_remarks"] = result.prompt_remarks;
  json["answer"] = result.answer;
  json["answer_ids"] = result.answer_ids;
  Json logprobs = Json::array();
  for (float value : result.logprobs) logprobs.push_back(FloatJson(value));
  json["logprobs"] = std::move(logprobs);
  json["finish"] = result.finish;
  if (!result.error.empty()) json["error"] = result.error;
  json["pass"] = result.pass;
  Json checks = Json::array();
  for (const CheckResult& check : result.checks) {
    Json item;
    item["type"] = check.type;
    item["pass"] = check.pass;
    if (!check.failure.empty()) item["failure"] = check.failure;
    if (!check.detail.empty()) item["detail"] = check.detail;
    if (!check.read.empty()) item["read"] = check.read;
    checks.push_back(std::move(item));
  }
  json["checks"] = std::move(checks);
  return json;
}

ExampleResult ExampleResultFromJson(const Json& json, std::string_view where) {
  if (!json.is_object())
    Fail(ErrorKind::kCorrupt, "{}: expected the result of an example, found {}", where, json.type_name());
  ExampleResult result;
  result.id = JsonString(json, "id", where);
  result.slice = JsonString(json, "slice", where, "");
  result.cluster = JsonString(json, "cluster", where, "");
  result.index = JsonInt(json, "index", where, -1);
  result.sample = JsonInt(json, "sample", where, 0);
  if (result.sample < 0 || result.sample >= kMostSamples)
    Fail(ErrorKind::kCorrupt, "{}: sample: expected 0 to {}, found {}", where, kMostSamples - 1, result.sample);
  result.prompt_hash = JsonString(json, "prompt_hash", where, "");
  result.prompt_tokens = JsonInt(json, "prompt_tokens", where, 0);
  result.prompt_remarks = JsonTexts(json, "prompt_remarks", where);
  result.answer = JsonString(json, "answer", where);
  for (const Json& id : JsonArray(json, "answer_ids", where)) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > std::numeric_limits<int32_t>::max())
      Fail(ErrorKind::kCorrupt, "{}: \"answer_ids\" should hold token ids, found {}", where, DumpJson(id));
    result.answer_ids.push_back(id.get<int32_t>());
  }
  for (const Json& value : JsonArray(json, "logprobs", where)) {
    if (!value.is_number() && !value.is_null())
      Fail(ErrorKind::kCorrupt, "{}: \"logprobs\" should hold numbers, found {}", where, DumpJson(value));
    result.logprobs.push_back(value.is_null() ? -std::numeric_limits<float>::infinity() : value.get<float>());
  }
  result.finish = JsonString(json, "finish", where, "");
  result.error = JsonString(json, "error", where, "");
  result.pass = JsonBool(json, "pass", where, false);
  for (const Json& item : JsonArray(json, "checks", where)) {
    CheckResult check;
    check.type = JsonString(item, "type", where);
    check.pass = JsonBool(item, "pass", where, false);
    check.failure = JsonString(item, "failure", where, "");
    check.detail = JsonString(item, "detail", where, "");
    check.read = JsonString(item, "read", where, "");
    result.checks.push_back(std::move(check));
  }
  return result;
}

Json ToJson(const Displacement& displacement) {
  Json json;
  json["id"] = displacement.id;
  json["tokens"] = displacement.tokens;
  json["mean_kl"] = NumberJson(displacement.mean_kl);
  json["max_kl"] = NumberJson(displacement.max_kl);
  json["same_top"] = NumberJson(displacement.same_top);
  json["first_divergence"] = displacement.first_divergence;
  return json;
}

RunRecord ReadRunRecord(const std::filesystem::path& path) {
  ParsedRun parsed = ParseRun(ReadFile(path), path);
  if (!parsed.header)
    Fail(ErrorKind::kCorrupt, "{}:1: expected the header of a run, found an empty or cut line", path.string());
  RunRecord record{std::move(*parsed.header), std::move(parsed.examples), parsed.complete};
  // Stable, so that records without places keep the order of the file.
  std::stable_sort(record.examples.begin(), record.examples.end(), [](const ExampleResult& a, const ExampleResult& b) {
    return std::pair(a.index, a.sample) < std::pair(b.index, b.sample);
  });
  return record;
}

void WriteRunRecord(const std::filesystem::path& path, const RunRecord& record, const OutputRules& rules) {
  AtomicFile file(path, rules);
  file.Write(DumpJson(ToJson(record.header)) + "\n");
  for (const ExampleResult& result : record.examples) file.Write(DumpJson(ToJson(result)) + "\n");
  Json end;
  end["end"]["examples"] = record.examples.size();
  file.Write(DumpJson(end) + "\n");
  file.Commit();
}

bool IsRunRecord(std::string_view head) {
  return head.starts_with(kBegin);
}

RunRecordWriter::RunRecordWriter(const std::filesystem::path& path, const RunHeader& header, const OutputRules& rules,
                                 bool any_clock)
    : file_(path, rules, kBegin), now_(header.now) {
  const std::string text = file_.Text();
  ParsedRun parsed;
  bool usable = true;
  try {
    parsed = ParseRun(text, file_.part());
  } catch (const Error&) {
    usable = false;
  }
  if (!usable || !parsed.header || HeaderKey(*parsed.header, any_clock) != HeaderKey(header, any_clock)) {
    if (!text.empty()) set_aside_ = file_.SetAside();
    file_.Append(DumpJson(ToJson(header)) + "\n");
    return;
  }
  now_ = parsed.header->now;
  file_.Keep(parsed.good_bytes);
  if (parsed.needs_newline) file_.Append("\n");
  for (ExampleResult& result : parsed.examples) {
    written_.emplace(result.id, result.sample);
    if (result.error.empty()) resumed_.push_back(std::move(result));
  }
}

void RunRecordWriter::Add(const ExampleResult& result) {
  file_.Append(DumpJson(ToJson(result)) + "\n");
  written_.emplace(result.id, result.sample);
}

void RunRecordWriter::Finish() {
  Json end;
  end["end"]["examples"] = written_.size();
  file_.Append(DumpJson(end) + "\n");
  file_.Finish();
}

}  // namespace assay
