#include "record/run_record.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "record/members.h"
#include "system/file.h"

namespace assay {
namespace {

constexpr std::string_view kBegin = "{\"assay_run\"";  // of the file
/// Far above any real task; bounds what a hostile file makes us keep.
constexpr size_t kMaxExamples = 10'000'000;

/// The header without what may differ between two sittings of one run.
std::string HeaderKey(const RunHeader& header, bool any_clock) {
  Json json = ToJson(header);
  json.erase("started");
  // The model's identity says which server it is; what was found by asking it may vary from one sitting to the next.
  if (json.erase("server")) json.erase("can");
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
  return JsonWriter::Written(header);
}
Json ToJson(const ExampleResult& result) {
  return JsonWriter::Written(result);
}
Json ToJson(const Displacement& displacement) {
  return JsonWriter::Written(displacement);
}

RunHeader RunHeaderFromJson(const Json& json, std::string_view where) {
  if (!json.is_object() || !json.contains(kRunHeaderKey))
    Fail(ErrorKind::kCorrupt, "{}: expected the header of a run (\"{}\"), found something else", where, kRunHeaderKey);
  return ReadJson<RunHeader>(json, where);
}

ExampleResult ExampleResultFromJson(const Json& json, std::string_view where) {
  if (!json.is_object())
    Fail(ErrorKind::kCorrupt, "{}: expected the result of an example, found {}", where, json.type_name());
  return ReadJson<ExampleResult>(json, where);
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
