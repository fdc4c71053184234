#include "record/scored_runs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "record/csv.h"
#include "system/file.h"

namespace assay {
namespace {

/// Far above any real file; bounds the work that a hostile one makes.
constexpr size_t kMostNames = 1000;

/// One example as a tool has it.
struct Row {
  std::string place;  // "line 3", "samples[2]"
  std::string id, slice = "all", cluster;
  std::string prompt_hash, answer, finish = "stop", error, detail;
  double score = 0;  // 0 and 1, or more where a threshold tells
};

struct Rows {
  std::string model, task, metric;
  std::vector<Row> rows;
  std::vector<std::string> notes;
  bool complete = true;
};

/// A file, read as far as it takes to know what it is.
struct Source {
  const std::string& name;
  std::string_view text;
  Json json;  // a whole JSON text, or the first of JSON lines; null: neither
  bool lines = false;
};

/// A text member, "" for any other.
std::string TextOf(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  return value && value->is_string() ? value->get<std::string>() : "";
}

std::string Shown(const Json& value) {
  std::string text = DumpJson(value);
  return text.size() > 60 ? "a " + std::string(value.type_name()) : text;
}

/// What tools write for right and wrong; nullopt: no such word.
std::optional<double> ScoreOfWord(std::string_view word) {
  const std::string lower = ToLowerAscii(Trim(word));
  for (std::string_view yes : {"1", "true", "pass", "passed", "yes", "c"})
    if (lower == yes) return 1;
  for (std::string_view no : {"0", "false", "fail", "failed", "no", "i", "n"})
    if (lower == no) return 0;
  if (lower == "p") return 0.5;                                    // Inspect's partial credit
  if (lower.find('\0') != std::string::npos) return std::nullopt;  // the library would take it for the end
  const Json number = Json::parse(lower, nullptr, false);
  if (number.is_number()) return number.get<double>();
  return std::nullopt;
}

double ScoreOf(const Json& value, const std::string& name, const std::string& place, std::string_view metric) {
  std::optional<double> score;
  if (value.is_boolean())
    score = value.get<bool>() ? 1 : 0;
  else if (value.is_number())
    score = value.get<double>();
  else if (value.is_string())
    score = ScoreOfWord(value.get_ref<const std::string&>());
  if (!score || !std::isfinite(*score))
    Fail(ErrorKind::kInvalid, "{}: {}: {}: expected a number, true, false, pass or fail, found {}", name, place, metric,
         Shown(value));
  return *score;
}

/// The one of `found` that is asked for, or the only one.
std::string Choose(const std::vector<std::string>& found, const std::string& asked, std::string_view what,
                   std::string_view flag, const std::string& name) {
  if (found.empty()) Fail(ErrorKind::kInvalid, "{}: no {} is in it", name, what);
  if (asked.empty() && found.size() == 1) return found[0];
  if (std::find(found.begin(), found.end(), asked) != found.end()) return asked;
  if (asked.empty())
    Fail(ErrorKind::kInvalid, "{}: several {}s: {}; name one by {}", name, what, Join(found, ", "), flag);
  Fail(ErrorKind::kInvalid, "{}: no {} \"{}\"; there {}: {}", name, what, asked, found.size() == 1 ? "is" : "are",
       Join(found, ", "));
}

void AddOnce(std::vector<std::string>& list, const std::string& text) {
  if (std::find(list.begin(), list.end(), text) != list.end()) return;
  if (list.size() >= kMostNames)
    Fail(ErrorKind::kResource, "more than {} different metrics, providers or prompts in one file", kMostNames);
  list.push_back(text);
}

/// A slice (or cluster) that a user keeps in a tool's metadata.
void TakeGroups(const Json* metadata, Row& row) {
  if (!metadata) return;
  if (std::string slice = TextOf(*metadata, "slice"); !slice.empty()) row.slice = std::move(slice);
  if (std::string cluster = TextOf(*metadata, "cluster"); !cluster.empty()) row.cluster = std::move(cluster);
}

// ---- lm-evaluation-harness: samples_TASK_DATE.jsonl, written with --log_samples

constexpr std::string_view kLmEvalMembers[] = {"doc_id",         "doc",    "target",  "arguments", "resps",
                                               "filtered_resps", "filter", "metrics", "doc_hash",  "prompt_hash",
                                               "target_hash"};

bool IsLmEval(const Source& source) {
  return source.lines && FindMember(source.json, "doc_id") &&
         (source.json.contains("resps") || source.json.contains("filtered_resps"));
}

/// "exact_match,strict-match", as the harness itself names a metric behind a filter; "acc" where there is none.
std::string FullMetric(const std::string& metric, const std::string& filter) {
  return filter.empty() || filter == "none" ? metric : metric + "," + filter;
}

std::vector<std::string> LmEvalMetrics(const Json& sample) {
  std::vector<std::string> names;
  if (const Json* listed = FindMember(sample, "metrics"); listed && listed->is_array()) {
    for (const Json& name : *listed)
      if (name.is_string()) names.push_back(name.get<std::string>());
    return names;
  }
  // Before the harness listed them: what is a score by its type.
  for (const auto& [key, value] : sample.items())
    if ((value.is_number() || value.is_boolean()) &&
        std::find(std::begin(kLmEvalMembers), std::end(kLmEvalMembers), key) == std::end(kLmEvalMembers))
      names.push_back(key);
  return names;
}

/// A generated text; log-likelihoods of choices are no answer.
std::string LmEvalAnswer(const Json& sample) {
  const Json* value = FindMember(sample, "filtered_resps");
  if (!value) value = FindMember(sample, "resps");
  while (value && value->is_array() && !value->empty()) value = &(*value)[0];
  return value && value->is_string() ? value->get<std::string>() : "";
}

Rows ReadLmEval(const Source& source, const ScoreChoice& choice) {
  std::vector<std::pair<std::string, Json>> samples;  // place, sample
  std::vector<std::string> metrics, filters;
  int64_t number = 0;
  for (size_t begin = 0; begin < source.text.size();) {
    const size_t end = std::min(source.text.find('\n', begin), source.text.size());
    const std::string_view line = source.text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (Trim(line).empty()) continue;
    const std::string where = fmt::format("{}:{}", source.name, number);
    Json sample = ParseJson(line, where);
    if (!FindMember(sample, "doc_id")) Fail(ErrorKind::kCorrupt, "{}: \"doc_id\" is missing", where);
    AddOnce(filters, TextOf(sample, "filter"));
    for (const std::string& metric : LmEvalMetrics(sample))
      AddOnce(metrics, FullMetric(metric, TextOf(sample, "filter")));
    samples.emplace_back(fmt::format("line {}", number), std::move(sample));
  }
  std::string asked = choice.metric;
  // The filter need not be named where there is one.
  if (filters.size() == 1 && !asked.empty() && asked.find(',') == std::string::npos)
    asked = FullMetric(asked, filters[0]);
  Rows out;
  out.metric = Choose(metrics, asked, "metric", "--metric", source.name);
  for (const auto& [place, sample] : samples) {
    const std::string filter = TextOf(sample, "filter");
    const std::string metric = out.metric.substr(0, out.metric.find(','));
    if (FullMetric(metric, filter) != out.metric) continue;  // another filter's copy of the example
    Row row;
    row.place = place;
    const Json& id = sample["doc_id"];
    row.id = id.is_string() ? id.get<std::string>() : DumpJson(id);
    const Json* value = FindMember(sample, metric);
    if (!value) Fail(ErrorKind::kCorrupt, "{}: {}: \"{}\" is missing", source.name, place, metric);
    row.score = ScoreOf(*value, source.name, place, metric);
    row.prompt_hash = TextOf(sample, "prompt_hash");
    row.answer = LmEvalAnswer(sample);
    out.rows.push_back(std::move(row));
  }
  return out;
}

// ---- Inspect: logs in JSON

bool IsInspect(const Source& source) {
  return !source.lines && FindMember(source.json, "eval") &&
         (source.json.contains("samples") || source.json.contains("plan"));
}

/// The scores of a sample by name; those of a scorer with several values as "scorer/value".
std::vector<std::pair<std::string, Json>> InspectScores(const Json& sample) {
  std::vector<std::pair<std::string, Json>> scores;
  const Json* all = FindMember(sample, "scores");
  if (!all || !all->is_object()) return scores;
  for (const auto& [name, score] : all->items()) {
    const Json* value = FindMember(score, "value");
    if (!value) continue;
    if (value->is_object())
      for (const auto& [key, one] : value->items()) scores.emplace_back(name + "/" + key, one);
    else
      scores.emplace_back(name, *value);
  }
  return scores;
}

Rows ReadInspect(const Source& source, const ScoreChoice& choice) {
  const Json& eval = source.json["eval"];
  Rows out;
  out.model = TextOf(eval, "model");
  out.task = TextOf(eval, "task");
  out.complete = TextOf(source.json, "status") == "success";
  const Json* samples = FindMember(source.json, "samples");
  if (!samples || !samples->is_array() || samples->empty())
    Fail(ErrorKind::kInvalid, "{}: the log has no samples (it was written without them, or only its header was)",
         source.name);
  std::vector<std::string> metrics;
  bool several_epochs = false;
  for (const Json& sample : *samples) {
    for (const auto& [name, value] : InspectScores(sample)) AddOnce(metrics, name);
    const Json* epoch = FindMember(sample, "epoch");
    several_epochs |= epoch && epoch->is_number_integer() && epoch->get<int64_t>() > 1;
  }
  if (metrics.empty() && !out.complete) {
    const Json* error = FindMember(source.json, "error");
    Fail(ErrorKind::kInvalid, "{}: the log is unfinished, no sample has a score: status \"{}\"{}", source.name,
         TextOf(source.json, "status"), error ? ", " + TextOf(*error, "message") : "");
  }
  out.metric = Choose(metrics, choice.metric, "score", "--metric", source.name);
  for (size_t i = 0; i < samples->size(); ++i) {
    const Json& sample = (*samples)[i];
    Row row;
    row.place = fmt::format("samples[{}]", i);
    const Json* id = FindMember(sample, "id");
    if (!id || (!id->is_string() && !id->is_number_integer()))
      Fail(ErrorKind::kCorrupt, "{}: {}: expected an \"id\", a text or a whole number", source.name, row.place);
    row.id = id->is_string() ? id->get<std::string>() : DumpJson(*id);
    TakeGroups(FindMember(sample, "metadata"), row);
    if (several_epochs) {
      // Answers to one question are not independent.
      if (row.cluster.empty()) row.cluster = row.id;
      row.id += "#" + (FindMember(sample, "epoch") ? DumpJson(sample["epoch"]) : "1");
    }
    if (const Json* output = FindMember(sample, "output")) {
      row.answer = TextOf(*output, "completion");
      if (const Json* choices = FindMember(*output, "choices"); choices && choices->is_array() && !choices->empty())
        if (const std::string why = TextOf((*choices)[0], "stop_reason"); why == "max_tokens" || why == "model_length")
          row.finish = "length";
    }
    // Chat messages carry ids of the log's own.
    if (const std::string input = TextOf(sample, "input"); !input.empty()) row.prompt_hash = HashHex(input);
    if (const Json* error = FindMember(sample, "error")) {
      const std::string message = TextOf(*error, "message");
      row.error = message.empty() ? Shown(*error) : message;
    } else {
      const auto scores = InspectScores(sample);
      auto found = std::find_if(scores.begin(), scores.end(), [&](const auto& s) { return s.first == out.metric; });
      if (found == scores.end()) {
        if (out.complete) Fail(ErrorKind::kInvalid, "{}: {}: no score {}", source.name, row.place, out.metric);
        continue;  // the comparison says that the log is unfinished
      }
      row.score = ScoreOf(found->second, source.name, row.place, out.metric);
      row.detail = TextOf(sample["scores"][out.metric.substr(0, out.metric.find('/'))], "explanation");
    }
    out.rows.push_back(std::move(row));
  }
  if (several_epochs) out.notes.push_back("several epochs: answers to one sample share a cluster");
  return out;
}

// ---- promptfoo: results in JSON

const Json* PromptfooResults(const Json& json) {
  const Json* results = FindMember(json, "results");
  if (results && results->is_object()) results = FindMember(*results, "results");
  return results && results->is_array() && !results->empty() && (*results)[0].is_object() &&
                 (*results)[0].contains("success")
             ? results
             : nullptr;
}

bool IsPromptfoo(const Source& source) {
  return !source.lines && PromptfooResults(source.json);
}

std::string ProviderOf(const Json& result) {
  const Json* provider = FindMember(result, "provider");
  if (!provider) return "";
  if (provider->is_string()) return provider->get<std::string>();
  const std::string label = TextOf(*provider, "label");
  return label.empty() ? TextOf(*provider, "id") : label;
}

std::string PromptOf(const Json& result) {
  const Json* prompt = FindMember(result, "prompt");
  const std::string label = prompt ? TextOf(*prompt, "label") : "";
  const Json* index = FindMember(result, "promptIdx");
  return !label.empty() ? label : index ? "prompt " + DumpJson(*index) : "";
}

Rows ReadPromptfoo(const Source& source, const ScoreChoice& choice) {
  const Json& results = *PromptfooResults(source.json);
  std::vector<std::string> arms, metrics = {"success"};
  // A provider's prompts are arms of their own.
  std::unordered_map<std::string, std::vector<std::string>> prompts;
  for (const Json& result : results) AddOnce(prompts[ProviderOf(result)], PromptOf(result));
  auto arm_of = [&](const Json& result) {
    const std::string provider = ProviderOf(result);
    return prompts[provider].size() > 1 ? provider + " / " + PromptOf(result) : provider;
  };
  for (const Json& result : results) {
    AddOnce(arms, arm_of(result));
    if (const Json* named = FindMember(result, "namedScores"); named && named->is_object())
      for (const auto& [name, value] : named->items()) AddOnce(metrics, name);
  }
  const std::string arm = Choose(arms, choice.arm, "provider", fmt::format("{}#PROVIDER", source.name), source.name);
  Rows out;
  // Named scores go into the success; they are looked at only when asked for.
  out.metric = choice.metric.empty() ? "success" : Choose(metrics, choice.metric, "score", "--metric", source.name);
  out.model = arm;
  std::unordered_map<std::string, std::pair<int, size_t>> seen;  // how often, and the row of the first
  int64_t position = 0;
  bool repeated = false;
  for (size_t i = 0; i < results.size(); ++i) {
    const Json& result = results[i];
    if (arm_of(result) != arm) continue;
    Row row;
    row.place = fmt::format("results[{}]", i);
    const Json* index = FindMember(result, "testIdx");
    const std::string test = fmt::format("test {}", index ? DumpJson(*index) : std::to_string(position));
    ++position;
    const auto first = seen.try_emplace(test, 0, out.rows.size()).first;
    const int repeat = ++first->second.first;
    row.id = repeat == 1 ? test : fmt::format("{}#{}", test, repeat);
    if (repeat > 1) {
      repeated = true;
      std::string& cluster = out.rows[first->second.second].cluster;
      if (cluster.empty()) cluster = test;
      row.cluster = cluster;
    }
    if (const Json* test_case = FindMember(result, "testCase")) TakeGroups(FindMember(*test_case, "metadata"), row);
    const Json* prompt = FindMember(result, "prompt");
    const std::string raw = prompt ? TextOf(*prompt, "raw") : "";
    if (!raw.empty())
      row.prompt_hash = HashHex(raw);
    else if (const Json* vars = FindMember(result, "vars"))
      row.prompt_hash = HashHex(DumpJson(*vars));
    if (const Json* response = FindMember(result, "response"))
      if (const Json* output = FindMember(*response, "output"))
        row.answer = output->is_string() ? output->get<std::string>() : DumpJson(*output);
    const Json* grading = FindMember(result, "gradingResult");
    const Json* reason = FindMember(result, "failureReason");
    const Json* error = FindMember(result, "error");
    // 2: the provider failed, not the answer. Before there were reasons: an error that nothing was graded beside.
    if (reason ? *reason == 2 : error && !grading) {
      row.error = error ? (error->is_string() ? error->get<std::string>() : Shown(*error)) : "the provider failed";
    } else if (out.metric == "success") {
      const Json* success = FindMember(result, "success");
      if (!success || !success->is_boolean())
        Fail(ErrorKind::kCorrupt, "{}: {}: expected \"success\", true or false", source.name, row.place);
      row.score = success->get<bool>() ? 1 : 0;
      row.detail = grading ? TextOf(*grading, "reason") : "";
    } else {
      const Json* named = FindMember(result, "namedScores");
      const Json* value = named ? FindMember(*named, out.metric) : nullptr;
      if (!value) Fail(ErrorKind::kInvalid, "{}: {}: no score {}", source.name, row.place, out.metric);
      row.score = ScoreOf(*value, source.name, row.place, out.metric);
    }
    out.rows.push_back(std::move(row));
  }
  if (repeated) out.notes.push_back("repeated tests: answers to one test share a cluster");
  return out;
}

// ---- CSV with a header: id, pass, and slice, cluster, answer where there are

bool IsCsv(const Source& source) {
  return source.json.is_null() && source.text.find_first_of(",;\t") != std::string_view::npos;
}

Rows ReadCsv(const Source& source, const ScoreChoice& choice) {
  const std::vector<CsvRecord> records = ParseCsv(source.text, source.name);
  if (records.empty()) Fail(ErrorKind::kInvalid, "{}: empty: expected a line of column names", source.name);
  std::unordered_map<std::string, size_t> columns;
  std::vector<std::string> names, unread;
  for (size_t i = 0; i < records[0].fields.size(); ++i) {
    const std::string name = ToLowerAscii(Trim(records[0].fields[i]));
    names.push_back(name);
    if (!columns.emplace(name, i).second)
      Fail(ErrorKind::kInvalid, "{}:{}: two columns are named {}", source.name, records[0].line, name);
  }
  const std::string score = choice.metric.empty() ? "pass" : ToLowerAscii(choice.metric);
  for (const std::string& needed : {std::string("id"), score})
    if (!columns.contains(needed))
      Fail(ErrorKind::kInvalid,
           "{}:{}: no column {}; expected id, {}, and slice, cluster and answer where there are; "
           "found {}",
           source.name, records[0].line, needed, score, Join(names, ", "));
  for (const std::string& name : names)
    if (name != "id" && name != score && name != "slice" && name != "cluster" && name != "answer")
      unread.push_back(name);
  Rows out;
  out.metric = score;
  if (!unread.empty()) out.notes.push_back("columns that are not read: " + Join(unread, ", "));
  for (size_t i = 1; i < records.size(); ++i) {
    const CsvRecord& record = records[i];
    if (record.fields.size() != names.size())
      Fail(ErrorKind::kCorrupt, "{}:{}: expected {} fields, found {}", source.name, record.line, names.size(),
           record.fields.size());
    auto field = [&](const std::string& name) {
      auto it = columns.find(name);
      return it == columns.end() ? std::string() : record.fields[it->second];
    };
    Row row;
    row.place = fmt::format("line {}", record.line);
    row.id = Trim(field("id"));
    if (row.id.empty()) Fail(ErrorKind::kCorrupt, "{}:{}: the id is empty", source.name, record.line);
    if (std::string slice(Trim(field("slice"))); !slice.empty()) row.slice = slice;
    row.cluster = Trim(field("cluster"));
    row.answer = field("answer");
    row.score = ScoreOf(Json(field(score)), source.name, row.place, score);
    out.rows.push_back(std::move(row));
  }
  return out;
}

// ---- The table

struct Format {
  std::string_view name;
  bool (*is)(const Source& source);
  Rows (*read)(const Source& source, const ScoreChoice& choice);
};
constexpr Format kFormats[] = {
    {"lm-evaluation-harness samples", IsLmEval, ReadLmEval},
    {"an Inspect log in JSON", IsInspect, ReadInspect},
    {"promptfoo results in JSON", IsPromptfoo, ReadPromptfoo},
    {"CSV", IsCsv, ReadCsv},
};

Source Look(std::string_view text, const std::string& name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Source source{name, text, nullptr, false};
  if (text.starts_with("PK\x03\x04"))
    Fail(ErrorKind::kUnsupported,
         "{}: a zip archive; an Inspect log is read as JSON: inspect log convert {} --to json --output-dir DIR", name,
         name);
  const std::string_view trimmed = Trim(text);
  if (trimmed.empty()) Fail(ErrorKind::kInvalid, "{}: the file is empty", name);
  if (trimmed[0] != '{' && trimmed[0] != '[') return source;
  const std::string_view line = trimmed.substr(0, trimmed.find('\n'));
  source.json = Json::parse(line, nullptr, false);
  if (!source.json.is_discarded() && (line.size() < trimmed.size() || source.json.contains("doc_id"))) {
    source.lines = true;
    return source;
  }
  source.json = ParseJson(trimmed, name);
  return source;
}

[[noreturn]] void RefuseUnknown(const Source& source) {
  std::vector<std::string> members, names;
  if (source.json.is_object())
    for (const auto& [key, value] : source.json.items())
      if (members.size() < 8) members.push_back(key);
  std::string hint;
  if (source.lines && source.json.contains("id"))
    hint = "; answers are scored first: assay score TASK FILE -o RUN";
  else if (FindMember(source.json, "results") && source.json.contains("versions"))
    hint = "; these are a harness's averages: run it with --log_samples and give samples_*.jsonl";
  for (const Format& format : kFormats) names.emplace_back(format.name);
  Fail(ErrorKind::kUnsupported, "{}: expected a saved run, a check's data, {}; found {}{}", source.name,
       Join(names, ", "),
       source.json.is_null() ? "text"
       : members.empty()     ? "other JSON"
                             : "members " + Join(members, ", "),
       hint);
}

/// Scores to outcomes. Without a threshold only 0 and 1 are outcomes.
void Decide(Rows& rows, const ScoreChoice& choice, const std::string& name) {
  if (choice.threshold) {
    for (Row& row : rows.rows) row.score = row.score >= *choice.threshold ? 1 : 0;
    rows.notes.push_back(fmt::format("{} of at least {:g} passes", rows.metric, *choice.threshold));
    return;
  }
  std::vector<std::string> others;
  size_t count = 0;
  for (const Row& row : rows.rows)
    if (row.error.empty() && row.score != 0 && row.score != 1 && ++count <= 3)
      others.push_back(fmt::format("{:g} in {}", row.score, row.place));
  if (count == 0) return;
  Fail(ErrorKind::kInvalid, "{}: {} of {} scores of {} are neither 0 nor 1 ({}): say how much passes by --threshold",
       name, count, rows.rows.size(), rows.metric, Join(others, ", "));
}

}  // namespace

ScoredRun ParseScoredRun(std::string_view text, const std::string& name, const ScoreChoice& choice) {
  const Source source = Look(text, name);
  const Format* format =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) { return f.is(source); });
  if (format == std::end(kFormats)) RefuseUnknown(source);
  if (!choice.arm.empty() && format->read != ReadPromptfoo)
    Fail(ErrorKind::kInvalid, "{}#{}: only promptfoo's files have several providers, this is {}", name, choice.arm,
         format->name);
  Rows rows = format->read(source, choice);
  if (rows.rows.empty()) Fail(ErrorKind::kInvalid, "{}: no example is in it", name);
  Decide(rows, choice, name);
  const std::filesystem::path path(name);
  ScoredRun out;
  RunHeader& header = out.run.header;
  header.answers_from = path.filename().string();
  header.model.format = path.stem().string();
  header.model.name = rows.model;
  header.task_name = rows.task.empty() ? path.stem().string() : rows.task;
  out.run.complete = rows.complete;
  out.notes = std::move(rows.notes);
  std::unordered_map<std::string, std::string> places;
  for (Row& row : rows.rows) {
    if (auto [first, fresh] = places.emplace(row.id, row.place); !fresh)
      Fail(ErrorKind::kCorrupt, "{}: {}: a second result for {}; the first is {}", name, row.place, row.id,
           first->second);
    ExampleResult result;
    result.id = std::move(row.id);
    result.slice = std::move(row.slice);
    result.cluster = std::move(row.cluster);
    result.index = static_cast<int64_t>(out.run.examples.size());
    result.prompt_hash = std::move(row.prompt_hash);
    result.answer = std::move(row.answer);
    result.finish = row.error.empty() ? std::move(row.finish) : "error";
    result.error = std::move(row.error);
    if (result.error.empty()) {
      result.pass = row.score == 1;
      result.checks.push_back({rows.metric, result.pass, result.pass ? "" : "failed", std::move(row.detail), ""});
    }
    out.run.examples.push_back(std::move(result));
  }
  return out;
}

