// assay task import: a task out of a file that another tool or a data set holds its examples in.

#include "import/import.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/counted.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/ranges.h"
#include "import/answer_checks.h"
#include "system/file.h"
#include "task/task.h"

namespace assay {
namespace {

constexpr size_t kMostRows = 30;  // of what is listed for people; --json has all

struct Options {
  std::string file, out, from, answers, unlabelled;
  std::vector<std::string> map;
  ImportOptions import;
  bool force = false, list_kinds = false;
};

void ListKinds(const CommonFlags& flags) {
  if (flags.json) {
    Json kinds = Json::array();
    for (const ImportKind& kind : ImportKinds())
      kinds.push_back({{"name", kind.name}, {"what", kind.what}, {"takes", kind.takes}});
    return PrintJson({{"kinds", std::move(kinds)}});
  }
  for (const ImportKind& kind : ImportKinds()) Print(fmt::format("{:<19} {:<50} {}", kind.name, kind.what, kind.takes));
}

std::string CountsText(const std::map<std::string, int64_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) parts.push_back(fmt::format("{} {}", name, count));
  return Join(parts, ", ");
}

Json ReportJson(const ImportResult& result, const Options& o) {
  Json json = {{"file", o.file},         {"kind", result.kind},      {"layout", result.layout},
               {"rows", result.rows},    {"output", o.out},          {"examples", result.examples},
               {"found", result.found},  {"checks", result.checks},  {"slices", result.slices},
               {"prompts", result.rest}, {"skipped", Json::array()}, {"left_out", result.dropped},
               {"notes", result.notes}};
  for (const ImportSink::Skipped& one : result.skipped)
    json["skipped"].push_back({{"why", one.why}, {"rows", one.rows}, {"first", one.first}});
  return json;
}

void PrintReport(const ImportResult& result, const Options& o) {
  Print(fmt::format("{}: {} of {} ({}), {}", o.file, Counted(result.rows, "row"), result.what, result.kind,
                    result.layout));
  for (size_t i = 0; i < std::min(result.notes.size(), kMostRows); ++i) Print("  " + result.notes[i]);
  if (result.notes.size() > kMostRows)
    Print(fmt::format("  … and {} more (--json has all)", result.notes.size() - kMostRows));
  if (!result.dropped.empty()) Print("left out, with the number of rows: " + CountsText(result.dropped));
  int64_t skipped = 0;
  for (const ImportSink::Skipped& one : result.skipped) skipped += one.rows;
  if (skipped == 0) return;
  Print(fmt::format("{} became no example:", Counted(skipped, "row")));
  std::vector<ImportSink::Skipped> rows = result.skipped;
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.rows > b.rows; });
  for (size_t i = 0; i < std::min(rows.size(), kMostRows); ++i)
    Print(fmt::format("  {:>5}  {} (first: {})", rows[i].rows, rows[i].why, rows[i].first));
  if (rows.size() > kMostRows) Print(fmt::format("  … and {} more reasons (--json has all)", rows.size() - kMostRows));
}

// FIELD=COLUMN of --map.
void ReadMap(Options& o) {
  for (const std::string& one : o.map) {
    const size_t equals = one.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == one.size())
      Fail(ErrorKind::kInvalid, "--map {}: expected FIELD=COLUMN, such as prompt=question", one);
    if (!o.import.kind.columns.emplace(one.substr(0, equals), one.substr(equals + 1)).second)
      Fail(ErrorKind::kInvalid, "--map {}: the field {} is given twice", one, one.substr(0, equals));
  }
}

// The possible answers of BFCL lie in a folder beside the questions, under the same name.
void FindAnswers(Options& o, const CommonFlags& flags) {
  namespace fs = std::filesystem;
  const fs::path file(o.file);
  if (o.answers.empty() && o.file != "-" && file.filename().string().starts_with("BFCL_")) {
    std::error_code ignored;
    const fs::path beside = file.parent_path() / "possible_answer" / file.filename();
    if (fs::is_regular_file(beside, ignored)) {
      o.answers = beside.string();
      Note(flags, fmt::format("possible answers: {}", o.answers));
    }
  }
  if (o.answers.empty()) return;
  o.import.kind.answers = ReadFile(o.answers);
  o.import.kind.answers_name = o.answers;
}

