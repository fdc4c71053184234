// A whole check, from examples to verdicts, of two arms that are no engine: behind them is a made-up server that
// answers chats with messages, calls and all, and can do nothing else. What cannot be known is said, not made up.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "evidence/advice.h"
#include "task/message.h"
#include "task/runner.h"

namespace assay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MadeUpServer : public Backend {
 public:
  /// Every `forgets`-th call lacks its argument; 0: none does.
  explicit MadeUpServer(int forgets) : forgets_(forgets) {}

  Capabilities can() const override {
    return {.tokenize = false, .render = false, .score = false, .seeds = false, .same_bits = false};
  }
  Prompt Prepare(const Question& question) const override {
    if (!std::holds_alternative<Chat>(question)) Fail(ErrorKind::kUnsupported, "the server takes chats alone");
    return {};
  }
  void Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                Progress&) override {
    for (size_t i = 0; i < requests.size(); ++i) done(i, ReadCompletion(Respond(std::get<Chat>(requests[i].question))));
  }
  std::vector<Json> asked;  // the messages

 private:
  Json Respond(const Chat& chat) {
    asked.push_back(chat.messages);
    const Json& content = chat.messages.back()["content"];
    if (content == "overloaded") return {{"error", {{"message", "503: try again"}}}};
    Json message = {{"role", "assistant"}, {"content", "It is 4."}, {"reasoning_content", "two and two"}};
    if (!chat.tools.is_null()) {
      const bool forgets = forgets_ > 0 && ++calls_ % forgets_ == 0;
      const Json arguments = forgets ? Json::object() : Json{{"city", content}};
      message = {
          {"role", "assistant"},
          {"content", nullptr},
          {"tool_calls", Json::array({{{"type", "function"},
                                       {"function", {{"name", "weather"}, {"arguments", DumpJson(arguments)}}}}})}};
    }
    return {{"choices", Json::array({{{"message", message}, {"finish_reason", "stop"}}})},
            {"usage", {{"prompt_tokens", 21}, {"completion_tokens", 7}}}};
  }
  int forgets_, calls_ = 0;
};

Task MadeUpTask() {
  std::string lines;
  for (int i = 0; i < 60; ++i)
    lines += fmt::format(
        R"({{"id":"sum{0}","slice":"sums","messages":[{{"role":"user","content":"2 + 2, try {0}"}}],"expect":[{{"type":"number","value":4}}]}}
{{"id":"call{0}","slice":"tools","messages":[{{"role":"user","content":"city {0}"}}],"tools":[{{"type":"function","function":{{"name":"weather","parameters":{{"type":"object","properties":{{"city":{{"type":"string"}}}}}}}}}}],"expect":[{{"type":"tool_calls","calls":[{{"name":"weather","arguments":{{"city":"city {0}"}}}}]}}]}}
)",
        i);
  return ParseTask(lines, "made_up.jsonl");
}

RunHeader HeaderOf(const Backend& backend, const Task& task, const std::string& format) {
  RunHeader header;
  header.model.format = format;
  header.task_name = task.name;
  header.task_hash = task.hash;
  header.sampling = ToJson(Sampling{});
  header.can = backend.can();
  return header;
}

Arm Measure(MadeUpServer& server, const Task& task, const std::string& format) {
  Arm arm;
  arm.run = RunTask(task, server, HeaderOf(server, task, format), nullptr, SilentProgress());
  return arm;
}

