// Task files: what is read, what is refused and where, what is doubted, what the hash covers.
#include "task/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "task_testing.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kGood =
    R"({"id":"a","slice":"s","messages":[{"role":"user","content":"hi"}],"expect":[{"type":"contains","value":"x"}]})";

std::string With(const std::string& members) {
  return R"({"id":"a","messages":[{"role":"user","content":"hi"}],"expect":[{"type":"contains","value":"x"}],)" +
         members + "}";
}

std::string FirstError(const std::string& text) {
  try {
    ParseTask(text, "t.jsonl");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalid);
    return error.what();
  }
  return "accepted";
}

std::vector<std::string> Problems(const std::string& text, bool warnings) {
  std::vector<std::string> out;
  for (const TaskProblem& problem : CheckTaskText(text, "t.jsonl"))
    if (problem.warning == warnings) out.push_back(problem.Describe("t"));
  return out;
}

TEST(Task, ReadsAllMembers) {
  Task task = ParseTask(
      "\xEF\xBB\xBF\n" + kGood + "\r\n\n" +
          R"({"id":"b","cluster":"doc7","prompt":"2+2=","sampling":{"max_tokens":5,"stop":["\n"]},"expect":[{"type":"number","value":4}]})",
      "dir/t.jsonl");
  EXPECT_EQ(task.name, "t.jsonl");
  ASSERT_EQ(task.examples.size(), 2u);
  EXPECT_EQ(task.examples[0].line, 2);
  EXPECT_EQ(task.examples[0].slice, "s");
  EXPECT_TRUE(task.examples[0].is_chat());
  EXPECT_EQ(task.examples[1].line, 4);
  EXPECT_EQ(task.examples[1].slice, "all");
  EXPECT_EQ(task.examples[1].cluster, "doc7");
  EXPECT_FALSE(task.examples[1].is_chat());
  EXPECT_EQ(task.examples[1].prompt, "2+2=");
  EXPECT_THAT(task.slices(), ElementsAre("s", "all"));
}

TEST(Task, ThePlanIsTheFirstLine) {
  const std::string plan = R"({"task": {"margin": 7.5, "looks": [50, 100, 200], "description": "what we ask"}})";
  const Task task = ParseTask(plan + "\n" + kGood, "t.jsonl"), plain = ParseTask(kGood, "t.jsonl");
  EXPECT_EQ(task.margin, 7.5);
  EXPECT_EQ(task.looks, (std::vector<int64_t>{50, 100, 200}));
  ASSERT_EQ(task.examples.size(), 1u);
  EXPECT_EQ(task.examples[0].line, 2);
  EXPECT_EQ(task.hash, plain.hash);  // the same examples
  EXPECT_EQ(plain.margin, 0);
  EXPECT_TRUE(plain.looks.empty());
  EXPECT_EQ(FirstError(kGood + "\n" + plan), "t.jsonl:2: task: may stand once, above the first example");
  EXPECT_EQ(FirstError(plan + "\n" + plan), "t.jsonl:2: task: may stand once, above the first example");
  auto refused = [](const std::string& members) { return FirstError("{\"task\": " + members + "}\n" + kGood); };
  EXPECT_EQ(FirstError(plan), "t.jsonl: expected examples after the first line, found none");
  EXPECT_FALSE(task.IsLook());
  EXPECT_EQ(task.LooksText(), "50, 100 or 200 examples");
  EXPECT_TRUE(plain.IsLook());
  EXPECT_THAT(Problems(plan + "\n" + kGood, true), Contains(HasSubstr("planned for 50, 100 or 200 examples, found 1")));
  EXPECT_THAT(refused("5"), HasSubstr("t.jsonl:1: task: expected an object such as {\"margin\": 10}, found "));
  EXPECT_THAT(refused(R"({"margins": 5})"), HasSubstr("t.jsonl:1: task.margins"));
  for (const char* margin : {"0", "-3", "100", "\"5\"", "0.05"})
    EXPECT_THAT(refused(std::string("{\"margin\": ") + margin + "}"),
                HasSubstr("t.jsonl:1: task.margin: expected points from 0.1 to 99.9, such as 10, found "));
  for (const char* looks : {"[]", "50", "[10, 20, 40, 80]"})
    EXPECT_THAT(refused(std::string("{\"looks\": ") + looks + "}"), HasSubstr("expected one to 3 numbers of examples"));
  EXPECT_THAT(refused(R"({"looks": [50, 0.5]})"), HasSubstr("expected numbers of examples, found 0.5"));
  EXPECT_THAT(refused(R"({"looks": [50, 150]})"), HasSubstr("at most twice it, found 150 after 50"));
  EXPECT_THAT(refused(R"({"looks": [50, 50]})"), HasSubstr("found 50 after 50"));
}

