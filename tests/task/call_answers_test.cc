// Answers that are calls, that are meant as calls and that only speak of them: data/call_answers.jsonl, made by
// tools/golden/call_answers.py. And answers of a megabyte that are made to take long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "dialect/call/call_syntax.h"
#include "dialect/fence.h"
#include "processor_time.h"
#include "task/check/pattern.h"
#include "task_testing.h"

namespace assay {
namespace {

using testing::ReadLines;
using testing::Try;

TEST(CallAnswers, EachHasItsRightClass) {
  std::map<std::string, int> seen;
  for (const Json& row : ReadLines(ASSAY_TEST_DATA "/task/data/call_answers.jsonl")) {
    Example example;
    if (row["example"].contains("tools")) example.tools = row["example"]["tools"];
    CheckResult result = Try(row["example"]["expect"][0], row["answer"].get<std::string>(), example);
    EXPECT_EQ(result.pass ? "pass" : result.failure, row["right"].get<std::string>())
        << row["kind"] << ": " << row["answer"] << "\n"
        << row["why"] << "\n"
        << result.detail;
    ++seen[row["kind"]];
  }
  EXPECT_GE(seen["attempt"], 115);
  EXPECT_GE(seen["twin"], 75);
  EXPECT_GE(seen["literal"], 70);
  EXPECT_GE(seen["typed"], 45);
  EXPECT_GE(seen["mark"], 100);
  EXPECT_GE(seen["fence"], 20);
}

// The format that is the model's own does not change what an answer is.
TEST(CallAnswers, WhateverTheModelsFormat) {
  for (const Json& row : ReadLines(ASSAY_TEST_DATA "/task/data/call_answers.jsonl")) {
    if (row["kind"] != "attempt" && row["kind"] != "twin") continue;
    Example example;
    example.tools = row["example"]["tools"];
    Check check = CompileCheck(row["example"]["expect"][0], example);
    auto text = row["answer"].get<std::string>();
    for (std::string_view syntax : {"hermes", "llama3", "pythonic", "mistral"}) {
      CheckResult result = RunCheck(check, {text, "stop", {}, false, syntax}, example);
      EXPECT_EQ(result.pass ? "pass" : result.failure, row["right"].get<std::string>()) << syntax << ": " << text;
    }
  }
}

TEST(Fences, AreTold) {
  std::vector<Fence> fences =
      Fences("a\n```py\n1\n```\n~~~~\n```\nx\n```\n~~~~\n`` ` `` and ```b``` here\n```json {\"a\": 1}``` x\n```\nopen");
  ASSERT_EQ(fences.size(), 4u);
  EXPECT_EQ(fences[0].language, "py");
  EXPECT_EQ(fences[0].content, "1\n");
  EXPECT_EQ(fences[1].content, "```\nx\n```\n");
  EXPECT_EQ(fences[2].content, "{\"a\": 1}");
  EXPECT_FALSE(fences[3].closed);
  EXPECT_EQ(fences[3].content, "open");
}

// ---- Work

constexpr size_t kLong = 1'000'000;

std::string Repeated(std::string_view part, std::string_view head = "", std::string_view tail = "",
                     size_t size = kLong) {
  std::string text(head);
  while (text.size() < size) text += part;
  return text.append(tail);
}

// Milliseconds where the time is linear, minutes where it is not; the build may be checked.
// A budget that is used up takes seconds, and a build that checks itself several times as long.
constexpr double kSoon = kSanitized ? 80 : 20;
constexpr size_t kHostile = kSanitized ? 10'000 : 100'000;

TEST(Work, PatternsAreBoundedInTotal) {
  auto result = [](const char* pattern, const std::string& text) { return Pattern(pattern, false, false).Match(text); };
  // Each start explodes: PCRE2's own limit is per start.
  EXPECT_LT(ProcessorSeconds([&] { EXPECT_EQ(result("(a+)+$", std::string(157, 'a') + "!"), PatternResult::kLimit); }),
            kSoon);
  // Each start scans the rest.
  EXPECT_LT(ProcessorSeconds([&] { EXPECT_EQ(result("[a-z]+\\d", Repeated("a")), PatternResult::kLimit); }), kSoon);
  EXPECT_LT(ProcessorSeconds([&] { EXPECT_NE(result("(a*)\\1b", Repeated("a")), PatternResult::kMatch); }), kSoon);
  EXPECT_LT(
      ProcessorSeconds([&] { EXPECT_NE(result("(a*)*(\\1x)*b", Repeated("a", "", "c")), PatternResult::kMatch); }),
      kSoon);
  // What is not hostile is found in a long text.
  std::string text = Repeated("the total of it ", "", "Total: 5");
  EXPECT_EQ(result("(?i)total:\\s*\\d+", text), PatternResult::kMatch);
  EXPECT_EQ(result("(?s)^.*it.*5$", text), PatternResult::kMatch);
  EXPECT_EQ(result("(\\w+\\s+)*Total", text.substr(text.size() - 20'000)), PatternResult::kMatch);
  EXPECT_EQ(result("nowhere", text), PatternResult::kNoMatch);
}

TEST(Work, OneCheckHasOneBudget) {
  std::string text = "\"" + std::string(60, 'a') + "!\"", list = text;
  for (int i = 1; i < 200; ++i) list += "," + text;
  Json value = Json::array();
  for (int i = 0; i < 200; ++i) value.push_back({{"$regex", "(a+)+[bc]"}});
  for (const Json& spec :
       {Json{{"type", "json_value"}, {"value", {{"$set", value}}}}, Json{{"type", "json_value"}, {"value", value}},
        Json{{"type", "json_schema"}, {"schema", {{"items", {{"pattern", "^(a+)+$"}}}}}}})
    EXPECT_LT(ProcessorSeconds([&] { EXPECT_EQ(Try(spec, "[" + list + "]").failure, "undecided") << spec; }), kSoon);
  // Calls, each compared with each.
  Json calls = Json::array();
  std::string made;
  for (int i = 0; i < 200; ++i) {
    calls.push_back({{"name", "f"}, {"arguments", {{"q", {{"$regex", "(a+)+[bc]"}}}}}});
    made += (i ? "," : "") + std::string(R"({"name":"f","arguments":{"q":)") + text + "}}";
  }
  for (const Json& members :
       {Json::object(), Json::object({{"ordered", true}}), Json::object({{"allow_extra_calls", true}}),
        Json::object({{"ordered", true}, {"allow_extra_calls", true}})}) {
    Json spec = {{"type", "tool_calls"}, {"calls", calls}};
    spec.update(members);
    EXPECT_LT(ProcessorSeconds([&] {
                CheckResult result = Try(spec, "[" + made + "]");
                EXPECT_EQ(result.failure, "undecided") << spec;
                EXPECT_FALSE(result.detail.empty()) << spec;
              }),
              kSoon);
  }
  // Sets in sets in sets.
  Json sets = 1;
  std::string answer = "1";
  for (int depth = 0; depth < 5; ++depth) {
    Json set = Json::array();
    std::string items;
    for (int i = 0; i < 12; ++i) set.push_back(sets), items += (i ? "," : "") + answer;
    sets = {{"$set", set}};
    answer = "[" + items + "]";
  }
  EXPECT_LT(ProcessorSeconds([&] {
              EXPECT_EQ(Try(Json{{"type", "json_value"}, {"value", sets}}, answer).failure, "undecided");
            }),
            kSoon);
  // An undecided alternative does not hide behind the others.
  EXPECT_EQ(Try(R"({"type":"json_value","value":{"$any_of":[{"$regex":"(a+)+[bc]"},"x"]}})", text).failure,
            "undecided");
  EXPECT_TRUE(
      Try(R"({"type":"json_value","value":{"$any_of":[{"$regex":"(a+)+[bc]"},{"$contains":"a!"}]}})", text).pass);
}

TEST(Work, HostileAnswersAreReadInLinearTime) {
  Json tool = {{"type", "function"},
               {"function",
                {{"name", "f"}, {"parameters", {{"type", "object"}, {"properties", {{"a", {{"type", "string"}}}}}}}}}};
  Example example;
  example.tools = Json::array({tool});
  const char* calls = R"({"type":"tool_calls","calls":[]})";
  for (const char* part : {"{",
                           "[",
                           "{\"",
                           "{}",
                           "{f}",
                           "{\"name\":\"f\",",
                           "{'f': {",
                           "f(",
                           "f(a) ",
                           "f(a=",
                           "f {",
                           "f: ",
                           "f\n",
                           "f.f.f:",
                           "<f>",
                           "<f ",
                           "Action: f x\n",
                           "Tool: f\n",
                           "Tool: f\nArguments: x\n",
                           "\"",
                           "'",
                           "`",
                           "```",
                           "```\n",
                           "~~~\n",
                           "```json {",
                           ">>>",
                           ">>>f\n",
                           "<tool_call",
                           "`<tool_call>`",
                           "<tool_call>{",
                           "<tool_call>{}",
                           "<function=f>",
                           "<function=f><parameter=a>",
                           "<|tool_call>call:f{a,",
                           "a,",
                           "\\",
                           "f(a=\"",
                           "f('",
                           "name: \"f\" ",
                           "For example, f(a=1). ",
                           "I do not call f(a=1). ",
                           "def f(a): f(1)\n",
                           "[f(a=",
                           "[f(a=1),",
                           "functools[",
                           "Action:",
                           "{\"f\": {\"a\": 1}, ",
                           "{\"description\": \"\", \"name\": \"f\"} ",
                           "to=functions.",
                           "\"<tool_call>\" ",
                           "f (",
                           "f(f(",
                           "<arg_value>",
                           "<parameter=a></tool_call></parameter>",
                           "<tool_call>{\"name\":\"directly_answer\"}",
                           "<|\"|>"})
    for (const char* head : {"", "[", "<tool_call>\n<function=f>\n", "<tool_call>\n<function=f>\n<parameter=a>"}) {
      std::string text = Repeated(part, head, "", kHostile);
      EXPECT_LT(ProcessorSeconds([&] { Try(calls, text, example); }), kSoon) << head << part;
    }
  // So long that a search of the rest for each value or section would take minutes.
  std::string values = Repeated("<parameter=a></tool_call></parameter>", "<tool_call>\n<function=f>\n", "", 4 * kLong),
              sections = Repeated("<tool_call>{\"name\":\"directly_answer\"}", "", "", 4 * kLong);
  EXPECT_LT(ProcessorSeconds([&] { EXPECT_EQ(Try(calls, values, example).failure, "malformed call"); }), kSoon);
  EXPECT_LT(ProcessorSeconds([&] { EXPECT_EQ(Try(calls, sections, example).failure, ""); }), kSoon);
  for (const char* spec :
       {R"({"type":"json_value","value":{"a":1}})", R"({"type":"json_schema","schema":{"uniqueItems":true}})"})
    for (const std::string& text : {Repeated("1,", "[", "1]"), Repeated("[],", "[", "1]"),
                                    Repeated("{\"a\":", "{\"a\":", "1"), Repeated("```json\n")})
      EXPECT_LT(ProcessorSeconds([&] { Try(spec, text); }), kSoon);
  std::string keys = "{\"a\":1";
  for (int i = 0; keys.size() < kLong; ++i) keys += ",\"k" + std::to_string(i) + "\":0";
  EXPECT_LT(ProcessorSeconds(
                [&] { EXPECT_EQ(Try(R"({"type":"json_value","value":{"a":1}})", keys + "}").failure, "extra"); }),
            kSoon);
}

}  // namespace
}  // namespace assay
