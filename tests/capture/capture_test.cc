#include "capture/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "capture/draft.h"
#include "task/task.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

Captured Asked(int line, const std::string& request, const std::string& message = "",
               const std::string& finish = "stop") {
  Captured captured;
  captured.file = "t.jsonl";
  captured.line = line;
  captured.request = Json::parse(request);
  if (!message.empty())
    captured.response = {{"choices", {{{"message", Json::parse(message)}, {"finish_reason", finish}}}}};
  return captured;
}

std::string User(const std::string& text, const std::string& more = "") {
  return R"({"messages":[{"role":"user","content":)" + Json(text).dump() + "}]" + more + "}";
}
std::string Said(const std::string& text) {
  return R"({"role":"assistant","content":)" + Json(text).dump() + "}";
}

DraftedChecks Draft(const std::string& request, const std::string& message, const std::string& finish = "stop") {
  LeftOut left_out;
  const CapturedExample example = ExampleOf(Asked(1, request, message, finish), false, left_out);
  return DraftChecks(example.line, *example.answer);
}

constexpr const char* kTools =
    R"(,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])";

TEST(Drafts, OfEachKindOfAnswer) {
  const auto draft = [](const DraftedChecks& drafted) { return drafted.expect.is_null() ? Json() : drafted.expect[0]; };
  const DraftedChecks call = Draft(
      User("w", kTools),
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1, \"$b\": 2}"}}]})",
      "tool_calls");
  EXPECT_EQ(draft(call),
            Json::parse(R"({"type":"tool_calls","calls":[{"name":"f","arguments":{"$exact":{"a":1,"$b":2}}}]})"));
  EXPECT_EQ(call.slice, "tools");
  EXPECT_EQ(draft(Draft(User("hi", kTools), Said("Hello, what can I do for you today?"))),
            Json::parse(R"({"type":"tool_calls","calls":[]})"));
  EXPECT_EQ(draft(Draft(User("w", kTools),
                        Said("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>")))["calls"][0]["name"],
            "f");
  EXPECT_EQ(draft(Draft(User("json"), Said("```json\n{\"a\": [1, 2]}\n```"))),
            Json::parse(R"({"type":"json_value","value":{"a":[1,2]}})"));
  EXPECT_EQ(draft(Draft(User("2+2?"), Said("The answer is 4."))), Json::parse(R"({"type":"number","value":4})"));
  EXPECT_EQ(draft(Draft(User("2+2?"), Said("<think>4 or 5?</think>\n4"))),
            Json::parse(R"({"type":"number","value":4})"));
  EXPECT_EQ(draft(Draft(User("Which?\nA) x\nB) y\nC) z"), Said("B) y"))),
            Json::parse(R"({"type":"choice","value":"B","letters":"ABC"})"));
  EXPECT_EQ(draft(Draft(User("capital?"), Said("**Paris.**"))),
            Json::parse(R"({"type":"equals","value":"Paris","ignore_case":true,"strip_punctuation":true})"));
}

TEST(Drafts, NoneAndWhy) {
  const auto why = [](const DraftedChecks& drafted) {
    EXPECT_TRUE(drafted.expect.is_null());
    return drafted.why;
  };
  EXPECT_EQ(why(Draft(User("tell"), Said("Once upon a time there was a fox who lived in a wood."))), "free text");
  EXPECT_EQ(why(Draft(User("2+2?"), Said("4"), "length")), "cut at max_tokens");
  EXPECT_EQ(why(Draft(User("x"), Said("  "))), "an empty answer");
  EXPECT_THAT(
      why(Draft(
          User("w", kTools),
          R"({"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\"a"}}]})")),
      HasSubstr("cannot be read"));
}

TEST(ExampleOf, KeepsWhatATaskHoldsAndCountsTheRest) {
  LeftOut left_out;
  const CapturedExample example = ExampleOf(
      Asked(
          1,
          R"({"model":"m","user":"u","stream":true,"temperature":0.7,"top_p":1,"seed":5,"max_completion_tokens":90,"stop":"END","logit_bias":{"5":1},
            "tool_choice":"required","parallel_tool_calls":true,"functions":[{"name":"g","parameters":{}}],
            "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}},
            "messages":[{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},
            {"role":"assistant","content":null,"refusal":null,"function_call":{"name":"g","arguments":"{}"}},
            {"role":"function","name":"g","content":"1"},
            {"role":"user","content":"x","weight":1}]})"),
      false, left_out);
  EXPECT_EQ(example.line, Json::parse(R"({"messages":[{"role":"system","content":[{"type":"text","text":"s"}]},
      {"role":"assistant","tool_calls":[{"type":"function","function":{"name":"g","arguments":"{}"}}]},
      {"role":"tool","content":"1","name":"g"},{"role":"user","content":"x"}],
      "tools":[{"type":"function","function":{"name":"g","parameters":{}}}],
      "response_schema":{"type":"object"},"sampling":{"max_tokens":90,"stop":["END"]}})"));
  EXPECT_TRUE(example.streamed);
  EXPECT_FALSE(example.answer);
  EXPECT_EQ(left_out, (LeftOut{{"temperature", 1},
                               {"tool_choice", 1},
                               {"logit_bias", 1},
                               {"message.weight", 1},
                               {"content.cache_control", 1}}));
  LeftOut none;
  EXPECT_EQ(ExampleOf(Asked(1, User("x", R"(,"temperature":0.7)")), true, none).line["sampling"]["temperature"], 0.7);
  EXPECT_TRUE(none.empty());
}

