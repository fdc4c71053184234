// GGUF files made by llama.cpp's converter out of the golden models (tools/golden/llama_cpp_models.py): the logits are
// those of transformers.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/convert_for_test.h"
#include "kernel/ops.h"
#include "model/model.h"
#include "system/file.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden";

class OfLlamaCpp : public testing::TestWithParam<std::pair<const char*, const char*>> {};

void ExpectLogits(const fs::path& file, const char* reference) {
  auto model = Model::Load(Checkpoint::Open(file), {Arithmetic::kReference, ""});
  const Json golden = ParseJson(ReadFile(kGolden / "models" / reference / "reference.json"), reference);
  const auto ids = golden.at("ids").get<std::vector<int32_t>>();
  const auto expected = golden.at("last_logits").get<std::vector<double>>();
  const auto logprobs = golden.at("prompt_logprobs").get<std::vector<double>>();
  const int64_t vocab = model->config().vocab;
  ASSERT_EQ(static_cast<int64_t>(expected.size()), vocab);
  Sequence sequence(model->config(), model->arithmetic(), static_cast<int64_t>(ids.size()));
  Workspace workspace;
  ThreadPool pool(2);
  std::vector<BatchToken> batch;
  for (int32_t id : ids) batch.push_back({id, &sequence, true});
  std::vector<float> logits(ids.size() * expected.size());
  model->Forward(batch, workspace, pool, logits.data());
  const double tolerance = model->config().delta.key_heads > 0 ? 5e-4 : 1e-4;  // as in architectures_test.cc
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(logits[logits.size() - expected.size() + i], expected[i], tolerance) << i;
  for (size_t t = 0; t < logprobs.size(); ++t) {
    const float* row = logits.data() + static_cast<int64_t>(t) * vocab;
    EXPECT_NEAR(row[ids[t + 1]] - LogSumExp(row, vocab), logprobs[t], tolerance) << t;
  }
}

TEST_P(OfLlamaCpp, LogitsAgreeWithTransformers) {
  const auto& [file, reference] = GetParam();
  ExpectLogits(kGolden / "checkpoint" / file, reference);
}

INSTANTIATE_TEST_SUITE_P(Files, OfLlamaCpp,
                         testing::Values(std::pair{"qwen3_5_images_llama_cpp.gguf", "qwen3_5_images"},
                                         std::pair{"qwen3_next_llama_cpp.gguf", "qwen3_next"},
                                         std::pair{"deepseek_v2_old_llama_cpp.gguf", "deepseek_v2"},
                                         std::pair{"deepseek_v4_fp4_llama_cpp.gguf", "deepseek_v4_fp4"},
                                         std::pair{"ministral3_llama_cpp.gguf", "ministral3"},
                                         std::pair{"granite4_h_llama_cpp.gguf", "granite4_h"},
                                         std::pair{"deci_llama_cpp.gguf", "deci"},
                                         std::pair{"gemma3n_llama_cpp.gguf", "gemma3n"},
                                         std::pair{"gemma4_llama_cpp.gguf", "gemma4"},
                                         std::pair{"gemma4_moe_llama_cpp.gguf", "gemma4_moe"}),
                         [](const auto& test) { return test.param.second; });

// A GGUF made of an old one is as newer converters write it.
TEST(LlamaCppFiles, OldLatentFilesBecomeNewOnesAndFolders) {
  auto source = Checkpoint::Open(kGolden / "checkpoint/deepseek_v2_old_llama_cpp.gguf");
  TempFolder folder;
  auto as_f32 = [](const Tensor&) { return "f32"; };
  ConvertForTest(*source, Container::kGguf, folder.path() / "new.gguf", "f32", as_f32);
  EXPECT_TRUE(Checkpoint::Open(folder.path() / "new.gguf")->metadata().contains("deepseek2.attention.key_length_mla"));
  EXPECT_EQ(Checkpoint::Open(folder.path() / "new.gguf")->config().latent, source->config().latent);
  ExpectLogits(folder.path() / "new.gguf", "deepseek_v2");
  ConvertForTest(*source, Container::kHuggingFace, folder.path() / "m", "", as_f32);
  auto written = Checkpoint::Open(folder.path() / "m");
  for (const Tensor& tensor : source->tensors())
    EXPECT_EQ(DecodeFor(*source, tensor, Container::kHuggingFace), Decode(written->Get(tensor.name))) << tensor.name;
}

}  // namespace
}  // namespace assay