TEST(Task, PutsTheContextIn) {
  auto content = [](const std::string& messages) {
    Task task = ParseTask(
        R"({"id":"a","context":"CTX","messages":)" + messages + R"(,"expect":[{"type":"contains","value":"x"}]})", "t");
    Json out = Json::array();
    for (const Json& message : task.examples[0].messages) out.push_back(message["content"]);
    return out.dump();
  };
  EXPECT_EQ(content(R"([{"role":"user","content":"q"}])"), R"(["CTX\n\nq"])");
  EXPECT_EQ(
      content(R"([{"role":"user","content":"1"},{"role":"assistant","content":"2"},{"role":"user","content":"3"}])"),
      R"(["1","2","CTX\n\n3"])");
  EXPECT_EQ(content(R"([{"role":"system","content":"Use {context}."},{"role":"user","content":"q"}])"),
            R"(["Use CTX.","q"])");
  EXPECT_EQ(content(R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])"),
            R"([[{"type":"text","text":"CTX\n\na"},{"type":"text","text":"b"}]])");
  Task raw = ParseTask(
      R"({"id":"a","context":"CTX","prompt":"{context}|{context}","expect":[{"type":"contains","value":"x"}]})", "t");
  EXPECT_EQ(raw.examples[0].prompt, "CTX|CTX");
  raw = ParseTask(R"({"id":"a","context":"CTX","prompt":"q","expect":[{"type":"contains","value":"x"}]})", "t");
  EXPECT_EQ(raw.examples[0].prompt, "CTX\n\nq");
  EXPECT_THAT(
      FirstError(
          R"({"id":"a","context":"CTX","messages":[{"role":"system","content":"x"}],"expect":[{"type":"contains","value":"x"}]})"),
      HasSubstr("t.jsonl:1: context: expected a user message to put it before"));
}

