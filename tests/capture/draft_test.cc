#include "capture/draft.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

DraftedChecks Drafted(const char* prompt, const char* text, const Json& calls = nullptr) {
  Json example = {{"messages", {{{"role", "user"}, {"content", prompt}}}}};
  if (!calls.is_null())
    example["tools"] = Json::parse(R"([{"type":"function","function":{"name":"send","parameters":{"type":"object",
      "properties":{"to":{"type":"string"}}}}}])");
  Answer answer;
  answer.text = text;
  answer.finish = "stop";
  answer.tool_calls = calls;
  return DraftChecks(example, answer);
}

Json Send(const char* to) {
  return {{{"type", "function"}, {"function", {{"name", "send"}, {"arguments", Json{{"to", to}}.dump()}}}}};
}

TEST(Draft, NoCheckOfWhatWasRedacted) {
  EXPECT_EQ(Drafted("What is 2 + 2?", "4").expect[0]["type"], "number");
  // Nobody can know the sum of a number that is gone.
  EXPECT_EQ(Drafted("Compute [CARD_1] + 1", "4111111111111112").why, "what is right was redacted");
  EXPECT_TRUE(Drafted("What is 4111 + 1?", "[IP_1]/8").expect.is_null());
  EXPECT_EQ(Drafted("What is 2 + 2? Call [PHONE_1].", "4").expect[0]["type"], "number");
  // An address that the prompt holds can be written; one that stands in the answer alone cannot.
  EXPECT_EQ(Drafted("Write to [EMAIL_1]", "", Send("[EMAIL_1]")).expect[0]["type"], "tool_calls");
  EXPECT_TRUE(Drafted("Write to the boss", "", Send("[EMAIL_1]")).expect.is_null());
  EXPECT_EQ(Drafted("Is [a_1] fine?", "7").expect[0]["type"], "number");  // no placeholder
}

TEST(Draft, BrokenJsonIsNoNumber) {
  EXPECT_EQ(Drafted("Give me JSON", "{\"a\":1,").why, "JSON that cannot be read");
  EXPECT_EQ(Drafted("Give me JSON", "{\"a\":1}").expect[0]["type"], "json_value");
}

}  // namespace
}  // namespace assay
