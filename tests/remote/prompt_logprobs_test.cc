#include "remote/native/prompt_logprobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::HasSubstr;

/// As vLLM answers a prompt of three tokens and one more.
RemoteAnswer Told(const std::string& prompt_logprobs,
                  const std::string& behind = R"({"token_id:9":-0.5,"token_id:4":-2})", int prompt_tokens = 3) {
  CompletionReader reader(1);
  reader.Take(R"({"choices":[{"index":0,"text":"","finish_reason":"length","logprobs":{"tokens":["token_id:9"],)"
              R"("top_logprobs":[)" +
              behind + R"(]},"prompt_logprobs":)" + prompt_logprobs + R"(}],"usage":{"prompt_tokens":)" +
              std::to_string(prompt_tokens) + R"(,"completion_tokens":1}})");
  return reader.Finish(false);
}

const ForcedText kText{{5, 6, 7}, 1};
constexpr const char* kLists =
    R"([null,{"6":{"logprob":-3,"rank":40,"decoded_token":" a"},"8":{"logprob":-0.25,"rank":1,"decoded_token":"b"}},)"
    R"({"11":{"logprob":-1,"rank":2},"7":{"logprob":-1,"rank":1}}])";

TEST(PromptLogprobs, AreReadByTheirIdsBestFirst) {
  const ForcedPredictions told = ReadForced(Told(kLists), kText);
  ASSERT_EQ(told.error, "");
  ASSERT_EQ(told.steps.size(), 3u);
  EXPECT_EQ(told.steps[0][0].id, 8);
  EXPECT_FLOAT_EQ(told.steps[0][0].logprob, -0.25f);
  EXPECT_EQ(told.steps[0][1].id, 6);  // the token that stands there, however unlikely
  EXPECT_EQ(told.steps[1][0].id, 7);  // the lower of two that are as likely
  EXPECT_EQ(told.steps[2][0].id, 9);  // what would follow
  EXPECT_EQ(told.steps[2][1].id, 4);
  // Of the last token alone, and of what follows it.
  const ForcedPredictions last = ReadForced(Told(kLists), {{5, 6, 7}, 2});
  ASSERT_EQ(last.steps.size(), 2u);
  EXPECT_EQ(last.steps[0][0].id, 7);
}

TEST(PromptLogprobs, WhatIsNotOfTheseTokensIsAnError) {
  struct Case {
    RemoteAnswer reading;
    const char* says;
  };
  for (const Case& c :
       {Case{Told("null"), "expected prompt_logprobs of 3 tokens, found null"},
        Case{Told("[null]"), "expected prompt_logprobs of 3 tokens, found 1"},
        Case{Told(R"([null,{"6":{"logprob":-3}},{"8":{"logprob":-1}}])"), "prompt_logprobs[2]: expected token 7"},
        Case{Told(R"([null,null,{"7":{"logprob":-1}}])"), "prompt_logprobs[1]: expected token 6"},
        Case{Told(R"([null,{"6":{"logprob":"x"}},{"7":{"logprob":-1}}])"), "prompt_logprobs[1]"},
        Case{Told(R"([null,{"6":-1},{"7":{"logprob":-1}}])"), "prompt_logprobs[1]"},
        Case{Told(kLists, R"({"a":-0.5})"), "logprobs of the token behind the prompt by their ids"},
        Case{Told(kLists, R"({"token_id:-2":-0.5})"), "by their ids"},
        Case{Told(kLists, R"({"token_id:9":-0.5})", 2), "counts 2 tokens of 3"},
        Case{Faulty(Fault::kRefused, "too many"), "refused: too many"}}) {
    const ForcedPredictions told = ReadForced(c.reading, kText);
    EXPECT_THAT(told.error, HasSubstr(c.says));
    EXPECT_TRUE(told.steps.empty());
  }
}

TEST(PromptLogprobs, AreAskedForWithNothingCutOffTheDistribution) {
  ServerFacts facts;
  facts.kind = ServerKind::kVllm;
  facts.model = facts.answers_as = "m";
  const CompletionRequest ask = ForcedRequest(facts, kText, 20);
  EXPECT_EQ(ask.path, "/v1/completions");
  EXPECT_EQ(ask.body["prompt"], Json({5, 6, 7}));
  EXPECT_EQ(ask.body["prompt_logprobs"], 20);
  EXPECT_EQ(ask.body["max_tokens"], 1);
  EXPECT_EQ(ask.body["stream"], false);  // vLLM tells them in whole answers alone
  EXPECT_FALSE(ask.body.contains("stream_options"));
  EXPECT_EQ(ask.body["temperature"], 1);
  EXPECT_EQ(ask.body["top_p"], 1);
  EXPECT_EQ(ask.body["top_k"], -1);
  EXPECT_EQ(ask.body["repetition_penalty"], 1);
  EXPECT_GT(ask.more_bytes, 3u * 21u * 70u);
  EXPECT_TRUE(TellsPromptLogprobs(ServerKind::kVllm));
  EXPECT_FALSE(TellsPromptLogprobs(ServerKind::kLlamaServer));
}

}  // namespace
}  // namespace assay