TEST(Task, PointsAtLineAndField) {
  EXPECT_EQ(FirstError(kGood + "\n" + kGood),
            "t.jsonl:2: id: \"a\" is used twice, first in line 1: expected an id of its own in each line");
  EXPECT_THAT(FirstError(""), HasSubstr("t.jsonl: no examples: the file is empty; expected one JSON object a line"));
  EXPECT_EQ(FirstError("# note\n"),
            "t.jsonl:1: comments are not part of the format: expected a JSON object; remove the line");
  EXPECT_THAT(FirstError("{\"id\": }"), HasSubstr("t.jsonl:1: not JSON: parse error at line 1, column 8"));
  EXPECT_EQ(FirstError("{\"id\": 1, \"id\": 2}"),
            "t.jsonl:1: duplicate key \"id\": expected each name once, remove one");
  EXPECT_THAT(FirstError("[1]"),
              AllOf(HasSubstr("t.jsonl:1: expected an object such as {"), HasSubstr(", found array")));
  EXPECT_EQ(FirstError(With(R"("slices":"x")")), "t.jsonl:1: slices: unknown member; did you mean \"slice\"?");
  EXPECT_THAT(FirstError(With(R"("weight":2)")), HasSubstr("weight: examples have no weights"));
  EXPECT_THAT(FirstError(With(R"("prompt":"x")")), HasSubstr("prompt: \"messages\" and \"prompt\" exclude each other"));
  EXPECT_THAT(FirstError(With(R"("slice":3)")), HasSubstr("slice: expected a string, found number"));
  EXPECT_THAT(
      FirstError(With(R"("cluster":"a\nb")")),
      HasSubstr("cluster: expected a name without control characters, found U+000A in \"a\\nb\": write a space"));
  EXPECT_THAT(FirstError(With(R"("sampling":{"temprature":1})")),
              HasSubstr("sampling: unknown member \"temprature\"; did you mean \"temperature\"?"));
  EXPECT_THAT(FirstError(With(R"("sampling":{"top_p":0})")),
              HasSubstr("\"top_p\" should be above 0 and at most 1, found 0"));
  EXPECT_THAT(FirstError(With(R"("tools":[{"name":"f"}])")), HasSubstr("tools[0]: expected {\"type\": \"function\""));
  EXPECT_THAT(FirstError(With(R"("tools":[{"type":"function","function":{"nam":"f"}}])")),
              HasSubstr("tools[0].function.nam: unknown member; did you mean \"name\"?"));
  EXPECT_THAT(
      FirstError(R"({"id":"a","messages":[{"role":"usr","content":"x"}],"expect":[{"type":"contains","value":"x"}]})"),
      AllOf(HasSubstr("messages[0].role"), HasSubstr("did you mean \"user\"")));
  EXPECT_THAT(FirstError(R"({"id":"a","messages":[{"role":"user"}],"expect":[{"type":"contains","value":"x"}]})"),
              HasSubstr("messages[0].content: is missing"));
  EXPECT_THAT(
      FirstError(
          R"({"id":"a","messages":[{"role":"user","content":[{"type":"image_url"}]}],"expect":[{"type":"contains","value":"x"}]})"),
      HasSubstr("messages[0].content[0].type"));
  EXPECT_THAT(FirstError(R"({"id":"a","prompt":"x","expect":[]})"), HasSubstr("expect: expected at least one check"));
  EXPECT_THAT(FirstError(R"({"id":"a","prompt":"x"})"), HasSubstr("expect: is missing"));
  EXPECT_THAT(
      FirstError(
          R"({"id":"a","prompt":"x","tools":[{"type":"function","function":{"name":"f"}}],"expect":[{"type":"number","value":1}]})"),
      HasSubstr("tools: a raw \"prompt\" cannot carry tools"));
  EXPECT_THAT(
      FirstError(
          R"({"id":"a","prompt":"x","expect":[{"type":"number","value":1},{"type":"json_value","value":{"a":{"$nmber":1}}}]})"),
      HasSubstr("t.jsonl:1: expect[1].value.a.$nmber: unknown comparator; did you mean \"$number\"?"));
}

std::string WithMessage(const std::string& message) {
  return R"({"id":"a","messages":[{"role":"user","content":"hi"},)" + message +
         R"(],"expect":[{"type":"contains","value":"x"}]})";
}

TEST(Task, EarlierCallsAreWhatEnginesTake) {
  auto call = [](const std::string& arguments) {
    return WithMessage(
        R"({"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":)" +
        arguments + "}}]}");
  };
  for (const char* good : {R"({"a":1})", R"("{\"a\":1}")", R"("")", "null"})
    EXPECT_EQ(FirstError(call(good)), "accepted") << good;
  const std::string place = "t.jsonl:1: messages[1].tool_calls[0].function.arguments: expected ";
  EXPECT_THAT(FirstError(call(R"("{\"a\": ")")),
              HasSubstr(place + "a text that holds a JSON object, found \"{\\\"a\\\": \": not JSON"));
  EXPECT_EQ(FirstError(call(R"("[1]")")),
            place + "a text that holds a JSON object, found one that holds array [1]: write the object itself");
  EXPECT_EQ(FirstError(call("[1]")), place + "an object, or a text that holds one, found array [1]");
  EXPECT_THAT(FirstError(WithMessage(R"({"role":"assistant","tool_calls":[{"function":{"arguments":{}}}]})")),
              HasSubstr("tool_calls[0].function.name: expected the name of the function that was called, found null"));
  EXPECT_THAT(FirstError(WithMessage(R"({"role":"assistant","tool_calls":["f"]})")),
              HasSubstr("tool_calls[0]: expected an object"));
  EXPECT_EQ(FirstError(WithMessage(
                R"({"role":"assistant","content":"a","reasoning_content":"r","thinking":"r","reasoning":"r"})")),
            "accepted");
  EXPECT_THAT(FirstError(WithMessage(R"({"role":"assistant","content":"a","reasoning_content":1})")),
              HasSubstr("messages[1].reasoning_content: expected a string"));
}

TEST(Task, OnlyTextIsRead) {
  EXPECT_THAT(FirstError(WithMessage(R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]})")),
              HasSubstr("messages[1].content[0].type: expected \"text\", found \"image_url\": only text is read"));
  EXPECT_THAT(FirstError(WithMessage(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"image"}]})")),
              HasSubstr("messages[1].content[1].type: expected \"text\", found \"image\""));
  EXPECT_THAT(FirstError(WithMessage(R"({"role":"user","content":[{"text":"a"}]})")), HasSubstr("found none"));
  EXPECT_THAT(
      Problems(WithMessage(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})"),
               true),
      ::testing::Contains(HasSubstr("messages[1].content: warning: several parts")));
}