TEST(MadeUpServer, AWholeCheck) {
  const Task task = MadeUpTask();
  MadeUpServer whole(0), broken(2);
  EXPECT_EQ(whole.scorer() != nullptr, whole.can().score);
  CheckRecord record;
  record.baseline = Measure(whole, task, "bf16");
  record.candidates = {Measure(broken, task, "fp8")};
  const ExampleResult &sum = record.baseline.run.examples[0], &call = record.candidates[0].run.examples[3];
  EXPECT_TRUE(sum.pass);
  EXPECT_EQ(sum.answer, "It is 4.");
  EXPECT_EQ(sum.prompt_tokens, 21);
  EXPECT_EQ(sum.prompt_hash, QuestionHash(QuestionOf(task.examples[0])));
  EXPECT_THAT(sum.answer_ids, IsEmpty());
  EXPECT_THAT(call.answer, HasSubstr(R"("name": "weather", "arguments": {})"));
  EXPECT_EQ(call.failure(), "missing");
  EXPECT_EQ(whole.asked[1], task.examples[1].messages);  // as a chat

  const std::vector<Comparison> comparisons = Judge(record);
  const Comparison& comparison = comparisons[0];
  EXPECT_THAT(comparison.obstacles, IsEmpty());
  ASSERT_EQ(comparison.slices.size(), 2u);
  EXPECT_EQ(comparison.all.verdict, Verdict::kCracks);
  EXPECT_EQ(comparison.slices[0].counts.regressions, 0);
  EXPECT_EQ(comparison.slices[1].verdict, Verdict::kCracks);
  EXPECT_EQ(comparison.slices[1].counts.regressions, 30);
  EXPECT_FALSE(comparison.all.displacement.measured);
  EXPECT_THAT(Advice(record, comparisons), HasSubstr("fp8"));
  for (const char* said :
       {"the prompt tokens of both models are not known", "the chat template of both models",
        "how far the outputs moved is not measured", "answers of both models may differ from one time to the next"})
    EXPECT_THAT(comparison.notes, Contains(HasSubstr(said)));
  // Greedy answers are no draws.
  EXPECT_THAT(comparison.notes, Not(Contains(HasSubstr("the draws of"))));
  for (RunRecord* run : {&record.baseline.run, &record.candidates[0].run}) run->header.sampling["temperature"] = 0.7;
  EXPECT_THAT(Judge(record)[0].notes, Contains(HasSubstr("the draws of both models are not known to follow the seed")));
}

// A server's model against one that runs here: what one of them does not tell is no obstacle, and is said.
TEST(MadeUpServer, AgainstAModelThatTellsAll) {
  const Task task = MadeUpTask();
  MadeUpServer server(0);
  Arm baseline = Measure(server, task, "bf16"), candidate = Measure(server, task, "fp8");
  baseline.run.header.can = {};
  baseline.run.header.tokenizer_hash = "t";
  baseline.run.header.template_hash = "c";
  for (ExampleResult& result : baseline.run.examples) result.prompt_hash = PromptHash(std::vector<int32_t>{1, 2});
  const Comparison comparison = PairRuns(baseline.run, candidate.run);
  EXPECT_THAT(comparison.obstacles, IsEmpty());
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("the prompt tokens of the candidate are not known")));
  // Two servers that were asked otherwise are not compared.
  Arm other = candidate;
  other.run.examples[0].prompt_hash = "other";
  EXPECT_THAT(PairRuns(candidate.run, other.run).obstacles,
              ElementsAre("the models were asked differently in examples sum0"));
}

TEST(MadeUpServer, WhatItCannotDoIsAnErrorOfThatExample) {
  const Task task = ParseTask(
      R"({"id":"raw","prompt":"2 + 2 =","expect":[{"type":"number","value":4}]}
{"id":"busy","messages":[{"role":"user","content":"overloaded"}],"expect":[{"type":"number","value":4}]}
{"id":"sum","messages":[{"role":"user","content":"2 + 2"}],"expect":[{"type":"number","value":4}]}
)",
      "t.jsonl");
  MadeUpServer server(0);
  const RunRecord run = RunTask(task, server, HeaderOf(server, task, "fp8"), nullptr, SilentProgress());
  EXPECT_THAT(run.examples[0].error, HasSubstr("takes chats alone"));
  EXPECT_EQ(run.examples[1].error, "no answer was given: 503: try again");
  EXPECT_TRUE(run.examples[2].pass);
}

// Without the same bits each sample of a greedy answer is an answer of its own.
TEST(MadeUpServer, GreedySamplesAreAskedOneByOne) {
  Task task = MadeUpTask();
  task.examples.resize(1);
  MadeUpServer server(0);
  RunHeader header = HeaderOf(server, task, "fp8");
  header.samples = 3;
  EXPECT_EQ(RunTask(task, server, header, nullptr, SilentProgress()).examples.size(), 3u);
  EXPECT_EQ(server.asked.size(), 3u);
}

TEST(MadeUpServer, ItsLimitsAreInTheRecord) {
  const Task task = MadeUpTask();
  const RunHeader header = HeaderOf(MadeUpServer(0), task, "fp8");
  EXPECT_EQ(ToJson(header)["can"], Json::parse(R"({"tokenize":false,"render":false,"score":false,"seeds":false,
                                                   "same_bits":false})"));
  EXPECT_EQ(RunHeaderFromJson(ToJson(header), "r").can, header.can);
  EXPECT_FALSE(ToJson(RunHeader()).contains("can"));
  Json strange = ToJson(header);
  strange["can"] = {{"score", "no"}};
  try {
    RunHeaderFromJson(strange, "r");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_THAT(error.what(), HasSubstr("score"));
  }
}

}  // namespace
}  // namespace assay
