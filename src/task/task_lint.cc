#include "task/task_lint.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/strings.h"

namespace assay {
namespace {

void LintCounts(const Task& task, std::vector<TaskProblem>& out) {
  if (task.examples.size() < static_cast<size_t>(kAdvisedExamples))
    out.push_back({0, "",
                   fmt::format("{} examples: with fewer than {} most comparisons end in \"can't tell\"",
                               task.examples.size(), kAdvisedExamples),
                   true});
  if (!task.IsLook())
    out.push_back({0, "task.looks",
                   fmt::format("planned for {}, found {}: no verdict is given before the next look", task.LooksText(),
                               task.examples.size()),
                   true});
  std::map<std::string, int> counts;
  for (const Example& example : task.examples) ++counts[example.slice];
  for (const std::string& slice : task.slices())
    if (int count = counts[slice]; count < kAdvisedSliceExamples)
      out.push_back({0, "",
                     fmt::format("slice {} has {} example{}; at least {} are advised", Quote(slice), count,
                                 count == 1 ? "" : "s", kAdvisedSliceExamples),
                     true});
}

void LintNames(const Task& task, std::vector<TaskProblem>& out) {
  if (task.unnamed > 0)
    out.push_back({0, "id",
                   fmt::format("{} of {} examples have none and are named by their line: another line above them "
                               "renames them, and runs from before are not compared with those after",
                               task.unnamed, task.examples.size()),
                   true});
}

void LintDrafts(const Task& task, std::vector<TaskProblem>& out) {
  for (const Example& example : task.examples)
    if (example.sample) {
      out.push_back({example.line, "draft",
                     fmt::format("{} of {} examples are samples that assay task init wrote, to show the form: put your "
                                 "own in their place, and take \"draft\" out",
                                 task.samples(), task.examples.size()),
                     true});
      break;
    }
  for (const Example& example : task.examples)
    if (example.drafted && !example.sample) {
      out.push_back({example.line, "draft",
                     fmt::format("the checks of {} of {} examples are drafts of what a model answered once: correct "
                                 "\"expect\" where it was wrong, and take \"draft\" out",
                                 task.drafted() - task.samples(), task.examples.size()),
                     true});
      return;
    }
}

bool HasCheck(const Example& example, std::string_view type) {
  for (const Check& check : example.expect)
    if (check.type == type) return true;
  return false;
}

// A variable of another tool's templates, {{name}}; empty for none.
std::string FindVariable(std::string_view text) {
  for (size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at + 2)) {
    size_t end = text.find("}}", at);
    if (end == std::string_view::npos) return "";
    std::string_view name = Trim(text.substr(at + 2, end - at - 2));
    auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; };
    if (!name.empty() && name.size() <= 40 && std::all_of(name.begin(), name.end(), word))
      return std::string(text.substr(at, end + 2 - at));
  }
  return "";
}

void LintExample(const Example& example, std::vector<TaskProblem>& out) {
  auto warn = [&](std::string field, std::string message) {
    out.push_back({example.line, std::move(field), std::move(message), true});
  };
  for (size_t i = 0; i < example.expect.size(); ++i)
    for (const Lint& doubt : example.expect[i].body->Doubts(example))
      warn(fmt::format("expect[{}]{}{}", i, doubt.field.empty() ? "" : ".", doubt.field), doubt.message);
  if (!example.response_schema.is_null() && !HasCheck(example, "json_schema") && !HasCheck(example, "json_value"))
    warn("response_schema", "no json_schema or json_value check uses it");
  if (!example.tools.is_null() && !HasCheck(example, "tool_calls"))
    warn("tools", "no tool_calls check: whether a tool is called is not judged");
  if (std::string variable = FindVariable(example.is_chat() ? DumpJson(example.messages) : example.prompt);
      !variable.empty())
    warn(example.is_chat() ? "messages" : "prompt",
         variable + " is sent as it stands: only {context} is filled in; write each example's text out");
  if (!example.is_chat()) return;
  for (size_t i = 0; i < example.messages.size(); ++i)
    if (const Json content = example.messages[i].value("content", Json()); content.is_array() && content.size() > 1)
      warn(fmt::format("messages[{}].content", i),
           "several parts: where a chat template takes text, engines join them by line breaks");
  if (example.messages.back()["role"] == "assistant")
    warn("messages", "the last message is the assistant's: there is nothing left to answer");
  if (example.context.empty() && DumpJson(example.messages).find("{context}") != std::string::npos)
    warn("messages",
         "{context} stands in a message, but the example has no \"context\": give it, or the braces are sent");
}

void LintDuplicates(const Task& task, std::vector<TaskProblem>& out) {
  std::unordered_map<std::string, const Example*> seen;
  for (const Example& example : task.examples) {
    if (!example.is_chat() && example.prompt.empty()) continue;
    std::string key = DumpJson(Json::array({example.messages, example.prompt, example.tools, example.sampling,
                                            example.documents, example.chat_template_kwargs}));
    auto [first, is_new] = seen.emplace(std::move(key), &example);
    if (!is_new)
      out.push_back({example.line, example.is_chat() ? "messages" : "prompt",
                     fmt::format("the same prompt as {} in line {}: it counts twice", Quote(first->second->id),
                                 first->second->line),
                     true});
  }
}

}  // namespace

std::vector<TaskProblem> LintTask(const Task& task, bool broken) {
  std::vector<TaskProblem> out;
  for (const Example& example : task.examples)
    if (!example.expect.empty()) LintExample(example, out);
  LintDuplicates(task, out);
  if (!broken) LintCounts(task, out);
  LintNames(task, out);
  LintDrafts(task, out);
  return out;
}

}  // namespace assay
