// Windows, chunks and states over prompts that are longer than what is kept (long.json, tools/golden/tiny_models.py):
// the cache moves, holds no more than the window and a step, and the logits are transformers'.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "checkpoint/convert_for_test.h"
#include "model/model.h"
#include "system/file.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

const fs::path kModels = fs::path(ASSAY_TEST_DATA) / "golden/models";

class Windows : public testing::TestWithParam<std::string> {};

TEST_P(Windows, LongPromptsLeaveBehindWhatTheyMay) {
  TempFolder scratch;
  const fs::path folder = scratch.path() / "m";
  fs::create_directories(folder);
  for (const char* file : {"config.json", "model.safetensors"})
    fs::copy_file(kModels / GetParam() / file, folder / file);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama" / file, folder / file);
  const Json golden = ParseJson(ReadFile(kModels / GetParam() / "long.json"), "long.json");
  const auto expected = golden.at("last_logits").get<std::vector<double>>();
  const auto length = golden.at("tokens").get<int64_t>();

  auto model = Model::Load(Checkpoint::Open(folder), {Arithmetic::kReference, ""});
  const ModelConfig& config = model->config();
  ASSERT_EQ(static_cast<int64_t>(expected.size()), config.vocab);
  Workspace workspace;
  ThreadPool pool(2);
  // In one call, and as a conversation grows: in pieces that are no divisors of window and step.
  for (int64_t piece : {length, int64_t{97}}) {
    Sequence sequence(config, model->arithmetic(), length);
    std::vector<float> logits(expected.size());
    for (int64_t begin = 0; begin < length; begin += piece) {
      std::vector<BatchToken> batch;
      for (int64_t t = begin; t < std::min(length, begin + piece); ++t)
        batch.push_back({static_cast<int32_t>(4 + t * t % 251), &sequence, t + 1 == length});
      model->Forward(batch, workspace, pool, logits.data());
    }
    double largest = 0;
    for (size_t i = 0; i < expected.size(); ++i)
      largest = std::max(largest, std::abs(static_cast<double>(logits[i]) - expected[i]));
    // Recurrent states add up over all tokens (architectures_test.cc).
    EXPECT_LT(largest, config.delta.key_heads > 0 ? 2e-3 : 2e-4) << "pieces of " << piece;
    int64_t moved = 0, bounded = 0;
    for (int64_t i = 0; i < config.n_layers; ++i) {
      const LayerConfig layer = config.Layer(i);
      if (layer.kv_back > 0) {  // keeps nothing
        EXPECT_EQ(sequence.layer(i).rows, 0);
      } else if (layer.recurrent) {
        ++bounded;
        ++moved;
        EXPECT_EQ(sequence.layer(i).rows, 0);
      } else if (layer.window > 0) {
        ++bounded;
        EXPECT_EQ(sequence.layer(i).rows, layer.window - 1 + kStepTokens);
        moved += sequence.base(i) > 0;
      } else {
        EXPECT_EQ(sequence.layer(i).rows, length);
        EXPECT_EQ(sequence.base(i), 0);
      }
    }
    EXPECT_GT(bounded, 0);
    EXPECT_EQ(moved, bounded) << "every window had to move";
  }
}

std::vector<std::string> WithLongPrompts() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kModels))
    if (fs::exists(entry.path() / "long.json")) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Models, Windows, testing::ValuesIn(WithLongPrompts()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace assay
