// assay task init: a task to begin with. A sample of each kind of answer that is wanted, in the form that one's own
// examples have; questions are asked where somebody can answer them.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "base/counted.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/command.h"
#include "system/file.h"
#include "task/task.h"

namespace assay {
namespace {

struct Kind {
  std::string_view name, what, example;  // a line without id and draft
};
constexpr Kind kKinds[] = {
    {"text", "a few words must occur, or make the answer",
     R"({"slice":"text","messages":[{"role":"user","content":"What is the capital of France? Answer with one word."}],"expect":[{"type":"contains","value":"Paris","ignore_case":true,"whole_word":true}]})"},
    {"json", "a JSON object",
     R"({"slice":"json","messages":[{"role":"user","content":"Ann Lee is 34. Answer with a JSON object of \"name\" and \"age\", and nothing else."}],"response_schema":{"type":"object","required":["name","age"],"properties":{"name":{"type":"string"},"age":{"type":"integer"}}},"expect":[{"type":"json_value","value":{"name":"Ann Lee","age":34}}]})"},
    {"tools", "a call of a tool, with arguments",
     R"({"slice":"tools","messages":[{"role":"user","content":"What is the weather in Oslo, in celsius?"}],"tools":[{"type":"function","function":{"name":"get_weather","description":"The weather of a city.","parameters":{"type":"object","required":["city"],"properties":{"city":{"type":"string"},"unit":{"type":"string","enum":["celsius","fahrenheit"]}}}}}],"expect":[{"type":"tool_calls","calls":[{"name":"get_weather","arguments":{"city":"Oslo","unit":{"$optional":"celsius"}}}]}]})"},
    {"number", "a number, worked out or looked up",
     R"({"slice":"number","messages":[{"role":"user","content":"A ticket costs 12.50 euros. What do three tickets cost?"}],"expect":[{"type":"number","value":37.5}]})"},
    {"choice", "one of several options",
     R"({"slice":"choice","messages":[{"role":"user","content":"Which is an animal?\nA) a chair\nB) a dog\nC) a stone\nAnswer with the letter."}],"expect":[{"type":"choice","value":"B","choices":["a chair","a dog","a stone"]}]})"},
    {"retrieval", "an answer out of a text that is given",
     R"({"slice":"retrieval","context":"The warehouse in Kiel closes at 18:00, the one in Ulm at 20:30.","messages":[{"role":"user","content":"{context}\n\nWhen does the warehouse in Ulm close? Answer with the time alone."}],"expect":[{"type":"contains","value":"20:30","max_chars":100}]})"},
};

struct Options {
  std::string file = "task.jsonl", about, system;
  std::vector<std::string> kinds;
  bool force = false;
};

std::vector<std::string> KindNames() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

const Kind& FindKind(const std::string& name) {
  const auto* kind =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const Kind& one) { return one.name == name; });
  if (kind != std::end(kKinds)) return *kind;
  const std::string near = Nearest(name, KindNames());
  Fail(ErrorKind::kInvalid, "--kind {}: expected some of {}{}", name, Join(KindNames(), ","),
       near.empty() ? "" : "; did you mean " + near + "?");
}

// What a person types; empty at the end of the input.
std::string Answered(std::string_view question) {
  Ask(question);
  std::string line;
  if (!std::getline(std::cin, line)) Ask("\n");
  return std::string(Trim(line));
}

std::vector<std::string> NamesIn(const std::string& text) {
  std::vector<std::string> names;
  std::string spaced = text;
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  for (const std::string& one : Split(spaced, ' '))
    if (!one.empty()) names.push_back(ToLowerAscii(one));
  return names;
}

void AskAll(Options& o) {
  if (o.about.empty()) o.about = Answered("What does the model do for you? (a sentence, or nothing) ");
  if (o.system.empty()) o.system = Answered("Its system prompt, as your product sends it (a line, or nothing) ");
  Ask("What do its answers hold?\n");
  for (const Kind& kind : kKinds) Ask(fmt::format("  {:<10} {}\n", kind.name, kind.what));
  for (int tries = 0; o.kinds.empty(); ++tries) {
    const std::string said = Answered("Some of these names, with commas between (nothing: all) ");
    o.kinds = said.empty() ? KindNames() : NamesIn(said);
    for (const std::string& name : o.kinds)
      if (const auto all = KindNames(); std::find(all.begin(), all.end(), name) == all.end()) {
        if (tries >= 2) FindKind(name);  // says what is expected
        Ask(fmt::format("There is no {}.\n", name));
        o.kinds.clear();
        break;
      }
  }
}

std::string TaskText(const Options& o) {
  Json head = Json::object();
  if (!o.about.empty()) head["task"] = {{"description", o.about}};
  if (!o.system.empty()) head["defaults"] = {{"system", o.system}};
  std::string text = head.empty() ? "" : DumpJson(head) + "\n";
  for (const std::string& name : o.kinds) {
    Json line = {{"id", name + "-1"}};
    const Json example = ParseJson(FindKind(name).example, "assay task init", /*strict=*/true);
    for (const auto& [key, value] : example.items()) line[key] = value;
    line["draft"] = kSampleDraft;
    text += DumpJson(line) + "\n";
  }
  return text;
}

int Run(Options& o, bool kinds_given, const CommonFlags& flags) {
  AtomicFile file(o.file, RulesFor(o.file, o.force, flags));
  if (!kinds_given) {
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
      PrintError(
          fmt::format("task init: nobody is there to be asked: expected --kind, some of {}", Join(KindNames(), ",")));
      return kUsage;
    }
    AskAll(o);
  }
  std::vector<std::string> once;
  for (const std::string& name : o.kinds) {
    FindKind(name);
    if (std::find(once.begin(), once.end(), name) == once.end()) once.push_back(name);
  }
  o.kinds = once;
  const std::string text = TaskText(o);
  ParseTask(text, o.file);
  file.Write(text);
  file.Commit();
  if (flags.json)
    PrintJson({{"file", o.file}, {"examples", o.kinds.size()}, {"kinds", o.kinds}});
  else
    Print(fmt::format("{}: {} ({})", o.file, Counted(std::ssize(o.kinds), "sample"), Join(o.kinds, ", ")));
  Note(flags,
       fmt::format("next: put examples of your own in the samples' place, about {} in all, a line each, and take "
                   "\"draft\" out; then assay task check {} (a table or another tool's file: assay task import)",
                   kAdvisedExamples, o.file));
  return kHolds;
}

}  // namespace

std::function<int()> AddInit(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<Options>();
  command.Option("FILE", o->file, "the task to write").ShowDefault();
  Flag kinds = command
                   .Option("--kind", o->kinds,
                           "samples to write: some of " + Join(KindNames(), ",") + "; without it, questions are asked")
                   .CommaSeparated();
  command.Option("--about", o->about, "what the model does, for people: the task's description");
  command.Option("--system", o->system, "the system prompt that every example gets");
  AddForce(command, o->force);
  return [o, kinds, &flags] { return Run(*o, kinds.given(), flags); };
}

}  // namespace assay
