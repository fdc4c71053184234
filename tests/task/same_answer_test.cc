// Unlabelled prompts: what is read of them, and when two answers are the same to every check.
#include "task/same_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "task_testing.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kTools =
    R"(,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"}}}}}])";

std::string Labelled(const std::string& checks, const std::string& members = "") {
  return R"({"id":"a","messages":[{"role":"user","content":"hi"}],"expect":[)" + checks + "]" + members + "}\n";
}

/// The reading of an answer to one prompt of a task with these lines.
CheckResult Read(const std::string& task_lines, const std::string& members, std::string_view answer,
                 std::string_view finish = "stop") {
  const Task task = ParseTask(task_lines, "task.jsonl");
  Task prompts = ParsePrompts(R"({"messages":[{"role":"user","content":"hi"}])" + members + "}", "traffic.jsonl");
  ReadAnswersAs(task, prompts);
  const Example& prompt = prompts.examples[0];
  return RunCheck(prompt.expect.at(0), {answer, finish}, prompt);
}

const std::string kCallsCheck = R"({"type":"tool_calls","calls":[{"name":"f","arguments":{"a":1}}]})";
const std::string kJsonCheck = R"({"type":"json_value","value":{"a":1}})";
const std::string kEquals = R"({"type":"equals","value":"x"})";
const std::string kContains = R"({"type":"contains","value":"x"})";
const std::string kNumber = R"({"type":"number","value":18})";
const std::string kChoice = R"({"type":"choice","value":"B"})";
const std::string kRegex = R"({"type":"regex","pattern":"x"})";

