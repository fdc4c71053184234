#include "task/answers_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "task/message.h"
#include "task/task_testing.h"

namespace assay {
namespace {

using testing::Class;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Try;

constexpr std::string_view kTask =
    R"({"id": "n1", "slice": "math", "prompt": "3 * 4?", "expect": [{"type": "number", "value": 12}]}
{"id": "t1", "slice": "tools", "messages": [{"role": "user", "content": "Weather in Oslo?"}], "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}], "expect": [{"type": "tool_calls", "calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}]}]}
{"id": "d1", "slice": "tools", "messages": [{"role": "user", "content": "Hello"}], "tools": [{"type": "function", "function": {"name": "get_weather"}}], "expect": [{"type": "tool_calls", "calls": []}]}
)";

Task Sample() {
  return ParseTask(kTask, "task.jsonl");
}

/// "problem; problem" of one line.
std::string Problem(const std::string& line) {
  std::string text;
  for (const TaskProblem& problem : ReadAnswers(line, "a.jsonl").problems)
    text += (text.empty() ? "" : "; ") + problem.Describe("a.jsonl");
  return text;
}

/// What the checks say of one line: "pass", or class and detail.
std::string Verdict(const std::string& line) {
  const AnswersFile file = ReadAnswers(line, "a.jsonl");
  EXPECT_THAT(file.problems, IsEmpty()) << Problem(line);
  const Task task = Sample();
  const ScoredAnswers scored = ScoreAnswers(task, file);
  EXPECT_THAT(scored.problems, IsEmpty());
  for (const ExampleResult& result : scored.examples) {
    if (file.answers.empty() || result.id != file.answers[0].id) continue;
    if (!result.error.empty()) return "error: " + result.error;
    return result.pass ? "pass" : result.failure() + ": " + result.checks[0].detail;
  }
  return "nothing";
}

TEST(AnswersFile, TextUnderEveryName) {
  for (const char* key : {"answer", "text", "output", "response", "content"})
    EXPECT_EQ(Verdict(fmt::format(R"({{"id": "n1", "{}": "It is 12."}})", key)), "pass") << key;
  EXPECT_THAT(Verdict(R"({"id": "n1", "answer": "13"})"), HasSubstr("wrong value: expected 12, found \"13\""));
  EXPECT_THAT(Verdict(R"({"id": "n1", "answer": "1", "finish_reason": "length"})"), HasSubstr("truncated: "));
  EXPECT_THAT(Verdict(R"({"id": "n1", "answer": "12", "finish_reason": "content_filter"})"),
              HasSubstr("error: the server ended the answer with finish_reason \"content_filter\""));
  EXPECT_THAT(Verdict(R"({"id": "n1", "error": {"message": "503"}})"), "error: no answer was given: 503");
  EXPECT_EQ(Verdict(R"({"id": "d1", "answer": "Hello!"})"), "pass");
}

constexpr std::string_view kCall =
    R"("content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Oslo\"}"}}])";

TEST(AnswersFile, CallsOfAMessageAreCalls) {
  const std::string message = fmt::format(R"({{"role": "assistant", {}}})", kCall);
  EXPECT_EQ(Verdict(fmt::format(R"({{"id": "t1", "message": {}}})", message)), "pass");
  const std::string choice = fmt::format(
      R"("choices": [{{"index": 0, "message": {}, "finish_reason": "tool_calls"}}], "usage": {{"prompt_tokens": 9}})",
      message);
  EXPECT_EQ(Verdict(fmt::format(R"({{"id": "t1", {}}})", choice)), "pass");
  EXPECT_EQ(Verdict(fmt::format(R"({{"id": "t1", "response": {{"id": "chatcmpl-1", {}}}}})", choice)), "pass");
  // A line of OpenAI's batches.
  EXPECT_EQ(
      Verdict(fmt::format(
          R"({{"id": "batch_1", "custom_id": "t1", "response": {{"status_code": 200, "body": {{{}}}}}, "error": null}})",
          choice)),
      "pass");
  // A direct answer was due.
  EXPECT_THAT(Verdict(fmt::format(R"({{"id": "d1", "message": {}}})", message)), HasSubstr("unexpected call: "));
  // Text without calls is read as ever, and an older call is one.
  EXPECT_EQ(
      Verdict(
          R"({"id": "t1", "message": {"content": "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}</tool_call>", "tool_calls": []}})"),
      "pass");
  EXPECT_EQ(
      Verdict(
          R"({"id": "t1", "message": {"content": null, "function_call": {"name": "get_weather", "arguments": {"city": "Oslo"}}}})"),
      "pass");
  // What the model wrote badly is its failure.
  EXPECT_THAT(
      Verdict(
          R"({"id": "t1", "message": {"tool_calls": [{"function": {"name": "get_weather", "arguments": "{city: Oslo}"}}]}})"),
      HasSubstr("malformed call: the arguments of \"get_weather\" are no JSON"));
  EXPECT_THAT(
      Verdict(
          R"({"id": "t1", "message": {"tool_calls": [{"function": {"name": "get_weather", "arguments": "[1]"}}]}})"),
      HasSubstr("malformed call: the arguments of \"get_weather\" are array, expected an object"));
  // Other checks see the text alone.
  EXPECT_THAT(Verdict(fmt::format(R"({{"id": "n1", "message": {}}})", message)),
              "empty: the answer has tool calls and no text");
}

TEST(AnswersFile, RecordsKeepTheCalls) {
  const AnswersFile file = ReadAnswers(fmt::format(R"({{"id": "t1", "message": {{{}}}}})", kCall), "a.jsonl");
  const Task task = Sample();
  const ExampleResult result = ScoreAnswers(task, file).examples[1];
  EXPECT_EQ(result.answer,
            "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>");
  EXPECT_EQ(result.checks[0].read, R"(get_weather({"city":"Oslo"}))");
  EXPECT_EQ(result.index, 1);
}

