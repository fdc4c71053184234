// What is said once for all examples, ids that nobody wrote, and tasks in YAML: the same task in fewer words.
#include "task/task_defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "task/task.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

constexpr const char* kTool = R"({"type":"function","function":{"name":"f","parameters":{"type":"object"}}})";

std::string Example(const std::string& id, const std::string& more = "",
                    const std::string& expect = R"([{"type":"contains","value":"x"}])") {
  return R"({"id":")" + id + R"(","messages":[{"role":"user","content":")" + id + R"("}],"expect":)" + expect + more +
         "}\n";
}

std::string FirstError(const std::string& text) {
  try {
    ParseTask(text, "t");
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

std::vector<std::string> Warnings(const std::string& text) {
  std::vector<std::string> out;
  for (const TaskProblem& problem : CheckTaskText(text, "t")) {
    EXPECT_TRUE(problem.warning) << problem.Describe("t");
    out.push_back(problem.Describe("t"));
  }
  return out;
}

TEST(TaskDefaults, AreAsIfWrittenOut) {
  const std::string written =
      R"({"id":"a","slice":"s","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"a"}],"tools":[)" +
      std::string(kTool) +
      R"(],"sampling":{"max_tokens":9,"stop":["\n"]},"expect":[{"type":"contains","value":"x"},{"type":"contains","value":"y","not":true}]})";
  const std::string head =
      R"({"defaults":{"system":"Be brief.","slice":"s","tools":[)" + std::string(kTool) +
      R"(],"sampling":{"max_tokens":50,"stop":["\n"]},"expect":[{"type":"contains","value":"y","not":true}]}})" + "\n";
  const Task task = ParseTask(head + Example("a", R"(,"sampling":{"max_tokens":9})"), "t");
  EXPECT_EQ(task.hash, ParseTask(written, "t").hash);
  ASSERT_EQ(task.examples.size(), 1u);
  EXPECT_EQ(task.examples[0].messages.size(), 2u);
  EXPECT_EQ(task.examples[0].expect.size(), 2u);
  EXPECT_EQ(task.examples[0].sampling["max_tokens"], 9);
  EXPECT_EQ(task.examples[0].line, 2);
  // An own system message, and tools that are none, win; checks alone may come from the defaults.
  const Task own = ParseTask(
      head +
          R"({"id":"b","messages":[{"role":"system","content":"S"},{"role":"user","content":"b"}],"tools":[],"slice":"t"})",
      "t");
  EXPECT_EQ(own.examples[0].messages[0]["content"], "S");
  EXPECT_TRUE(own.examples[0].tools.is_null());
  EXPECT_EQ(own.examples[0].slice, "t");
  EXPECT_EQ(own.examples[0].expect.size(), 1u);
}

TEST(TaskDefaults, StandWithThePlanAboveTheExamples) {
  const std::string defaults = R"("defaults":{"slice":"s"})", plan = R"("task":{"margin":5})";
  for (const std::string& head : {"{" + plan + "," + defaults + "}\n", "{" + plan + "}\n{" + defaults + "}\n",
                                  "{" + defaults + "}\n{" + plan + "}\n"}) {
    const Task task = ParseTask(head + Example("a"), "t");
    EXPECT_EQ(task.margin, 5) << head;
    EXPECT_EQ(task.examples[0].slice, "s") << head;
  }
  EXPECT_THAT(FirstError(Example("a") + "{" + defaults + "}\n"),
              HasSubstr("t:2: defaults: may stand once, above the first example"));
  EXPECT_THAT(FirstError("{" + defaults + "}\n{" + defaults + "}\n" + Example("a")),
              HasSubstr("t:2: defaults: may stand once"));
  EXPECT_THAT(FirstError("{" + defaults + R"(,"x":1})"), HasSubstr("t:1: x: unknown member: beside \"task\""));
  EXPECT_THAT(FirstError("{" + defaults + "}\n"), HasSubstr("expected examples after the first line"));
}

TEST(TaskDefaults, MistakesAreToldOnceAtTheirLine) {
  const auto of = [](const std::string& defaults) {
    return FirstError(R"({"defaults":)" + defaults + "}\n" + Example("a") + Example("b"));
  };
  EXPECT_THAT(of(R"({"margin":5})"), HasSubstr("t:1: defaults.margin: belongs to the task as a whole"));
  EXPECT_THAT(of(R"({"messages":[]})"), HasSubstr("t:1: defaults.messages: belongs to one example"));
  EXPECT_THAT(of(R"({"sistem":"x"})"), HasSubstr("t:1: defaults.sistem: unknown member; did you mean \"system\"?"));
  EXPECT_THAT(of(R"({"checks":[]})"), HasSubstr("did you mean \"expect\"?"));
  EXPECT_THAT(of(R"({"system":5})"), HasSubstr("t:1: defaults.system: expected the text of a system message"));
  EXPECT_THAT(of(R"({"tools":[{"name":"f","input_schema":{}}]})"), HasSubstr("t:1: defaults.tools[0]: expected"));
  EXPECT_THAT(of(R"({"sampling":{"temprature":1}})"),
              HasSubstr("t:1: defaults.sampling: unknown member \"temprature\""));
  EXPECT_THAT(of(R"({"expect":[{"type":"icontains","value":"x"}]})"),
              HasSubstr("t:1: defaults.expect[0].type: unknown check"));
  // A check is compiled with the example that it is for, and what is wrong with it everywhere is told once.
  const std::string bad = R"({"defaults":{"expect":[{"type":"regex","pattern":"("}]}})"
                          "\n" +
                          Example("a") + Example("b");
  std::vector<std::string> told;
  for (const TaskProblem& problem : CheckTaskText(bad, "t"))
    if (!problem.warning) told.push_back(problem.Describe("t"));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], HasSubstr("t:2: defaults.expect[0].pattern"));
  EXPECT_THAT(FirstError(R"({"defaults":{"system":"S"}})"
                         "\n"
                         R"({"id":"a","prompt":"x","expect":[{"type":"number","value":1}]})"),
              HasSubstr("t:2: prompt: a raw \"prompt\" cannot carry \"system\" of the defaults"));
}

