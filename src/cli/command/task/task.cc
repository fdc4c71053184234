#include "task/task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/counted.h"
#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/command/task/review.h"
#include "cli/command/task/show.h"
#include "cli/input.h"
#include "dialect/reasoning.h"
#include "task/runner.h"

namespace assay {
namespace {

int CheckOne(const std::string& path, const CommonFlags& flags) {
  std::vector<TaskProblem> problems = CheckTask(path);
  int errors = 0, warnings = 0;
  for (const TaskProblem& problem : problems) ++(problem.warning ? warnings : errors);
  if (flags.json) {
    Json out = {{"file", path}, {"errors", errors}, {"warnings", warnings}, {"problems", Json::array()}};
    for (const TaskProblem& p : problems)
      out["problems"].push_back(
          {{"line", p.line}, {"field", p.field}, {"message", p.message}, {"level", p.warning ? "warning" : "error"}});
    PrintJson(out);
  } else {
    for (const TaskProblem& p : problems)
      Print(fmt::format("{}: {}", p.warning ? "warning" : "error", p.Describe(path)));
    if (errors == 0) {
      Task task = LoadTask(path);
      Print(fmt::format("{}: {} in {}, {}: usable", path, Counted(std::ssize(task.examples), "example"),
                        Counted(std::ssize(task.slices()), "slice"), Counted(warnings, "warning")));
    } else {
      Print(fmt::format("{}: {}, {}: not usable", path, Counted(errors, "error"), Counted(warnings, "warning")));
    }
  }
  return errors ? kError : kHolds;
}

// Commands of their own below this one.
constexpr Command kBelow[] = {
    {"init", "write a task to begin with, a sample of each kind of answer", AddInit},
    {"import", "make a task of a file of another tool or data set: CSV, fine-tuning rows, promptfoo …", AddImport},
    {"capture", "make a task of real traffic: a recording proxy, or request logs", AddCapture},
    {"review", "a page on this machine to correct what is expected, and to label what differs", AddReview},
};

struct TryOptions {
  std::string id, answer, answer_file;
};

int Try(const std::string& path, const TryOptions& o, bool from_file, const CommonFlags& flags) {
  const Task task = LoadTask(path);
  const Example& example = FindExample(task, path, o.id);
  Answer answer;
  answer.text = from_file ? ReadInput(o.answer_file) : o.answer;
  answer.finish = "stop";
  const ExampleResult result = ScoreAnswer(example, answer, "");
  const AnswerParts parts = SplitReasoning(answer.text);
  if (flags.json) {
    Json json = {{"id", result.id}, {"slice", result.slice}, {"pass", result.pass}, {"answer", result.answer}};
    if (parts.found) json["without_reasoning"] = parts.content;
    json["checks"] = ToJson(result)["checks"];
    for (size_t i = 0; i < example.expect.size(); ++i) json["checks"][i]["expect"] = example.expect[i].spec;
    PrintJson(json);
    return kHolds;
  }
  const auto passed =
      std::count_if(result.checks.begin(), result.checks.end(), [](const CheckResult& c) { return c.pass; });
  Print(fmt::format("{} (slice {}): the answer {}, {} of {} checks", result.id, result.slice,
                    result.pass ? "passes" : "fails", passed, result.checks.size()));
  if (parts.found)
    Print(
        fmt::format("  reasoning is taken off: {} bytes; checked is {}", parts.reasoning.size(), Quote(parts.content)));
  for (size_t i = 0; i < result.checks.size(); ++i) {
    const CheckResult& check = result.checks[i];
    Print(fmt::format("\nexpect[{}] {}: {}", i, check.type, check.pass ? "pass" : "fail, " + check.failure));
    Print("  expects  " + QuoteJson(example.expect[i].spec, 400));
    if (!check.read.empty()) Print("  read     " + check.read);
    if (!check.detail.empty()) Print(fmt::format("  {}  {}", check.pass ? "note   " : "why    ", check.detail));
  }
  return kHolds;
}

}  // namespace

std::function<int()> AddTask(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string action, path;
    TryOptions trial;
    ShowOptions show;
  };
  auto o = std::make_shared<Options>();
  // A command of its own, with flags that the others do not have: so neither ACTION nor TASK is required of it.
  struct Below {
    std::string chosen;
    std::function<int()> run;
  };
  auto below = std::make_shared<Below>();
  for (const Command& row : kBelow) {
    auto run = std::make_shared<std::function<int()>>();
    CommandLine& line = command.Command(row.name, row.summary, [below, run, name = row.name] {
      *below = {std::string(name), *run};
    });
    *run = row.add(line, flags);
  }
  Flag action = command
                    .Option("ACTION", o->action,
                            "check: validate, line and field of every mistake; show: what is in it, or what a MODEL "
                            "gets of it; try: what its checks read from an answer, and why it passes or fails")
                    .OneOf({"check", "show", "try"});
  Flag task = command.Option("TASK", o->path, "task file (JSON lines, or YAML)");
  AddShowFlags(command, o->show);
  Flag id = command.Option("--id", o->trial.id, "show, try: the example");
  Flag answer = command.Text("--answer", o->trial.answer, "try: the answer, as the model wrote it");
  Flag file = command.Option("--answer-file", o->trial.answer_file, "try: the same from a file; -: standard input");
  answer.Excludes(file);
  return [o, id, answer, file, action, task, below, &flags] {
    const bool of_show = !o->show.model.empty() || o->show.of_model(), of_try = answer.given() || file.given();
    if (below->run && (action.given() || task.given() || id.given() || of_try || of_show)) {
      PrintError(
          fmt::format("task {}: expected its own flags, see assay task {} --help", below->chosen, below->chosen));
      return static_cast<int>(kUsage);
    }
    if (below->run) return below->run();
    if (!action.given() || !task.given()) {
      PrintError(action.given() ? "TASK is required" : "ACTION is required");
      return static_cast<int>(kUsage);
    }
    const auto misused = [&](std::string_view expected) {
      PrintError(fmt::format("task {}: {}", o->action, expected));
      return static_cast<int>(kUsage);
    };
    if (of_show && o->action != "show") return misused("MODEL and the flags of its prompts are for task show");
    if (of_try && o->action != "try") return misused("--answer and --answer-file are for task try");
    if (o->action == "try" && (!id.given() || !of_try)) return misused("expected --id and --answer or --answer-file");
    if (o->action == "try") return Try(o->path, o->trial, file.given(), flags);
    if (o->action == "show") {
      o->show.id = o->trial.id;
      return ShowTask(o->path, o->show, flags);
    }
    return id.given() ? misused("--id is for task show and task try") : CheckOne(o->path, flags);
  };
}

}  // namespace assay
