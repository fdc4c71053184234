#include "task/task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/counted.h"
#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "cli/command.h"
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

int Show(const std::string& path, const CommonFlags& flags) {
  Task task = LoadTask(path);
  if (flags.json) {
    Json out = {{"file", path},
                {"hash", task.hash},
                {"margin", task.margin > 0 ? Json(task.margin) : Json(nullptr)},
                {"looks", task.looks},
                {"examples", Json::array()}};
    for (const Example& e : task.examples) {
      Json checks = Json::array();
      for (const Check& check : e.expect) checks.push_back(check.type);
      out["examples"].push_back({{"id", e.id}, {"slice", e.slice}, {"line", e.line}, {"checks", checks}});
    }
    PrintJson(out);
    return kHolds;
  }
  std::string plan;
  if (task.margin > 0) plan += fmt::format(", margin {:g} points", task.margin);
  if (!task.looks.empty()) plan += fmt::format(", looks at {} examples", fmt::join(task.looks, ", "));
  Print(fmt::format("{}: {}{}, hash {}", path, Counted(std::ssize(task.examples), "example"), plan, task.hash));
  for (const std::string& slice : task.slices()) {
    Print(fmt::format("\n{}", slice));
    for (const Example& e : task.examples) {
      if (e.slice != slice) continue;
      std::string checks, question = e.prompt;
      for (const Check& check : e.expect) checks += (checks.empty() ? "" : ", ") + std::string(check.type);
      if (e.is_chat() && !e.messages.empty() && e.messages.back()["content"].is_string())
        question = e.messages.back()["content"].get<std::string>();
      for (char& c : question)
        if (c == '\n') c = ' ';
      Print(fmt::format("  {:<24.24} {:<24.24} {:.60}", e.id, checks, question));
    }
  }
  return kHolds;
}

struct TryOptions {
  std::string id, answer, answer_file;
};

const Example& FindExample(const Task& task, const std::string& path, const std::string& id) {
  std::vector<std::string> ids;
  for (const Example& example : task.examples) {
    if (example.id == id) return example;
    ids.push_back(example.id);
  }
  const std::string near = Nearest(id, ids);
  Fail(ErrorKind::kInvalid, "{}: no example {}{}", path, Quote(id),
       near.empty() ? "; assay task show lists them" : "; did you mean " + Quote(near) + "?");
}

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
  };
  auto o = std::make_shared<Options>();
  // A command of its own, with flags that the others do not have: so neither ACTION nor TASK is required of it.
  auto captures = std::make_shared<bool>(false);
  CommandLine& below = command.Command("capture", "make a task of real traffic: a recording proxy, or request logs",
                                       [captures] { *captures = true; });
  const std::function<int()> capture = AddCapture(below, flags);
  Flag action = command
                    .Option("ACTION", o->action,
                            "check: validate, line and field of every mistake; show: what is in it; try: what its "
                            "checks read from an answer, and why it passes or fails")
                    .OneOf({"check", "show", "try"});
  Flag task = command.Option("TASK", o->path, "task file (JSON lines)");
  Flag id = command.Option("--id", o->trial.id, "try: the example that is answered");
  Flag answer = command.Text("--answer", o->trial.answer, "try: the answer, as the model wrote it");
  Flag file = command.Option("--answer-file", o->trial.answer_file, "try: the same from a file; -: standard input");
  answer.Excludes(file);
  return [o, id, answer, file, action, task, captures, capture, &flags] {
    if (*captures && (action.given() || task.given() || id.given() || answer.given() || file.given())) {
      PrintError("task capture: expected its own flags, see assay task capture --help");
      return static_cast<int>(kUsage);
    }
    if (*captures) return capture();
    if (!action.given() || !task.given()) {
      PrintError(action.given() ? "TASK is required" : "ACTION is required");
      return static_cast<int>(kUsage);
    }
    const bool given = id.given() || answer.given() || file.given();
    if (o->action == "try" ? !id.given() || (!answer.given() && !file.given()) : given) {
      PrintError(o->action == "try"
                     ? "task try: expected --id and --answer or --answer-file"
                     : fmt::format("task {}: --id, --answer and --answer-file are for task try", o->action));
      return static_cast<int>(kUsage);
    }
    if (o->action == "try") return Try(o->path, o->trial, file.given(), flags);
    return o->action == "check" ? CheckOne(o->path, flags) : Show(o->path, flags);
  };
}

}  // namespace assay