TEST(Task, WhatTheChatTemplateSees) {
  Task task = ParseTask(
      With(R"("documents":[{"title":"t","text":"d"}],"chat_template_kwargs":{"enable_thinking":false})"), "t");
  EXPECT_EQ(task.examples[0].documents.dump(), R"([{"title":"t","text":"d"}])");
  EXPECT_EQ(task.examples[0].chat_template_kwargs.dump(), R"({"enable_thinking":false})");
  EXPECT_THAT(FirstError(With(R"("documents":["d"])")), HasSubstr("documents[0]: expected an object"));
  EXPECT_THAT(FirstError(With(R"("documents":{"text":"d"})")), HasSubstr("documents: expected a list"));
  EXPECT_THAT(FirstError(With(R"("chat_template_kwargs":[])")), HasSubstr("chat_template_kwargs: expected an object"));
  EXPECT_THAT(FirstError(With(R"("chat_template_kwargs":{"tools":[]})")),
              HasSubstr("chat_template_kwargs.tools: is given by the example itself"));
  EXPECT_THAT(
      FirstError(R"({"id":"a","prompt":"x","documents":[{"text":"d"}],"expect":[{"type":"number","value":1}]})"),
      HasSubstr("documents: a raw \"prompt\" cannot carry documents"));
  // They count in the hash; where they are absent, hashes are those of before there were any.
  const std::string bare = ParseTask(kGood, "t").hash;
  EXPECT_NE(task.hash, ParseTask(With(R"("documents":[{"title":"t","text":"d"}])"), "t").hash);
  EXPECT_EQ(ParseTask(With(R"("documents":null)"), "t").hash,
            ParseTask(With(R"("chat_template_kwargs":null)"), "t").hash);
  EXPECT_FALSE(bare.empty());
}

