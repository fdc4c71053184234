#include "remote/native/forced_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::HasSubstr;

std::optional<Json> Said(const std::string& text) {
  return ParseJson(text, "test");
}

const ForcedText kText{{5, 6, 7}, 2};

/// As SGLang answers for the last token of three, and one more.
std::optional<Json> Sglang(const std::string& tokens, const std::string& lists,
                           const std::string& behind = "[[[-0.5,9,null],[-2,4,null]]]", int counted = 3) {
  return Said(R"({"text":"","meta_info":{"prompt_tokens":)" + std::to_string(counted) + R"(,"input_token_logprobs":)" +
              tokens + R"(,"input_top_logprobs":)" + lists + R"(,"output_top_logprobs":)" + behind + "}}");
}
constexpr const char* kTokens = "[[null,6,null],[-3,7,null]]";
constexpr const char* kLists = "[null,[[-1,11,null],[-0.5,8,null]]]";

TEST(ForcedCalls, SglangIsAskedFromTheTokenBefore) {
  const FetchRequest call = WholeTextCall(kText, 20);
  EXPECT_EQ(call.path, "/generate");
  EXPECT_EQ(call.body["input_ids"], Json({5, 6, 7}));
  EXPECT_EQ(call.body["logprob_start_len"], 1);
  EXPECT_EQ(call.body["top_logprobs_num"], 20);
  EXPECT_EQ(call.body["sampling_params"]["max_new_tokens"], 1);
}

TEST(ForcedCalls, SglangsListsAreReadBestFirst) {
  const ForcedPredictions told = ReadWholeText(Sglang(kTokens, kLists), kText);
  ASSERT_EQ(told.error, "");
  ASSERT_EQ(told.steps.size(), 2u);
  EXPECT_EQ(told.steps[0][0].id, 8);
  EXPECT_FLOAT_EQ(told.steps[0][0].logprob, -0.5f);
  EXPECT_EQ(told.steps[1][1].id, 4);
}

TEST(ForcedCalls, WhatIsNotOfTheseTokensIsAnError) {
  EXPECT_THAT(ReadWholeText({}, kText).error, HasSubstr("expected meta_info"));
  EXPECT_THAT(ReadWholeText(Sglang(kTokens, kLists, "[[]]"), kText).error, HasSubstr("behind the prompt"));
  EXPECT_THAT(ReadWholeText(Sglang(kTokens, "[null]"), kText).error,
              HasSubstr("input_top_logprobs: expected 2 tokens, found 1"));
  EXPECT_THAT(ReadWholeText(Sglang(kTokens, "[null,null]"), kText).error, HasSubstr("found null"));
  EXPECT_THAT(ReadWholeText(Sglang("[[null,6,null],[-3,8,null]]", kLists), kText).error,
              HasSubstr("expected token 7, found"));
  EXPECT_THAT(ReadWholeText(Sglang(kTokens, kLists, "[[[-1,9,null]]]", 2), kText).error,
              HasSubstr("counts 2 tokens of 3"));
}

TEST(ForcedCalls, LlamaServerIsAskedForOneToken) {
  ServerFacts facts;
  facts.kind = ServerKind::kLlamaServer;
  facts.model = "m";
  const FetchRequest call = NextTokenCall(facts, kText, 2, 20);
  EXPECT_EQ(call.path, "/completion");
  EXPECT_EQ(call.body["prompt"], Json({5, 6}));
  EXPECT_EQ(call.body["n_predict"], 1);
  EXPECT_EQ(call.body["n_probs"], 20);
  EXPECT_EQ(call.body["cache_prompt"], true);
  EXPECT_FALSE(call.body.contains("max_tokens"));
}

TEST(ForcedCalls, LlamaServersListIsOfThatPrompt) {
  const std::string list =
      R"("completion_probabilities":[{"id":8,"logprob":-0.5,"top_logprobs":[{"id":4,"logprob":-2},{"id":8,"logprob":-0.5}]}]})";
  const ForcedPredictions told = ReadNextToken(Said(R"({"tokens_evaluated":2,"truncated":false,)" + list), 2);
  ASSERT_EQ(told.error, "");
  ASSERT_EQ(told.steps.size(), 1u);
  EXPECT_EQ(told.steps[0][0].id, 8);
  EXPECT_THAT(ReadNextToken(Said(R"({"tokens_evaluated":3,)" + list), 2).error, HasSubstr("counts 3 tokens of 2"));
  EXPECT_THAT(ReadNextToken(Said(R"({"tokens_evaluated":2,"truncated":true,)" + list), 2).error, HasSubstr("cut"));
  EXPECT_THAT(ReadNextToken(Said(R"({"tokens_evaluated":2})"), 2).error, HasSubstr("found none"));
  EXPECT_THAT(ReadNextToken({}, 2).error, HasSubstr("found no answer"));
}

}  // namespace
}  // namespace assay