TEST(SameAnswer, PairsAndTraps) {
  struct Row {
    std::string checks, a, b;
    bool same;
    std::string notion;  // of a
  };
  const std::string call = R"(<tool_call>{"name":"f","arguments":{"a":1,"b":[1,2]}}</tool_call>)";
  const Row rows[] = {
      // Calls: by value, in any order of members and any syntax; another order of calls may be asked for.
      {kCallsCheck, call, "<tool_call>\n{\"arguments\": {\"b\": [1.0, 2], \"a\": 1e0}, \"name\": \"f\"}\n</tool_call>",
       true, "calls"},
      {kCallsCheck, call, R"({"name":"f","arguments":{"a":1,"b":[1,2]}})", true, "calls"},
      {kCallsCheck, call, "I look it up. " + call, true, "calls"},
      {kCallsCheck, call, R"(<tool_call>{"name":"f","arguments":{"a":"1","b":[1,2]}}</tool_call>)", false, "calls"},
      {kCallsCheck, call, R"(<tool_call>{"name":"f","arguments":{"a":true,"b":[1,2]}}</tool_call>)", false, "calls"},
      {kCallsCheck, call, R"(<tool_call>{"name":"f","arguments":{"a":1,"b":[2,1]}}</tool_call>)", false, "calls"},
      {kCallsCheck, call, R"(<tool_call>{"name":"g","arguments":{"a":1,"b":[1,2]}}</tool_call>)", false, "calls"},
      {kCallsCheck, call, call + call, false, "calls"},
      {kCallsCheck, call, call.substr(0, call.size() - 14), false, "calls"},
      {kCallsCheck, "I cannot do that.", "I can not do that.", false, "exact text"},
      {kCallsCheck + "," + kContains, call, "Well: " + call, false, "exact text"},  // `contains` sees the difference
      // JSON: numbers by value, strings byte by byte, `strict` tells a fence.
      {kJsonCheck, R"({"a":1,"b":"x"})", "{ \"b\": \"x\",\n \"a\": 1.0 }\n", true, "JSON"},
      {kJsonCheck, R"({"a":123456789012345678901})", R"({"a":123456789012345678902})", false, "JSON"},
      {kJsonCheck, R"({"a":0.1})", R"({"a":0.10})", true, "JSON"},
      {kJsonCheck, R"({"a":1})", R"({"a":"1"})", false, "JSON"},
      {kJsonCheck, R"({"a":1})", R"({"a":true})", false, "JSON"},
      {kJsonCheck, R"({"a":null})", R"({})", false, "JSON"},
      {kJsonCheck, R"([1,2])", R"([2,1])", false, "JSON"},
      {kJsonCheck, R"({"a":"é"})", "{\"a\":\"e\u0301\"}", false, "JSON"},
      {kJsonCheck, R"({"a":1})", "```json\n{\"a\":1}\n```", false, "JSON"},
      {kJsonCheck, R"({"a":1})", R"({"a":1,"a":1})", false, "JSON"},
      {kJsonCheck, "none", "no JSON", false, "exact text"},
      {kJsonCheck + "," + kContains, R"({"a":1})", R"({"a": 1})", false, "exact text"},
      // Numbers: as each check of the task would take them.
      {kNumber, "It is 18.", "so 9 + 9 = 18.0", true, "number"},
      {R"({"type":"number","value":9,"take":"first"})", "It is 18.", "so 9 + 9 = 18.0", false, "number"},
      {R"({"type":"number","value":9,"take":"first"})", "9 + 9 = 18", "9.0", true, "number"},
      {kNumber, "9 + 9 = 18.", "so 9.0 plus 9 is $18.00", true, "number"},
      {kNumber, "18", "19", false, "number"},
      {kNumber, "1,234", "1234", true, "number"},
      {R"({"type":"number","value":18,"decimal_comma":true})", "1,234", "1234", false, "number"},
      {R"({"type":"number","value":18,"after":"####"})", "18", " 18", false, "exact text"},
      {R"({"type":"number","value":18,"take":"only"})", "9 + 9 = 18", "9 and 18", false, "exact text"},
      {kNumber, "5 or 1,2,34", "5 or 1,2,35", false, "exact text"},
      {kNumber, "none", "nothing", false, "exact text"},
      // Letters: alone only.
      {kChoice, "B", "**(b)**", true, "letter"},
      {kChoice, "B", "C", false, "letter"},
      {kChoice, "B", "The answer is B", false, "letter"},
      // Text: as `equals`, `contains` and `regex` prepare it.
      {kEquals, "Caf\u00e9 au\u00a0lait", "  Cafe\u0301 au lait\n", true, "text"},
      {kEquals, "Paris", "Paris.", false, "text"},
      {kEquals, "Paris", "paris", false, "text"},
      {R"({"type":"equals","value":"x","trim":false})", "Paris", "Paris\n", false, "text"},
      {R"({"type":"equals","value":"x","strip_punctuation":true})", "Paris`", "Paris\u1fef", false, "text"},
      {kContains, "Paris", "Paris\n", false, "text"},  // a value may end with the line
      {kContains, "a\u200bb", "ab", true, "text"},
      {R"({"type":"contains","value":"x","max_chars":2})", "a\u200bb", "ab", false, "text"},
      {kRegex, "Paris", " Paris ", true, "text"},
      {kRegex, "a\u00a0b", "a b", false, "text"},
      {kEquals + "," + kNumber, "18", " 18", false, "exact text"},
      // Nothing that any check passes.
      {kEquals, " ", "\u200b\n", true, ""},
      {kEquals, " ", "x", false, ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.checks + "\n" + row.a + "\n" + row.b);
    const bool tools = row.checks.find("tool_calls") != std::string::npos;
    const std::string task = Labelled(row.checks, tools ? kTools : "");
    const CheckResult a = Read(task, tools ? kTools : "", row.a), b = Read(task, tools ? kTools : "", row.b);
    EXPECT_EQ(a.type, kReadingCheck);
    EXPECT_EQ(a.pass, !row.notion.empty());
    if (a.pass) {
      EXPECT_THAT(a.detail, StartsWith(row.notion + ":"));
    }
    EXPECT_EQ(a.pass == b.pass && (!a.pass || a.detail == b.detail), row.same) << a.detail << " " << b.detail;
  }
}

// The promise itself: answers with one reading get one outcome from every check of the kinds asked.
TEST(SameAnswer, NoCheckTellsEqualAnswersApart) {
  const std::vector<std::vector<std::string>> kinds = {
      {R"({"type":"equals","value":"Paris"})", R"({"type":"equals","value":["paris","18"],"ignore_case":true})",
       R"({"type":"equals","value":"Paris","strip_punctuation":true})",
       R"({"type":"equals","value":"Paris\n","trim":false})"},
      {R"({"type":"contains","value":"Paris"})", R"({"type":"contains","value":" ","not":true})",
       R"({"type":"contains","value":"a b","whole_word":true})", R"({"type":"contains","value":"","max_chars":5})"},
      {R"({"type":"regex","pattern":"^Paris$"})", R"({"type":"regex","pattern":"\\x20","not":true})",
       R"({"type":"regex","pattern":"1.?8","full":true})"},
      {R"({"type":"number","value":18})", R"({"type":"number","value":1234,"take":"first"})",
       R"({"type":"number","value":1.234,"decimal_comma":true})", R"({"type":"number","value":18,"take":"only"})"},
      {R"({"type":"choice","value":"B"})", R"({"type":"choice","value":"A","choices":["b","a dog"]})"},
      {R"({"type":"json_value","value":{"a":1}})", R"({"type":"json_value","value":{"a":1},"strict":true})",
       R"({"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"integer"}}}})",
       R"({"type":"json_schema","schema":{"type":"integer"}})"},
      {R"({"type":"json_value","value":18})", R"({"type":"equals","value":"18"})"},
  };
  const std::vector<std::string> answers = {"Paris",
                                            " Paris\n",
                                            "Paris.",
                                            "**Paris**",
                                            "paris",
                                            "Paris`",
                                            "Paris\u1fef",
                                            "a\u00a0b",
                                            "a b",
                                            "a\u200b b",
                                            "18",
                                            "18.0",
                                            " 18",
                                            "$18",
                                            "1\u200b8",
                                            "9 + 9 = 18",
                                            "9, so 18",
                                            "1,234",
                                            "1234",
                                            "1.234",
                                            "B",
                                            "b",
                                            "(B)",
                                            "B?",
                                            "[B]",
                                            "$B$",
                                            "A dog",
                                            "{\"a\":1}",
                                            "{\"a\": 1.0}",
                                            "```json\n{\"a\":1}\n```",
                                            "{\"a\":\"1\"}",
                                            "1e999",
                                            "1.8e1",
                                            "\"18\"",
                                            "",
                                            "\u200b",
                                            "\uff22"};
  int64_t equal = 0;
  for (const std::vector<std::string>& specs : kinds) {
    std::string joined;
    for (const std::string& spec : specs) joined += (joined.empty() ? "" : ",") + spec;
    std::vector<CheckResult> readings;
    readings.reserve(answers.size());
    for (const std::string& answer : answers) readings.push_back(Read(Labelled(joined), "", answer));
    for (size_t i = 0; i < answers.size(); ++i)
      for (size_t j = i + 1; j < answers.size(); ++j) {
        if (readings[i].pass != readings[j].pass || readings[i].detail != readings[j].detail) continue;
        ++equal;
        for (const std::string& spec : specs)
          EXPECT_EQ(testing::Try(spec.c_str(), answers[i]).pass, testing::Try(spec.c_str(), answers[j]).pass)
              << spec << "\n"
              << answers[i] << "\n"
              << answers[j];
      }
  }
  EXPECT_GT(equal, 20);
}