TEST(ExampleOf, RefusesWhatNoTaskHolds) {
  const auto why = [](const std::string& request) -> std::string {
    LeftOut left_out;
    try {
      ExampleOf(Asked(1, request), false, left_out);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(why(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]})"),
              HasSubstr("image_url"));
  EXPECT_THAT(why(R"({"prompt":["a","b"]})"), HasSubstr("one text"));
  EXPECT_THAT(why(R"({"prompt":[1,2]})"), HasSubstr("one text"));
  EXPECT_THAT(why(R"({"messages":[{"role":"wizard","content":"x"}]})"), HasSubstr("wizard"));
  EXPECT_THAT(why(R"({"messages":[{"role":"user","content":"redacted-by-litellm"}]})"), HasSubstr("redacted"));
  EXPECT_THAT(why(User("x", R"(,"tools":[{"type":"web_search"}])")), HasSubstr("no function"));
}

TEST(Capture, ATaskAndTheRest) {
  std::vector<Captured> requests;
  for (int i = 0; i < 30; ++i)
    requests.push_back(Asked(i + 1, User("Please compute the number " + std::to_string(i * 7919) + " times two for me"),
                             Said(std::to_string(i * 7919 * 2))));
  requests.push_back(Asked(31, User("Please compute the number 0 times two for me!"), Said("0")));  // again
  requests.push_back(Asked(32, User("Write to eve@example.com a story, as long as you like"),
                           Said("Dear eve@example.com, once upon a time there was …")));
  requests.push_back(Asked(33, R"({"prompt":[1]})"));
  requests.push_back(Asked(34, User("Nobody answered this one, so nothing is known of it")));
  CaptureOptions options;
  options.count = 10;
  options.near_duplicates = 0.95;
  const CaptureResult result = MakeTask(requests, options);
  EXPECT_EQ(result.requests, 34);
  ASSERT_EQ(result.duplicates.size(), 1u);
  EXPECT_EQ(result.duplicates[0].place, "t.jsonl:31");
  EXPECT_EQ(result.duplicates[0].of, "t.jsonl:1");
  ASSERT_EQ(result.refused.size(), 1u);
  EXPECT_EQ(result.refused[0].first, "t.jsonl:33");
  EXPECT_EQ(result.chosen, 10);
  EXPECT_EQ(result.drafted + result.rest, 32);
  EXPECT_EQ(result.drafted + std::ssize(result.undrafted), 10);
  EXPECT_EQ(result.redacted, (RedactionCounts{{"email", 1}}));

  const Task task = ParseTask(result.task_text, "task.jsonl");
  EXPECT_EQ(task.drafted(), result.drafted);
  EXPECT_EQ(std::ssize(task.examples), result.drafted);
  const Task rest = ParsePrompts(result.rest_text, "rest.jsonl");
  EXPECT_EQ(std::ssize(rest.examples), result.rest);
  EXPECT_EQ((result.task_text + result.rest_text).find("eve@"), std::string::npos);
  EXPECT_EQ(MakeTask(requests, options).task_text, result.task_text);

  // Once a person has looked at it: the same task.
  std::string reviewed;
  for (const std::string& line : Split(result.task_text, '\n'))
    if (!line.empty()) {
      Json json = Json::parse(line);
      EXPECT_THAT(json["draft"]["from"].get<std::string>(), HasSubstr("t.jsonl:"));
      json.erase("draft");
      reviewed += json.dump() + "\n";
    }
  EXPECT_EQ(ParseTask(reviewed, "").hash, task.hash);
  EXPECT_EQ(ParseTask(reviewed, "").drafted(), 0);
}

TEST(Capture, TurnsOfOneConversationShareACluster) {
  const std::string first = R"({"role":"user","content":"Plan a journey to Rome for the five of us"})";
  CaptureOptions options;
  const CaptureResult result = MakeTask(
      {Asked(1, R"({"messages":[)" + first + "]}", Said("Fine")),
       Asked(
           2,
           R"({"messages":[)" + first +
               R"(,{"role":"assistant","content":"Fine"},{"role":"user","content":"Now add the hotels, the museums and the trains, please, with all of the prices"}]})",
           Said("Sure")),
       Asked(3, User("Alone"), Said("Yes")),
       // Two that share a worked example and are no conversation.
       Asked(
           4,
           R"({"messages":[{"role":"user","content":"cat"},{"role":"assistant","content":"animal"},{"role":"user","content":"an oak tree in the park"}]})",
           Said("plant")),
       Asked(
           5,
           R"({"messages":[{"role":"user","content":"cat"},{"role":"assistant","content":"animal"},{"role":"user","content":"basalt and granite"}]})",
           Said("rock"))},
      options);
  const Task task = ParseTask(result.task_text, "t");
  ASSERT_EQ(task.examples.size(), 5u);
  EXPECT_FALSE(task.examples[0].cluster.empty());
  EXPECT_EQ(task.examples[0].cluster, task.examples[1].cluster);
  for (size_t i = 2; i < 5; ++i) EXPECT_TRUE(task.examples[i].cluster.empty());
}

}  // namespace
}  // namespace assay
