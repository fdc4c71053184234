#include "task/task.h"

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"

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
      Print(fmt::format("{}: {} examples in {} slices, {} warnings: usable", path, task.examples.size(),
                        task.slices().size(), warnings));
    } else {
      Print(fmt::format("{}: {} errors, {} warnings: not usable", path, errors, warnings));
    }
  }
  return errors ? kError : kHolds;
}

int Show(const std::string& path, const CommonFlags& flags) {
  Task task = LoadTask(path);
  if (flags.json) {
    Json out = {{"file", path}, {"hash", task.hash}, {"examples", Json::array()}};
    for (const Example& e : task.examples) {
      Json checks = Json::array();
      for (const Check& check : e.expect) checks.push_back(check.type);
      out["examples"].push_back({{"id", e.id}, {"slice", e.slice}, {"line", e.line}, {"checks", checks}});
    }
    PrintJson(out);
    return kHolds;
  }
  Print(fmt::format("{}: {} examples, hash {}", path, task.examples.size(), task.hash));
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

}  // namespace

std::function<int()> AddTask(CLI::App& command, CommonFlags& flags) {
  struct Options {
    std::string action, path;
  };
  auto o = std::make_shared<Options>();
  command.add_option("ACTION", o->action, "check: validate, line and field of every mistake; show: what is in it")
      ->required()
      ->check(CLI::IsMember({"check", "show"}));
  command.add_option("TASK", o->path, "task file (JSON lines)")->required();
  return [o, &flags] { return o->action == "check" ? CheckOne(o->path, flags) : Show(o->path, flags); };
}

}  // namespace assay