ScoredRun ReadScoredRun(const std::filesystem::path& path, const ScoreChoice& choice) {
  return ParseScoredRun(ReadFile(path), path.string(), choice);
}

std::vector<std::string_view> ScoredRunFormats() {
  std::vector<std::string_view> names;
  for (const Format& format : kFormats) names.push_back(format.name);
  return names;
}

void LabelScoredRuns(std::span<RunRecord* const> runs, const std::vector<std::filesystem::path>& paths,
                     const std::set<std::string>& taken) {
  ASSAY_CHECK(runs.size() == paths.size());
  std::string (*const kinds[])(const RunRecord&, const std::filesystem::path&) = {
      [](const RunRecord& run, const std::filesystem::path&) { return run.header.model.name; },
      [](const RunRecord&, const std::filesystem::path& path) { return path.parent_path().filename().string(); },
      [](const RunRecord&, const std::filesystem::path& path) { return path.stem().string(); },
      [](const RunRecord&, const std::filesystem::path& path) { return path.string(); },
  };
  for (auto kind : kinds) {
    std::set<std::string> seen = taken;
    bool apart = true;
    for (size_t i = 0; i < runs.size(); ++i) {
      const std::string label = kind(*runs[i], paths[i]);
      apart &= !label.empty() && seen.insert(label).second;
    }
    if (!apart) continue;
    for (size_t i = 0; i < runs.size(); ++i) runs[i]->header.model.format = kind(*runs[i], paths[i]);
    return;
  }
}