TEST(SameAnswer, TheNotionFollowsTheChecksOfTheSlice) {
  const std::string task = R"({"id":"a","slice":"n","messages":[{"role":"user","content":"a"}],"expect":[)" + kNumber +
                           "]}\n" + R"({"id":"b","slice":"t","messages":[{"role":"user","content":"b"}],"expect":[)" +
                           kEquals + "]}\n" +
                           R"({"id":"c","slice":"c","messages":[{"role":"user","content":"c"}],"expect":[)" +
                           kCallsCheck + "]" + kTools + "}\n";
  EXPECT_THAT(Read(task, R"(,"slice":"n")", "18").detail, StartsWith("number:"));
  EXPECT_THAT(Read(task, R"(,"slice":"t")", "18").detail, StartsWith("text:"));
  // No slice of the task: both kinds may be asked of it, but none of those for prompts with tools.
  EXPECT_THAT(Read(task, "", "18").detail, StartsWith("exact text:"));
  EXPECT_THAT(Read(task, kTools, R"(<tool_call>{"name":"f","arguments":{}}</tool_call>)").detail, StartsWith("calls:"));
}

std::string Refused(const std::string& lines) {
  try {
    ParsePrompts(lines, "traffic.jsonl");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Prompts, AreExamplesWithoutChecks) {
  const Task prompts = ParsePrompts(R"({"prompt":"one"})"
                                    "\n\n"
                                    R"({"id":"x","messages":[{"role":"user","content":"two"}]})"
                                    "\n",
                                    "logs/traffic.jsonl");
  ASSERT_EQ(prompts.examples.size(), 2u);
  EXPECT_EQ(prompts.name, "traffic.jsonl");
  EXPECT_EQ(prompts.examples[0].id, "1");
  EXPECT_EQ(prompts.examples[1].id, "x");
  EXPECT_TRUE(prompts.examples[1].expect.empty());
}

TEST(Prompts, RefuseWhatBelongsIntoATask) {
  EXPECT_THAT(Refused(Labelled(kEquals)), AllOf(HasSubstr("traffic.jsonl:1: expect"), HasSubstr("no right answer")));
  EXPECT_THAT(Refused(R"({"task":{"margin":5}})"), HasSubstr("a plan belongs into the task"));
  EXPECT_THAT(Refused(R"({"prompt":"q","response":"a"})"), HasSubstr("response: an unlabelled prompt has no right"));
  EXPECT_THAT(Refused(R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]})"),
              HasSubstr("take it out"));
  EXPECT_THAT(Refused("{\"id\":\"2\",\"prompt\":\"q\"}\n{\"prompt\":\"r\"}"),
              AllOf(HasSubstr("traffic.jsonl:2: id"), HasSubstr("is the id of line 1")));
}

TEST(Prompts, ATaskStillNeedsChecks) {
  EXPECT_THROW(ParseTask(R"({"id":"a","prompt":"q"})", "task.jsonl"), Error);
}

}  // namespace
}  // namespace assay