TEST(TaskDefaults, OfUnlabelledPrompts) {
  const std::string prompt = R"({"messages":[{"role":"user","content":"q"}]})";
  const Task task = ParsePrompts(R"({"defaults":{"system":"S"}})"
                                 "\n" +
                                     prompt,
                                 "p");
  EXPECT_EQ(task.examples[0].messages[0]["content"], "S");
  EXPECT_EQ(task.examples[0].id, "2");
  EXPECT_THROW(ParsePrompts(R"({"defaults":{"expect":[{"type":"number","value":1}]}})"
                            "\n" +
                                prompt,
                            "p"),
               Error);
}

TEST(TaskIds, WithoutOneALineNamesTheExample) {
  const std::string bare = R"({"messages":[{"role":"user","content":"q"}],"expect":[{"type":"contains","value":"x"}]})";
  const Task task = ParseTask(Example("a") + "\n" + bare + "\n", "t");
  EXPECT_EQ(task.examples[1].id, "3");
  EXPECT_EQ(task.unnamed, 1);
  // The name counts: it is what runs are paired by.
  const std::string named = R"({"id":"3",)" + bare.substr(1);
  EXPECT_EQ(task.hash, ParseTask(Example("a") + named, "t").hash);
  EXPECT_NE(task.hash, ParseTask(Example("a") + bare, "t").hash);
  EXPECT_THAT(Warnings(Example("a") + bare),
              ::testing::Contains(HasSubstr("t: id: warning: 1 of 2 examples have none and are named by their line")));
  EXPECT_THAT(FirstError(Example("2") + bare),
              HasSubstr("t:2: id: without one the line is named by its number, and \"2\" is the id of line 1"));
}

TEST(TaskYaml, IsTheSameTask) {
  const std::string json = R"({"task":{"margin":5}})"
                           "\n"
                           R"({"defaults":{"system":"S"}})"
                           "\n" +
                           Example("a") + Example("b");
  const std::string list =
      "- task: {margin: 5}\n- defaults: {system: S}\n"
      "- id: a\n  messages: [{role: user, content: a}]\n  expect: [{type: contains, value: x}]\n"
      "- id: b\n  messages: [{role: user, content: b}]\n  expect:\n    - type: contains\n      value: x\n";
  const std::string object =
      "# mine\ntask:\n  margin: 5\ndefaults:\n  system: S\nexamples:\n"
      "  - id: a\n    messages: [{role: user, content: a}]\n    expect: [{type: contains, value: x}]\n"
      "  - id: b\n    messages: [{role: user, content: b}]\n    expect: [{type: contains, value: x}]\n";
  const std::string documents =
      "defaults: {system: S}\n---\nid: a\nmessages: [{role: user, content: a}]\nexpect: [{type: contains, value: x}]\n"
      "---\nid: b\nmessages: [{role: user, content: b}]\nexpect: [{type: contains, value: x}]\n";
  const Task task = ParseTask(json, "t");
  for (const std::string& yaml : {list, object, documents})
    EXPECT_EQ(ParseTask(yaml, "t.yaml").hash, task.hash) << yaml;
  EXPECT_EQ(ParseTask(object, "t").margin, 5);
  EXPECT_EQ(ParseTask(object, "t").examples[1].line, 10);
}

TEST(TaskYaml, MistakesHaveTheirLine) {
  EXPECT_THAT(FirstError("- id: a\n  prompt: x\n"), HasSubstr("t:1: expect: is missing"));
  EXPECT_THAT(FirstError("- id: a\n  prompt: x\n  expect: [{type: equals, value: 1.0}]\n"),
              HasSubstr("t:1: expect[0].value"));
  EXPECT_THAT(FirstError("- id: a\n  prompt: b: c\n"), HasSubstr("t:2: not YAML at column"));
  EXPECT_THAT(FirstError("examples: []\nx: 1\n"), HasSubstr("t:2: x: unknown member: beside \"examples\""));
  EXPECT_THAT(FirstError("- just text\n"), HasSubstr("t:1: expected an object"));
  EXPECT_THAT(Warnings("- id: a\n  prompt: x\n  expect: [{type: equals, value: no}]\n"),
              ::testing::Contains(HasSubstr("t:3: warning: no is read as the text \"no\"")));
}

}  // namespace
}  // namespace assay