std::string AssumeAlike(const RunRecord& baseline, RunRecord& candidate) {
  const RunHeader& a = baseline.header;
  RunHeader& b = candidate.header;
  if (a.answers_from.empty() && b.answers_from.empty()) return "";
  const bool both = !a.answers_from.empty() && !b.answers_from.empty();
  std::string unknown = "sampling and arithmetic";
  // What a tool says of prompts can be held against the same tool's words alone.
  std::unordered_map<std::string_view, const ExampleResult*> by_id;
  for (const ExampleResult& result : baseline.examples) by_id.emplace(result.id, &result);
  bool prompts_known = both;
  for (ExampleResult& result : candidate.examples) {
    auto found = by_id.find(result.id);
    if (found == by_id.end()) continue;
    if (both && !result.prompt_hash.empty() && !found->second->prompt_hash.empty()) continue;
    prompts_known = false;
    result.prompt_hash = found->second->prompt_hash;
  }
  if (!prompts_known) unknown = "prompts, " + unknown;
  if (a.task_hash.empty() || b.task_hash.empty()) {
    unknown = "examples beside their ids, " + unknown;
    if (b.task_hash.empty()) {
      b.margin = a.margin;
      b.looks = a.looks;
    }
    b.task_hash = a.task_hash;
  }
  b.tokenizer_hash = a.tokenizer_hash;
  b.template_hash = a.template_hash;
  b.prompts_by = a.prompts_by;
  b.sampling = a.sampling;
  b.now = a.now;
  b.template_variables = a.template_variables;
  b.arithmetic = a.arithmetic;
  b.build = a.build;
  b.machine = a.machine;
  const std::string who = both                     ? fmt::format("both models ({}, {})", a.answers_from, b.answers_from)
                          : a.answers_from.empty() ? fmt::format("the candidate ({})", b.answers_from)
                                                   : fmt::format("the baseline ({})", a.answers_from);
  return fmt::format("answers of {} were made elsewhere: that {} were the same for both is not known here", who,
                     unknown);
}

}  // namespace assay
