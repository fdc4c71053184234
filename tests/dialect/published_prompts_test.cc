// Prompts against the code that models' folders carry in place of a chat template (tools/golden/deepseek_prompts.py).

#include "dialect/published_prompts.h"

#include <gtest/gtest.h>

#include "dialect/chat_fit.h"
#include "system/file.h"

namespace assay {
namespace {

void ExpectPrompts(const std::string& file, const char* architecture, size_t at_least) {
  const std::string path = ASSAY_TEST_DATA "/golden/jinja/" + file;
  const Json golden = ParseJson(ReadFile(path), path);
  const ChatTemplate prompt = ChatTemplate::Parse(PublishedChatTemplate(architecture), architecture);
  EXPECT_TRUE(prompt.Reads("tools"));
  for (const Json& row : golden["cases"]) {
    ChatTemplate::Input input;
    input.messages = row["messages"];
    if (row["tools"].get<bool>()) input.tools = golden["tools"];
    input.bos_token = golden["bos"].get<std::string>();
    if (row["thinking"].get<bool>()) input.extra = Json{{"thinking", true}};
    EXPECT_EQ(RenderChat(prompt, FitChat(prompt, input).input), row["prompt"].get<std::string>()) << row["messages"];
  }
  EXPECT_GE(golden["cases"].size(), at_least);
}

TEST(PublishedPrompts, AreThoseOfTheCode) {
  ExpectPrompts("deepseek_v32.json", "deepseek32", 40);
  ExpectPrompts("deepseek_v4.json", "deepseek4", 56);
}

TEST(PublishedPrompts, OthersAreLeftAlone) {
  EXPECT_EQ(PublishedChatTemplate("llama"), "");
}

/// What is no object is shown as V4's code shows it; messages that are none do not matter here.
TEST(PublishedPrompts, BrokenCallsAreText) {
  const ChatTemplate prompt = ChatTemplate::Parse(PublishedChatTemplate("deepseek4"), "deepseek4");
  ChatTemplate::Input input;
  input.messages = ParseJson(
      R"([{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":"{\"a\": "}}]}])", "m");
  EXPECT_NE(
      RenderChat(prompt, FitChat(prompt, input).input).find(R"(parameter name="arguments" string="true">{"a": </)"),
      std::string::npos);
  input.messages = ParseJson(R"(["text", {"tool_calls": 3}, {"tool_calls": [1, {"function": 2}]}])", "m");
  EXPECT_EQ(FitChat(prompt, input).input.messages, input.messages);
}

}  // namespace
}  // namespace assay