int Run(Options& o, const CommonFlags& flags) {
  ReadMap(o);
  if (o.out.empty()) {
    if (o.file == "-") Fail(ErrorKind::kInvalid, "standard input has no name to make the task's from: -o TASK");
    o.out = std::filesystem::path(o.file).filename().replace_extension().string() + ".task.jsonl";
  }
  if (o.out == o.unlabelled) Fail(ErrorKind::kInvalid, "{}: -o and --unlabelled name the same file", o.out);
  OutputRules rules = RulesFor(o.out, o.force, flags);
  if (o.file != "-") AddSources(rules, {StatesOf(std::vector<std::filesystem::path>{o.file})});
  AtomicFile task_file(o.out, rules);
  std::optional<AtomicFile> rest_file;
  if (!o.unlabelled.empty()) {
    OutputRules of_rest = RulesFor(o.unlabelled, o.force, flags);
    of_rest.sources = rules.sources;
    rest_file.emplace(o.unlabelled, of_rest);
  }
  FindAnswers(o, flags);
  o.import.from = o.from;
  const ImportResult result = ImportTask(ReadInput(o.file), o.file == "-" ? "standard input" : o.file, o.import);
  // As whoever runs it will read it.
  if (!result.task_text.empty() && result.examples > 0) ParseTask(result.task_text, o.file + ", an example a line");
  if (!result.rest_text.empty()) ParsePrompts(result.rest_text, o.unlabelled);
  if (rest_file && result.rest > 0) {
    rest_file->Write(result.rest_text);
    rest_file->Commit();
  }
  if (result.examples > 0) {
    task_file.Write(result.task_text);
    task_file.Commit();
  }
  if (flags.json)
    PrintJson(ReportJson(result, o));
  else
    PrintReport(result, o);
  if (result.rest > 0 && !rest_file)
    Note(flags,
         fmt::format("{} without a check not written: --unlabelled FILE takes them, for assay check --unlabelled",
                     Counted(result.rest, "prompt")));
  if (result.rest > 0 && rest_file && !flags.json)
    Print(fmt::format("{}: {}", o.unlabelled, Counted(result.rest, "prompt")));
  if (result.examples == 0) {
    std::error_code ignored;
    PrintError(fmt::format("{}: not written: none of {} became an example{}", o.out, Counted(result.rows, "row"),
                           std::filesystem::exists(o.out, ignored) ? "; what lies there is older" : ""));
    return kError;
  }
  if (!flags.json) {
    Print(fmt::format(
        "{}: {}{} in slices {}; checks {}", o.out, Counted(result.examples, "example"),
        result.found > result.examples ? fmt::format(" of {}, drawn by seed {}", result.found, o.import.seed) : "",
        CountsText(result.slices), CountsText(result.checks)));
    Note(flags, fmt::format("next: assay task check {}; then look through it: an example should be asked as your "
                            "product asks it",
                            o.out));
  }
  return kHolds;
}

}  // namespace

std::function<int()> AddImport(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<Options>();
  Flag file = command.Option("FILE", o->file,
                             "fine-tuning rows, ShareGPT, Alpaca, CSV or TSV, promptfoo, openai/evals, lm-eval and "
                             "Inspect logs, public data sets (--list-kinds); recognised by what it holds; -: standard "
                             "input");
  command.Option("-o,--output", o->out, "the task (default: FILE's name with .task.jsonl, in this folder)");
  command.Option("--from", o->from, "the kind of the file, where it is not the one that is recognised");
  command.Option("--map", o->map,
                 "FIELD=COLUMN: which column or member is the prompt, expected, id, slice, cluster, system or context; "
                 "of promptfoo's tests, prompt=VARIABLE");
  command
      .Option("--check", o->import.kind.check,
              "how a right answer is compared: auto (as it looks), equals, contains, starts-with, number, json, choice")
      .OneOf({"auto", "equals", "contains", "starts-with", "number", "json", "choice"});
  command.Option("--answers", o->answers, "of bfcl: the file of possible answers");
  command.Option("--unlabelled", o->unlabelled, "takes the prompts of rows that no check fits");
  command.Option("--count", o->import.count, "so many examples, drawn at random and kept in order (default: all)")
      .Within(IntegerBetween(1, 100'000));
  command.Option("--seed", o->import.seed, "of the choice").ShowDefault().Within(UnsignedInteger());
  command.Switch("--list-kinds", o->list_kinds, "the kinds of files that are read, and nothing else");
  AddForce(command, o->force);
  return [o, file, &flags] {
    if (o->list_kinds) {
      ListKinds(flags);
      return static_cast<int>(kHolds);
    }
    if (!file.given()) {
      PrintError("task import: expected FILE");
      return static_cast<int>(kUsage);
    }
    return Run(*o, flags);
  };
}

}  // namespace assay
