// Real templates on real conversations: golden/jinja/templates.json holds what transformers renders. ASSAY_TEMPLATES
// may name a folder with another one, made by the same script from more templates.

#include "dialect/chat_template.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "system/file.h"

namespace assay {
namespace {

Json Golden() {
  const char* folder = std::getenv("ASSAY_TEMPLATES");
  std::string path = (folder ? std::string(folder) : ASSAY_TEST_DATA "/golden/jinja") + "/templates.json";
  return ParseJson(ReadFile(path), path);
}

ChatTemplate::Input MakeInput(const Json& conversation, int64_t now_unix_s) {
  ChatTemplate::Input input;
  input.bos_token = "<s>";
  input.eos_token = "</s>";
  input.now_unix_s = now_unix_s;
  input.extra = Json::object();
  for (const auto& [name, value] : conversation["input"].items()) {
    if (name == "messages")
      input.messages = value;
    else if (name == "tools")
      input.tools = value;
    else if (name == "add_generation_prompt")
      input.add_generation_prompt = value.get<bool>();
    else
      input.extra[name] = value;
  }
  return input;
}

// Empty when the outcome is the expected one.
std::string Difference(const ChatTemplate& parsed, const ChatTemplate::Input& input, const Json& expected) {
  std::string text;
  try {
    text = parsed.Render(input);
  } catch (const Error& e) {
    if (!expected.contains("error")) return std::string("failed: ") + e.what();
    // Endless recursion: both stop it.
    bool endless = expected["error"] == "RecursionError";
    if (e.kind() != (endless ? ErrorKind::kResource : ErrorKind::kInvalid))
      return std::string("wrong kind: ") + e.what();
    // What the template itself raised reaches the user word for word.
    std::string message = e.what(), own = expected["own"].get<bool>() ? expected["error"].get<std::string>() : "";
    return message.ends_with(own) ? "" : "another message: " + message;
  }
  if (expected.is_string())
    return text == expected.get<std::string>() ? "" : "rendered " + Json(text).dump() + "\nexpected " + expected.dump();
  if (expected.contains("error")) return "rendered " + Json(text).dump() + "\nexpected " + expected.dump();
  if (text.size() == expected["bytes"].get<size_t>() && Sha256Hex(text) == expected["sha256"].get<std::string>())
    return "";
  return "rendered another text: " + text;
}

TEST(ChatTemplate, RendersAsTransformers) {
  Json golden = Golden();
  size_t same = 0, all = 0;
  ASSERT_GE(golden["templates"].size(), 30u);
  for (const Json& one : golden["templates"]) {
    std::string name = one["name"].get<std::string>();
    ChatTemplate parsed = ChatTemplate::Parse(one["source"].get<std::string>(), name);
    for (size_t i = 0; i < golden["conversations"].size(); ++i) {
      const Json& conversation = golden["conversations"][i];
      std::string difference =
          Difference(parsed, MakeInput(conversation, golden["now_unix_s"].get<int64_t>()), one["expected"][i]);
      EXPECT_EQ(difference, "") << name << ", " << conversation["name"];
      same += difference.empty();
      ++all;
    }
  }
  EXPECT_EQ(same, all);
  RecordProperty("same", static_cast<int>(same));
}

TEST(ChatTemplate, ToldApart) {
  EXPECT_TRUE(ChatTemplate::Parse("{% if tools %}x{% endif %}", "t").Reads("tools"));
  EXPECT_FALSE(ChatTemplate::Parse("{{ messages[0].tools }} tools {% set tools = 1 %}", "t").Reads("tools"));
  EXPECT_EQ(ChatTemplate::Parse("a\r\nb", "t").source(), "a\r\nb");
  ChatTemplate::Input input;
  input.messages = Json::array();
  input.extra = Json{{"add_generation_prompt", "won"}, {"x", 1}};
  EXPECT_EQ(ChatTemplate::Parse("{{ add_generation_prompt }}{{ x }}", "t").Render(input), "won1");
  input.extra = Json::array();
  EXPECT_THROW(ChatTemplate::Parse("x", "t").Render(input), Error);
}

TEST(ChatTemplate, SharedByThreads) {
  Json golden = Golden();
  const Json& one = golden["templates"].back();
  const ChatTemplate parsed = ChatTemplate::Parse(one["source"].get<std::string>(), "t");
  auto input = MakeInput(golden["conversations"][3], 0);
  const std::string expected = parsed.Render(input);
  std::vector<std::thread> threads;
  std::atomic<int> same = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) same += parsed.Render(input) == expected;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(same, 200);
}

}  // namespace
}  // namespace assay