TEST(AnswersFile, ReasoningIsNoAnswer) {
  const AnswersFile file =
      ReadAnswers(R"({"id": "n1", "message": {"content": null, "reasoning_content": "It must be 12."}})", "a.jsonl");
  ASSERT_EQ(file.answers.size(), 1u);
  EXPECT_TRUE(file.answers[0].only_reasoning);
  EXPECT_EQ(Verdict(R"({"id": "n1", "message": {"content": "12", "reasoning_content": "or 13"}})"), "pass");
  EXPECT_EQ(Verdict(R"({"id": "n1", "answer": "<think>13</think>12"})"), "pass");
}

TEST(AnswersFile, MistakesAreToldWithTheirLine) {
  EXPECT_THAT(Problem("\n{\"id\": \"n1\""), HasSubstr("a.jsonl:2: "));
  EXPECT_EQ(Problem("[1]"), "a.jsonl:1: expected an object with \"id\" and \"answer\", found array");
  EXPECT_EQ(Problem(R"({"answer": "x"})"), "a.jsonl:1: id: is missing: expected the id of an example");
  EXPECT_EQ(Problem(R"({"id": "n1", "answer": {"n": 12}})"),
            "a.jsonl:1: answer: expected a string, the text as the model wrote it, found object");
  EXPECT_THAT(Problem(R"({"id": "n1"})"), HasSubstr("expected an answer: one of answer, text, output"));
  EXPECT_THAT(Problem(R"({"id": "n1", "answer": "x", "text": "y"})"), HasSubstr("found answer and text: leave one"));
  EXPECT_THAT(Problem(R"({"id": "n1", "answer": "x", "error": "y"})"), HasSubstr("leave \"error\" or \"answer\""));
  EXPECT_EQ(Problem(R"({"id": "n1", "message": {"role": "user", "content": "x"}})"),
            "a.jsonl:1: message.role: expected \"assistant\", found \"user\"");
  EXPECT_EQ(Problem(R"({"id": "n1", "message": {"tool_calls": [{"name": "f"}]}})"),
            "a.jsonl:1: message.tool_calls[0].function: is missing");
  EXPECT_THAT(Problem(R"({"id": "n1", "message": {"content": [{"type": "image_url"}]}})"),
              HasSubstr("message.content[0]"));
  EXPECT_THAT(Problem(R"({"id": "n1", "choices": []})"), HasSubstr("choices: expected one answer, found 0"));
  EXPECT_THAT(Problem(R"({"id": "n1", "choices": [{"message": 5}]})"), HasSubstr("choices[0].message: expected"));
}

TEST(AnswersFile, EveryExampleHasOneAnswer) {
  const AnswersFile file = ReadAnswers(
      "{\"id\": \"n1\", \"answer\": \"12\", \"latency\": 3}\n\n{\"id\": \"n1\", \"answer\": \"13\"}\n{\"id\": \"n2\", "
      "\"answer\": \"1\"}\n",
      "a.jsonl");
  EXPECT_THAT(file.unread, ElementsAre("latency"));
  const Task task = Sample();
  const ScoredAnswers scored = ScoreAnswers(task, file);
  std::vector<std::string> problems;
  for (const TaskProblem& problem : scored.problems) problems.push_back(problem.Describe("a.jsonl"));
  EXPECT_THAT(problems, ElementsAre("a.jsonl:3: id: a second answer to \"n1\"; the first is in line 1",
                                    HasSubstr("a.jsonl:4: id: task.jsonl has no example \"n2\"; did you mean")));
  ASSERT_EQ(scored.missing.size(), 2u);
  EXPECT_EQ(scored.missing[0]->line, 2);
  EXPECT_EQ(scored.examples[1].error, "no answer was given");
  EXPECT_TRUE(scored.examples[0].pass);
}

// What `task try` shows: the reading, whether it passes or fails.
TEST(CheckResults, SayWhatWasRead) {
  EXPECT_EQ(Try(R"({"type": "number", "value": 12})", "so 12.0 in all").read, "\"12.0\" as 12");
  EXPECT_EQ(Try(R"({"type": "number", "value": 12})", "or 1,300").read, "\"1,300\" as 1300");
  EXPECT_EQ(Try(R"({"type": "number", "value": 12})", "none").read, "");
  EXPECT_EQ(Try(R"({"type": "choice", "value": "B", "letters": "ABCD"})", "The answer is C.").read, "C");
  EXPECT_EQ(Try(R"({"type": "json_value", "value": {"a": 1}})", "{\"a\": 2}").read, "{\"a\":2}");
  EXPECT_EQ(Try(R"({"type": "json_schema", "schema": {"type": "array"}})", "[1]").read, "[1]");
  EXPECT_EQ(Try(R"({"type": "equals", "value": "paris", "ignore_case": true})", " Paris ").read, "\"paris\"");
  EXPECT_EQ(Try(R"({"type": "contains", "value": ["a", "z"]})", "a b").read, "\"a\"");
  EXPECT_EQ(
      Try(R"({"type": "tool_calls", "calls": []})", "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>").read,
      "f({})");
  CheckResult result = Try(R"({"type": "number", "value": 12})", "12");
  ExampleResult example;
  example.id = "x";
  example.checks = {result};
  EXPECT_EQ(ExampleResultFromJson(ToJson(example), "t").checks[0].read, "\"12\" as 12");
}

}  // namespace
}  // namespace assay