// Numbers as programs print doubles (%.17g), and others that no double says: doubles for the engine, and for templates
// where they are not integers, which Python has in any size.
TEST(Task, NumbersOfManyDigitsAreDoublesUnlessIntegers) {
  Task task = ParseTask(
      R"({"id":123456789012345678901234567890,"sampling":{"temperature":0.69999999999999996,"top_p":0.90000000000000002},)"
      R"("messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"function":{"name":"f",)"
      R"("arguments":{"x":0.10000000000000001,"n":[123456789012345678901234567890]}}}]},{"role":"user","content":"?"}],)"
      R"("tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"x":{"maximum":0.10000000000000001}}}}}],)"
      R"("documents":[{"score":0.69999999999999996}],"chat_template_kwargs":{"t":{"u":0.69999999999999996}},)"
      R"("expect":[{"type":"json_value","value":0.69999999999999996}]})",
      "t");
  const Example& example = task.examples[0];
  EXPECT_EQ(example.id, "123456789012345678901234567890");
  Sampling sampling = SamplingFromJson(example.sampling, {}, "s");
  EXPECT_EQ(sampling.temperature, 0.7);
  EXPECT_EQ(sampling.top_p, 0.9);
  const Json& arguments = example.messages[1]["tool_calls"][0]["function"]["arguments"];
  EXPECT_EQ(DumpJson(arguments), R"({"x":0.1,"n":[123456789012345678901234567890]})");
  EXPECT_EQ(example.tools[0]["function"]["parameters"].dump(), R"({"properties":{"x":{"maximum":0.1}}})");
  EXPECT_EQ(example.documents.dump(), R"([{"score":0.7}])");
  EXPECT_EQ(example.chat_template_kwargs.dump(), R"({"t":{"u":0.7}})");
  // A number in an expectation stays what was written.
  EXPECT_EQ(DumpJson(example.expect[0].spec["value"]), "0.69999999999999996");
  EXPECT_THAT(FirstError(With(R"("sampling":{"max_tokens":123456789012345678901234567890})")),
              HasSubstr("sampling: \"max_tokens\" should be an integer, found number"));
  EXPECT_THAT(FirstError(With(R"("slice":123456789012345678901234567890)")),
              HasSubstr("expected a string, found number"));
  EXPECT_THAT(FirstError(R"({"id":0.69999999999999996,"prompt":"x","expect":[{"type":"number","value":1}]})"),
              HasSubstr("id: expected a string, found number"));
  EXPECT_EQ(ParseTask(R"({"id":100000000000000000000000,"prompt":"x","expect":[{"type":"number","value":1}]})", "t")
                .examples[0]
                .id,
            "100000000000000000000000");
}

TEST(Task, SchemasAreCompiledWhenRead) {
  EXPECT_THAT(FirstError(With(R"("response_schema":{"type":"strin"})")), HasSubstr("t.jsonl:1: response_schema: "));
  EXPECT_THAT(
      FirstError(With(
          R"("tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"type":1}}}}}])")),
      HasSubstr("t.jsonl:1: tools[0].function.parameters: "));
  EXPECT_THAT(FirstError(R"({"id":"a","prompt":"x","expect":[{"type":"json_schema","schema":{"minimum":"a"}}]})"),
              HasSubstr("t.jsonl:1: expect[0].schema: "));
}

TEST(Task, CheckTellsAllProblems) {
  std::vector<std::string> problems =
      Problems(R"({"id":"","slice":1,"prompt":"x","expect":[{"type":"number","value":1}]})"
               "\nnot json\n" +
                   kGood + "\n" +
                   R"({"id":"b","prompt":"x","expect":[{"type":"number","value":"1"},{"type":"nmber","value":1}]})",
               false);
  ASSERT_EQ(problems.size(), 5u);
  EXPECT_THAT(problems[0], HasSubstr("t:1: id: expected a name that can be seen, found \"\""));
  EXPECT_THAT(problems[1], HasSubstr("t:1: slice: expected a string"));
  EXPECT_THAT(problems[2], HasSubstr("t:2: not JSON"));
  EXPECT_THAT(problems[3], HasSubstr("t:4: expect[0].value: expected a number"));
  EXPECT_THAT(problems[4], HasSubstr("t:4: expect[1].type: unknown check \"nmber\"; did you mean \"number\"?"));
}

