// Reasoning taken off an answer, in the marks that models write.
#include "dialect/reasoning.h"

#include <gtest/gtest.h>

#include "task_testing.h"

namespace assay {
namespace {

struct Case {
  const char *text, *content, *reasoning;
  bool unfinished = false;
};

TEST(Reasoning, IsToldFromTheAnswer) {
  for (const Case& one : {
           Case{"<think>\nhm\n</think>\n\nFour.", "Four.", "hm"},
           Case{"hm\n</think>\n\nFour.", "Four.", "hm"},  // the prompt had opened it
           Case{"<think></think>Four.", "Four.", ""},
           Case{"<think>hm", "", "hm", true},
           Case{"<think>a</think><think>b</think>c", "c", "ab"},
           Case{"<seed:think>hm</seed:think>Four.", "Four.", "hm"},
           Case{"[THINK]hm[/THINK]Four.", "Four.", "hm"},
           Case{"<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Four.<|END_RESPONSE|>", "Four.", "hm"},
           Case{"<|START_THINKING|>hm<|END_THINKING|><|START_ACTION|>[]<|END_ACTION|>",
                "<|START_ACTION|>[]<|END_ACTION|>", "hm"},
           Case{"<|START_RESPONSE|>Four.<|END_RESPONSE|>", "Four.", ""},
           Case{"<think>hm</think><response>Four.</response>", "Four.", "hm"},
           Case{"<|channel>thought\nhm<channel|>Four.", "Four.", "hm"},
           Case{"Here is my thought process: hm\n\nHere is my response: Four.", "Four.", "hm"},
           Case{"Here are my reasoning steps:\nhm\n[BEGIN FINAL RESPONSE]\nFour.\n[END FINAL RESPONSE]", "Four.\n",
                "hm"},
           Case{"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Four.", "Four.",
                "hm"},
           Case{"<|channel|>analysis<|message|>hm <| x", "", "hm <| x", true},
           Case{"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary "
                "to=functions.f <|constrain|>json<|message|>{}",
                "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>", "hm"},
       }) {
    AnswerParts parts = SplitReasoning(one.text);
    EXPECT_EQ(parts.content, one.content) << one.text;
    EXPECT_EQ(parts.reasoning, one.reasoning) << one.text;
    EXPECT_EQ(parts.unfinished, one.unfinished) << one.text;
    EXPECT_TRUE(parts.found) << one.text;
  }
}

TEST(Reasoning, PlainAnswersStayAsTheyAre) {
  for (const char* text : {"", "  Four.\n", "I think <b>so</b>", "{\"a\": \"<think>\"}", "Use <think> to open a block.",
                           "Here is my response: x", "<|channel|>"}) {
    AnswerParts parts = SplitReasoning(text);
    EXPECT_EQ(parts.content, text);
    EXPECT_FALSE(parts.found) << text;
  }
}

TEST(Reasoning, ThePromptMayHaveOpenedIt) {
  EXPECT_TRUE(EndsInReasoning("<|im_start|>assistant\n<think>\n"));
  EXPECT_FALSE(EndsInReasoning("<|im_start|>assistant\n<think>\n\n</think>\n\n"));
  EXPECT_FALSE(EndsInReasoning("<|im_start|>assistant\n"));
  EXPECT_TRUE(SplitReasoning("hm, let me", true).unfinished);
  EXPECT_EQ(SplitReasoning("hm</think>Four.", true).content, "Four.");
}

TEST(Reasoning, LongTextsAreLinear) {
  std::string blocks, marks;
  for (int i = 0; i < 100'000; ++i) blocks += "<think></think>", marks += "<|channel|><|message|><|";
  EXPECT_EQ(SplitReasoning(blocks).content, "");
  EXPECT_TRUE(SplitReasoning(marks).found);
  EXPECT_TRUE(SplitReasoning(std::string(2'000'000, '<')).content.size() == 2'000'000);
}

TEST(Reasoning, ChecksSeeWhatIsSaid) {
  EXPECT_TRUE(testing::Try(R"({"type":"equals","value":"Four."})", "<think>Five?</think>\nFour.").pass);
  EXPECT_EQ(testing::Try(R"({"type":"contains","value":"Five"})", "<think>Five?</think>\nFour.").failure, "missing");
  EXPECT_EQ(testing::Try(R"({"type":"equals","value":"Four."})", "<think>Four.").failure, "empty");
  const char* call = R"({"type":"tool_calls","calls":[{"name":"f","arguments":{"a":1}}]})";
  EXPECT_TRUE(
      testing::Try(
          call, "<think>I could <tool_call>{</think>\n<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":1}}</tool_call>")
          .pass);
  EXPECT_TRUE(testing::Try(call,
                           "<|channel|>analysis<|message|>call g({})<|end|><|start|>assistant<|channel|>commentary "
                           "to=functions.f <|constrain|>json<|message|>{\"a\":1}")
                  .pass);
}

}  // namespace
}  // namespace assay
