// A folder as Moonshot publishes Kimi K2.5, small: ranks and special tokens instead of tokenizer.json, a template file,
// packed experts below a class that also sees (tools/golden/kimi_folder.py; ids are tiktoken's, prompts and the answer
// transformers').

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/json.h"
#include "engine/engine.h"
#include "system/file.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

const fs::path kFolder = fs::path(ASSAY_TEST_DATA) / "golden/kimi";

Answer AnswerTo(Engine& engine, const std::string& prompt, int64_t max_tokens) {
  Request request;
  request.question = prompt;
  request.sampling.max_tokens = max_tokens;
  Answer answer;
  engine.Generate(
      std::span(&request, 1), [&](size_t, const Answer& found) { answer = found; }, SilentProgress());
  return answer;
}

TEST(KimiFolder, IdsPromptsAndAnswerAreThoseOfTheReference) {
  const Json golden = ParseJson(ReadFile(kFolder / "reference.json"), "reference.json");
  auto model = Model::Load(Checkpoint::Open(kFolder), {Arithmetic::kReference, ""});
  ThreadPool pool(2);
  Engine engine(model, pool, {});
  ASSERT_TRUE(engine.has_chat_template());
  EXPECT_EQ(model->checkpoint().tokenizer().pre, "kimi-k2");
  for (const Json& row : golden["texts"]) {
    const auto text = row["text"].get<std::string>();
    EXPECT_EQ(engine.Prepare(text).ids, row["ids"].get<std::vector<int32_t>>()) << text;
  }
  for (const Json& row : golden["chats"]) {
    const Prompt prompt =
        engine.Prepare(Chat{.messages = row["messages"], .tools = row.contains("tools") ? row["tools"] : Json()});
    EXPECT_EQ(prompt.text, row["prompt"].get<std::string>());
    EXPECT_EQ(prompt.ids, row["ids"].get<std::vector<int32_t>>());
  }
  // The answer ends with a token that generation_config.json alone calls an end.
  auto expected = golden["answer"].get<std::vector<int32_t>>();
  ASSERT_EQ(expected.back(), golden["stop"].get<int32_t>());
  expected.pop_back();
  const Answer answer = AnswerTo(engine, golden["chats"][0]["prompt"].get<std::string>(), 100);
  EXPECT_EQ(answer.ids, expected);
  EXPECT_EQ(answer.finish, "stop");
}

TEST(KimiFolder, WithoutGenerationConfigTheAnswerGoesOn) {
  const Json golden = ParseJson(ReadFile(kFolder / "reference.json"), "reference.json");
  const fs::path folder = fs::temp_directory_path() / ("assay_kimi_" + std::to_string(::getpid()));
  fs::copy(kFolder, folder, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  fs::remove(folder / "generation_config.json");
  auto model = Model::Load(Checkpoint::Open(folder), {Arithmetic::kReference, ""});
  ThreadPool pool(2);
  Engine engine(model, pool, {});
  const auto expected = golden["answer"].get<std::vector<int32_t>>();
  const Answer answer =
      AnswerTo(engine, golden["chats"][0]["prompt"].get<std::string>(), static_cast<int64_t>(expected.size()));
  EXPECT_EQ(answer.ids, expected);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace assay
