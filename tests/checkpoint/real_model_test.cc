// SmolLM2-135M-Instruct Q4_1 as others published it; ASSAY_MODELS (or the user's cache folder) holds it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "checkpoint/checkpoint.h"

namespace assay {
namespace {

std::filesystem::path SmolLm2() {
  std::filesystem::path folder;
  if (const char* models = std::getenv("ASSAY_MODELS"))
    folder = models;
  else if (const char* cache = std::getenv("XDG_CACHE_HOME"))
    folder = std::filesystem::path(cache) / "assay" / "models";
  else if (const char* home = std::getenv("HOME"))
    folder = std::filesystem::path(home) / ".cache" / "assay" / "models";
  return folder / "SmolLM2-135M-Instruct.Q4_1.gguf";
}

TEST(RealModel, SmolLm2Opens) {
  std::filesystem::path path = SmolLm2();
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "not run: " << path << " is not there (set ASSAY_MODELS)";
  auto model = Checkpoint::Open(path);
  const ModelConfig& config = model->config();
  EXPECT_EQ(config.architecture, "llama");
  EXPECT_EQ(config.n_layers, 30);
  EXPECT_EQ(config.hidden, 576);
  EXPECT_EQ(config.n_heads, 9);
  EXPECT_EQ(config.n_kv_heads, 3);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.feed_forward, 1536);
  EXPECT_EQ(config.vocab, 49152);
  EXPECT_EQ(config.context, 8192);
  EXPECT_EQ(config.rope_theta, 100000.0);
  EXPECT_TRUE(config.rope_interleaved);
  EXPECT_TRUE(config.tied_output);
  EXPECT_EQ(config.stop_tokens.front(), 2);
  EXPECT_EQ(model->tensors().size(), 272u);
  EXPECT_EQ(model->Get("token_embd.weight").format->name, "q8_0");
  EXPECT_EQ(model->Get("blk.29.ffn_down.weight").format->name, "q4_1");
  EXPECT_EQ(model->Get("blk.0.ffn_down.weight").shape, (std::vector<int64_t>{576, 1536}));
  EXPECT_EQ(model->parameter_count(), 134515008u);
  EXPECT_EQ(model->file_bytes(), std::filesystem::file_size(path));
  EXPECT_EQ(model->main_format(), "q4_1");
  EXPECT_EQ(model->scheme(), "q4_1");
  EXPECT_EQ(model->tokenizer().tokens.size(), 49152u);
  EXPECT_EQ(model->tokenizer().merges.size(), 48900u);
  EXPECT_EQ(model->tokenizer().pre, "smollm");
  EXPECT_FALSE(model->tokenizer().add_bos);
  EXPECT_TRUE(model->chat_template().starts_with("{% for message in messages %}"));
  EXPECT_EQ(model->fingerprint().size(), 32u);
  EXPECT_EQ(model->fingerprint(), Checkpoint::Open(path)->fingerprint());
}

}  // namespace
}  // namespace assay