TEST(Task, CheckDoubts) {
  auto doubts = [](const std::string& line) { return Problems(line, true); };
  EXPECT_THAT(doubts(kGood), Contains(HasSubstr("t: warning: 1 examples: with fewer than 50")));
  EXPECT_THAT(doubts(kGood), Contains(HasSubstr("slice \"s\" has 1 example; at least 10")));
  EXPECT_THAT(doubts(R"({"id":"a","prompt":"x","expect":[{"type":"contains","value":""}]})"),
              Contains(HasSubstr("t:1: expect[0].value: warning: every answer contains")));
  EXPECT_THAT(doubts(R"({"id":"a","prompt":"x","expect":[{"type":"regex","pattern":"a*"}]})"),
              Contains(HasSubstr("expect[0].pattern: warning: the pattern matches every")));
  EXPECT_THAT(doubts(R"({"id":"a","prompt":"x","expect":[{"type":"regex","pattern":"^\\d+$"}]})"),
              Not(Contains(HasSubstr("pattern"))));
  EXPECT_THAT(doubts(R"({"id":"a","prompt":"x","expect":[{"type":"json_value","value":{"$ignore":true}}]})"),
              Contains(HasSubstr("accepts every JSON value")));
  EXPECT_THAT(doubts(With(R"("response_schema":{"type":"object"})")),
              Contains(HasSubstr("response_schema: warning: no json_schema")));
  EXPECT_THAT(
      doubts(
          kGood + "\n" +
          R"({"id":"b","slice":"s","messages":[{"role":"user","content":"hi"}],"expect":[{"type":"contains","value":"y"}]})"),
      Contains(HasSubstr("t:2: messages: warning: the same prompt as \"a\" in line 1")));
  EXPECT_THAT(
      doubts(
          R"({"id":"a","messages":[{"role":"user","content":"{context}"}],"expect":[{"type":"contains","value":"x"}]})"),
      Contains(HasSubstr("has no \"context\"")));

  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"book","parameters":{"type":"object","properties":{"city":{"type":"string"},"day":{"type":"string"}},"required":["city"]}}}])";
  auto call = [&](const std::string& calls) {
    return doubts(R"({"id":"a","messages":[{"role":"user","content":"hi"}],)" + tools +
                  R"(,"expect":[{"type":"tool_calls","calls":)" + calls + "}]}");
  };
  EXPECT_THAT(call(R"([{"name":"book","arguments":{"city":"Rome"}}])"), Not(Contains(HasSubstr("expect"))));
  EXPECT_THAT(call(R"([{"name":"boook","arguments":{"city":"Rome"}}])"),
              Contains(HasSubstr("expect[0].calls[0].name: warning: \"boook\" is not among the tools of the example; "
                                 "did you mean \"book\"?")));
  EXPECT_THAT(
      call(R"([{"name":"book","arguments":{"city":"Rome","dya":"x"}}])"),
      Contains(HasSubstr("calls[0].arguments.dya: warning: \"book\" has no such parameter; did you mean \"day\"?")));
  EXPECT_THAT(call(R"([{"name":"book","arguments":{"day":"x"}}])"), Contains(HasSubstr("the tool requires \"city\"")));
}

TEST(Task, HashCoversContentAndOrder) {
  auto hash = [](const std::string& text) { return ParseTask(text, "t").hash; };
  const std::string b = R"({"id":"b","prompt":"x","expect":[{"type":"number","value":1}]})";
  std::string base = hash(kGood + "\n" + b);
  EXPECT_EQ(base.size(), 32u);
  EXPECT_EQ(hash(kGood + "\r\n\n  " + b + "  \n"), base);
  EXPECT_EQ(hash(kGood + "\n" +
                 R"({ "prompt": "x", "id": "b", "context": null, "expect": [{"type": "number", "value": 1}]})"),
            base);
  EXPECT_NE(hash(b + "\n" + kGood), base);
  EXPECT_NE(hash(kGood), base);
  EXPECT_NE(hash(kGood + "\n" + R"({"id":"b","prompt":"x","expect":[{"type":"number","value":2}]})"), base);
  EXPECT_NE(hash(kGood + "\n" + R"({"id":"b","prompt":"x ","expect":[{"type":"number","value":1}]})"), base);
  EXPECT_NE(hash(R"({"id":"a","prompt":"x","cluster":"y","expect":[{"type":"number","value":1}]})"),
            hash(R"({"id":"a","prompt":"x","slice":"y","expect":[{"type":"number","value":1}]})"));
}

// For people: neither asked nor compared.
TEST(Task, ANoteIsNotInTheHash) {
  EXPECT_EQ(ParseTask(With(R"("note":"from the manual, page 3")"), "t").hash,
            ParseTask(With(R"("context":null)"), "t").hash);
  EXPECT_THAT(FirstError(With(R"("note":7)")), HasSubstr("note: expected a text for people, found"));
}

TEST(Task, EveryCutOfAFileIsRefusedOrRead) {
  const std::string text =
      With(R"("context":"é","tools":[{"type":"function","function":{"name":"f"}}],"sampling":{"seed":1})") + "\n" +
      kGood;
  for (size_t size = 0; size < text.size(); ++size) CheckTaskText(text.substr(0, size), "t");
  for (size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x15);
    CheckTaskText(damaged, "t");
  }
}

