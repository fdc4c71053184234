// The checks of a task on answers that somebody already has.

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/summary.h"
#include "cli/verdict.h"
#include "system/machine.h"
#include "task/answers_file.h"

namespace assay {
namespace {

struct Options {
  std::string task, answers, out, name, format;
  bool allow_missing = false, force = false;
};

constexpr size_t kMostTold = 20;

/// Everything that is wrong, one a line, as one error.
void Refuse(std::vector<std::string> problems) {
  if (problems.empty()) return;
  const size_t all = problems.size();
  if (all > kMostTold) {
    problems.resize(kMostTold);
    problems.push_back(fmt::format("and {} more", all - kMostTold));
  }
  Fail(ErrorKind::kInvalid, "{}", Join(problems, "\n"));
}

RunRecord Score(const Options& o, const Task& task, const CommonFlags& flags) {
  const std::string shown = o.answers == "-" ? "standard input" : o.answers;
  const AnswersFile file = ReadAnswers(ReadInput(o.answers), shown);
  ScoredAnswers scored = ScoreAnswers(task, file);
  std::vector<std::string> problems;
  for (const std::vector<TaskProblem>* list : {&file.problems, &std::as_const(scored.problems)})
    for (const TaskProblem& problem : *list) problems.push_back(problem.Describe(shown));
  for (const Example* example : scored.missing) {
    const TaskProblem problem{example->line, "", fmt::format("{} has no answer in {}", Quote(example->id), shown)};
    const std::string text = problem.Describe(o.task);
    if (!o.allow_missing)
      problems.push_back(text + " (--allow-missing leaves it out of the comparison)");
    else
      Note(flags, text + ": an error, not a failure");
  }
  Refuse(std::move(problems));
  for (const GivenAnswer& given : file.answers)
    if (given.only_reasoning)
      Note(flags, fmt::format("{}:{}: the message has reasoning and no content: an empty answer", shown, given.line));
  if (!file.unread.empty()) Note(flags, fmt::format("{}: not read: {}", shown, Join(file.unread, ", ")));
  RunRecord run;
  RunHeader& header = run.header;
  const std::filesystem::path path(o.answers);
  header.model.format = !o.format.empty() ? o.format : o.answers == "-" ? "answers" : path.stem().string();
  header.model.name = !o.name.empty() ? o.name : o.answers == "-" ? "answers" : path.filename().string();
  header.task_name = task.name;
  header.task_hash = task.hash;
  header.margin = task.margin;
  header.looks = task.looks;
  header.build = BuildText();
  header.started = UtcTimestamp();
  header.answers_from = o.answers == "-" ? "standard input" : path.filename().string();
  run.examples = std::move(scored.examples);
  run.complete = true;
  return run;
}

}  // namespace

std::function<int()> AddScore(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<Options>();
  command.Option("TASK", o->task, "task file (JSON lines, or YAML)").Required();
  command
      .Option("ANSWERS", o->answers,
              "answers, one JSON object a line: id, and answer, message or a whole response (docs/tasks.md); -: "
              "standard input")
      .Required();
  command.Option("-o,--output", o->out, "save the run, for `assay compare`");
  command.Option("--name", o->name, "name of the model that answered (default: the file's)");
  command.Option("--format", o->format, "label of its format in a comparison, such as fp8 (default: the file's name)");
  command.Switch("--allow-missing", o->allow_missing,
                 "examples without an answer are errors, left out of a comparison (default: refused)");
  AddForce(command, o->force);
  return [o, &flags] {
    const Task task = ReadTask(o->task, flags);
    OutputRules rules;
    rules.force = o->force;
    AddSources(rules, {StatesOf(std::vector<std::filesystem::path>{o->task, o->answers})});
    if (!o->out.empty()) CheckOutput(o->out, rules);  // told before any work
    const RunRecord run = Score(*o, task, flags);
    if (!o->out.empty()) WriteRunRecord(o->out, run, rules);
    if (flags.json) {
      PrintJson(SummaryJson(run, o->out));
    } else {
      PrintSummary(run);
      for (const ExampleResult& e : run.examples)
        if (!e.pass && e.error.empty())
          for (const CheckResult& check : e.checks)
            if (!check.pass) Print(fmt::format("  {}: {}: {}: {}", e.id, check.type, check.failure, check.detail));
      if (!o->out.empty()) Print("saved to " + o->out);
    }
    RequireAnswers(run, flags);  // nothing was scored: no success
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
