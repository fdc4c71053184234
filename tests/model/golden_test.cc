// Small random models made and run by transformers in float32 (tests/golden/checkpoint/PROVENANCE): plain, with biases
// everywhere, and with each RoPE scaling. Reference arithmetic agrees to float32 rounding.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "kernel/ops.h"
#include "model/model.h"
#include "system/file.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden/checkpoint";

// The folder of a case; the RoPE cases share tiny_llama's weights.
fs::path Assemble(const std::string& name, const fs::path& scratch) {
  if (fs::exists(kGolden / name / "model.safetensors")) return kGolden / name;
  fs::create_directories(scratch);
  for (const auto& entry : fs::directory_iterator(kGolden / "tiny_llama"))
    fs::copy_file(entry.path(), scratch / entry.path().filename(), fs::copy_options::overwrite_existing);
  fs::copy_file(kGolden / name / "config.json", scratch / "config.json", fs::copy_options::overwrite_existing);
  return scratch;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, LogitsAndGreedyTextAgreeWithTransformers) {
  fs::path scratch = fs::temp_directory_path() / ("assay_golden_" + GetParam() + std::to_string(::getpid()));
  auto model = Model::Load(Checkpoint::Open(Assemble(GetParam(), scratch)), {Arithmetic::kReference, ""});
  Json golden = ParseJson(ReadFile(kGolden / GetParam() / "logits.json"), "logits.json");
  auto ids = golden.at("ids").get<std::vector<int32_t>>();
  auto n = static_cast<int64_t>(ids.size()), vocab = model->config().vocab;
  Sequence sequence(model->config(), model->arithmetic(), n + static_cast<int64_t>(golden.at("greedy").size()));
  Workspace workspace;
  ThreadPool pool(2);
  std::vector<BatchToken> batch;
  for (int32_t id : ids) batch.push_back({id, &sequence, true});
  std::vector<float> logits(static_cast<size_t>(n * vocab));
  model->Forward(batch, workspace, pool, logits.data());

  auto last = golden.at("last_logits").get<std::vector<double>>();
  ASSERT_EQ(static_cast<int64_t>(last.size()), vocab);
  for (int64_t i = 0; i < vocab; ++i)
    EXPECT_NEAR(logits[static_cast<size_t>((n - 1) * vocab + i)], last[static_cast<size_t>(i)], 5e-4) << i;
  auto argmax = golden.at("argmax").get<std::vector<int64_t>>();
  for (size_t t = 0; t < argmax.size(); ++t)
    EXPECT_EQ(ArgMax(logits.data() + static_cast<int64_t>(t) * vocab, vocab), argmax[t]) << t;
  auto logprobs = golden.at("prompt_logprobs").get<std::vector<double>>();
  for (size_t t = 0; t < logprobs.size(); ++t) {
    const float* row = logits.data() + static_cast<int64_t>(t) * vocab;
    EXPECT_NEAR(row[ids[t + 1]] - LogSumExp(row, vocab), logprobs[t], 5e-4) << t;
  }

  auto greedy = golden.at("greedy").get<std::vector<int32_t>>();
  auto margins = golden.at("greedy_margins").get<std::vector<double>>();
  std::vector<float> step(logits.end() - vocab, logits.end());
  for (size_t t = 0; t < greedy.size() && margins[t] > 2e-3; ++t) {
    EXPECT_EQ(ArgMax(step.data(), vocab), greedy[t]) << t;
    BatchToken token{greedy[t], &sequence, true};
    model->Forward(std::span(&token, 1), workspace, pool, step.data());
  }
  fs::remove_all(scratch);
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         testing::Values("tiny_llama", "tiny_bias", "rope_linear", "rope_llama3", "rope_yarn"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace assay