TEST(Task, MissingFileIsNotFound) {
  try {
    LoadTask("/nonexistent/t.jsonl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
  }
}

// What the repository ships must be free of mistakes and of doubts, counts apart.
TEST(Task, ShippedTasksAreClean) {
  int files = 0;
  for (const char* folder : {ASSAY_SOURCE "/examples/tasks", ASSAY_SOURCE "/examples/demo"})
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".jsonl") continue;
      ++files;
      std::vector<TaskProblem> problems = CheckTask(entry.path());
      std::erase_if(problems, [](const TaskProblem& problem) {
        return problem.message.find("with fewer than") != std::string::npos;
      });
      for (const TaskProblem& problem : problems) ADD_FAILURE() << problem.Describe(entry.path().string());
      EXPECT_GE(LoadTask(entry.path()).examples.size(), 10u) << entry.path();
    }
  EXPECT_GE(files, 6);
}

// Every shipped example can be passed, and not by the answer to the next one.
TEST(Task, ShippedExamplesTellRightFromWrong) {
  std::vector<Json> rows = testing::ReadLines(ASSAY_TEST_DATA "/task/data/right_answers.jsonl");
  std::map<std::string, Task> tasks;
  int wrong_passes = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    auto file = rows[i]["file"].get<std::string>();
    if (!tasks.count(file)) tasks.emplace(file, LoadTask(ASSAY_SOURCE "/examples/tasks/" + file));
    const auto& examples = tasks.at(file).examples;
    auto example =
        std::find_if(examples.begin(), examples.end(), [&](const Example& e) { return e.id == rows[i]["id"]; });
    ASSERT_NE(example, examples.end()) << rows[i];
    auto right = rows[i]["answer"].get<std::string>(),
         other = rows[(i + 13) % rows.size()]["answer"].get<std::string>();
    bool other_passes = true;
    for (const Check& check : example->expect) {
      CheckResult result = RunCheck(check, {right, "stop"}, *example);
      EXPECT_TRUE(result.pass) << file << " " << example->id << ": " << result.failure << ": " << result.detail;
      other_passes = other_passes && RunCheck(check, {other, "stop"}, *example).pass;
    }
    wrong_passes += other_passes;
  }
  size_t examples = 0;
  for (const auto& [file, task] : tasks) examples += task.examples.size();
  EXPECT_EQ(rows.size(), examples) << "tools/golden/task_answers.py writes the answers anew";
  EXPECT_LE(wrong_passes, static_cast<int>(examples / 20)) << "loose checks: a direct answer, a question mark";
}

TEST(Sampling, RoundTripAndOverrides) {
  Sampling sampling;
  sampling.temperature = 0.7;
  sampling.top_k = 40;
  sampling.top_p = 0.9;
  sampling.min_p = 0.05;
  sampling.repetition_penalty = 1.1;
  sampling.repetition_window = 64;
  sampling.seed = UINT64_MAX;
  sampling.max_tokens = 17;
  sampling.stop = {"\n", "END"};
  EXPECT_EQ(ToJson(SamplingFromJson(Json::parse(ToJson(sampling).dump()), {}, "s")), ToJson(sampling));
  Sampling over = SamplingFromJson(Json::parse(R"({"max_tokens":3,"stop":"x"})"), sampling, "s");
  EXPECT_EQ(over.max_tokens, 3);
  EXPECT_EQ(over.top_k, 40);
  EXPECT_THAT(over.stop, ElementsAre("x"));
  for (const char* bad : {R"({"seed":-1})", R"({"seed":1.5})", R"({"temperature":-1})", R"({"top_k":-1})",
                          R"({"min_p":2})", R"({"repetition_penalty":0})", R"({"max_tokens":0})", R"({"stop":[""]})",
                          R"({"stop":[1]})", R"({"temperature":"hot"})", R"({"repetition_window":-1})", R"([])"})
    EXPECT_THROW(SamplingFromJson(Json::parse(bad), {}, "s"), Error) << bad;
}

}  // namespace
}  // namespace assay
