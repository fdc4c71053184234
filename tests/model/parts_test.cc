// Layers and blocks run alone, and what looks at the products of linear layers or changes them.

#include <gtest/gtest.h>

#include <map>

#include "checkpoint/convert_for_test.h"
#include "model/decoder.h"
#include "model/model.h"
#include "model/tiny_checkpoint.h"

namespace assay {
namespace {

std::vector<BatchToken> Batch(Sequence& sequence, int64_t n, int32_t vocab) {
  std::vector<BatchToken> batch;
  for (int64_t t = 0; t < n; ++t) batch.push_back({static_cast<int32_t>((3 + t * 7) % vocab), &sequence, t % 2 == 1});
  return batch;
}

// A sequence that is run in parts, and the same one at once.
struct TwoRuns {
  TwoRuns(const Model& model, int64_t capacity)
      : parts(model.config(), model.arithmetic(), capacity), whole(model.config(), model.arithmetic(), capacity) {}
  Sequence parts, whole;
  std::vector<BatchToken> batch;
  std::vector<float> residual;
  Carried carried;
};

// Layer by layer from outside, two batches side by side, and all at once: the same bits, for every kind of block.
TEST(Parts, LayersOneByOneAreTheModel) {
  TempFolder scratch;
  ThreadPool pool(2);
  for (const char* name : {"gemma3", "gemma3n_streams", "gemma4", "deci", "deepseek_v32", "glm_moe_dsa", "deepseek_v4",
                           "qwen3_next", "granite4_h", "gpt2", "command_r", "qwen2_moe"}) {
    auto checkpoint = Checkpoint::Open(GoldenFolder(scratch.path(), name));
    for (Arithmetic arithmetic : {Arithmetic::kReference, Arithmetic::kDeployed}) {
      auto model = Model::Load(checkpoint, {arithmetic, ""});
      const Decoder& decoder = model->decoder();
      const int64_t layers = model->config().n_layers, vocab = model->config().vocab;
      TwoRuns runs[] = {{*model, 80}, {*model, 80}};
      Workspace workspace;
      for (int64_t n : {37, 1, 20}) {  // the same sequences go on
        for (TwoRuns& run : runs) {
          const int64_t tokens = n + (&run - runs);  // the second is longer
          run.batch = Batch(run.parts, tokens, static_cast<int32_t>(vocab));
          for (BatchToken& token : run.batch) token.id = static_cast<int32_t>((token.id + 50 * (tokens - n)) % vocab);
          run.residual.resize(static_cast<size_t>(tokens * decoder.residual_width()));
          decoder.Embed(run.batch, pool, run.residual.data());
        }
        for (int64_t i = 0; i < layers; ++i)
          for (TwoRuns& run : runs)
            decoder.RunLayer(i, run.batch, workspace, pool, nullptr, run.carried, run.residual.data());
        for (TwoRuns& run : runs) {
          std::vector<float> found(run.batch.size() / 2 * static_cast<size_t>(vocab)), expected(found.size());
          decoder.RunHead(run.batch, workspace, pool, nullptr, run.residual.data(), found.data());
          Decoder::Advance(run.batch);
          for (BatchToken& token : run.batch) token.sequence = &run.whole;
          model->Forward(run.batch, workspace, pool, expected.data());
          EXPECT_EQ(found, expected) << name << " " << n;
          EXPECT_EQ(run.parts.length(), run.whole.length());
        }
      }
    }
  }
}

// A block's answer to what it read inside the model is what the model added.
TEST(Parts, BlocksAloneAnswerAsInTheModel) {
  auto model = Model::Load(std::make_shared<TinyCheckpoint>("q8_0"), {Arithmetic::kDeployed, ""});
  const Decoder& decoder = model->decoder();
  constexpr int64_t kTokens = 9, kSize = kTokens * 256;
  Sequence inside(model->config(), Arithmetic::kDeployed, kTokens),
      alone(model->config(), Arithmetic::kDeployed, kTokens);
  std::vector<BatchToken> batch = Batch(inside, kTokens, 260);
  Workspace workspace;
  ThreadPool pool(2);
  std::map<std::string, std::vector<float>> inputs;
  LinearHooks hooks;
  hooks.observe = [&](const Linear& linear, ConstRows x, int64_t n) {
    for (int64_t t = 0; t < n; ++t)
      inputs[linear.name].insert(inputs[linear.name].end(), x[t], x[t] + linear.weight.cols);
  };
  std::vector<float> before(kSize), after, mixed(kSize), fed(kSize);
  Carried carried;
  decoder.Embed(batch, pool, before.data());
  after = before;
  decoder.RunLayer(1, batch, workspace, pool, &hooks, carried, after.data());
  for (BatchToken& token : batch) token.sequence = &alone;
  decoder.RunBlock(1, Place::kMixer, batch, workspace, pool, nullptr, carried, inputs["blk.1.attn_q"].data(),
                   mixed.data());
  decoder.RunBlock(1, Place::kFeedForward, batch, workspace, pool, nullptr, carried, inputs["blk.1.ffn_up"].data(),
                   fed.data());
  for (size_t i = 0; i < before.size(); ++i) ASSERT_EQ(after[i], before[i] + mixed[i] + fed[i]) << i;
}

class Hooks : public testing::Test {
 protected:
  std::vector<float> Run(const LinearHooks* hooks) {
    Sequence sequence(model_->config(), Arithmetic::kReference, kTokens);
    std::vector<BatchToken> batch = Batch(sequence, kTokens, 260);
    std::vector<float> logits(kTokens / 2 * 260);
    model_->Forward(batch, workspace_, pool_, logits.data(), hooks);
    return logits;
  }
  static constexpr int64_t kTokens = 10;
  std::shared_ptr<const Model> model_ =
      Model::Load(std::make_shared<TinyCheckpoint>("f32"), {Arithmetic::kReference, ""});
  ThreadPool pool_{2};
  Workspace workspace_;
};

TEST_F(Hooks, EveryProductIsSeenOnceAndNothingChanges) {
  const std::vector<float> plain = Run(nullptr);
  std::vector<std::string> names;
  std::map<std::string, std::vector<float>> inputs;
  LinearHooks hooks;
  hooks.observe = [&](const Linear& linear, ConstRows x, int64_t n) {
    names.push_back(linear.name);
    EXPECT_EQ(linear.layer, linear.name.starts_with("blk.") ? linear.name[4] - '0' : -1);
    EXPECT_EQ(n, linear.layer < 0 ? kTokens / 2 : kTokens);
    for (int64_t t = 0; t < n; ++t)
      inputs[linear.name].insert(inputs[linear.name].end(), x[t], x[t] + linear.weight.cols);
  };
  EXPECT_EQ(Run(&hooks), plain);
  std::vector<std::string> expected;
  for (const char* layer : {"blk.0.", "blk.1."})
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      expected.push_back(std::string(layer) + name);
  expected.emplace_back("token_embd");
  EXPECT_EQ(names, expected);
  // The first layer reads the normed embedding.
  const Checkpoint& checkpoint = model_->checkpoint();
  const std::vector<float> embedding = Decode(checkpoint.Get("token_embd.weight")),
                           norm = Decode(checkpoint.Get("blk.0.attn_norm.weight"));
  const float* row = embedding.data() + (3 + 7) * 256;  // of the second token
  double square = 0;
  for (int i = 0; i < 256; ++i) square += static_cast<double>(row[i]) * row[i];
  for (size_t i = 0; i < 256; ++i)
    EXPECT_NEAR(inputs["blk.0.attn_q"][256 + i], row[i] / std::sqrt(square / 256 + 1e-5) * norm[i], 1e-5);
  EXPECT_EQ(inputs["blk.0.attn_q"], inputs["blk.0.attn_v"]);
}

TEST_F(Hooks, ProductsAreReplaced) {
  // Without what it adds to the residual, the second layer is not there.
  LinearHooks hooks;
  hooks.multiply = [](const Linear& linear, ConstRows, int64_t n, Rows y, const std::function<void()>& product) {
    if (linear.name != "blk.1.attn_output" && linear.name != "blk.1.ffn_down") return product();
    for (int64_t t = 0; t < n; ++t) std::fill_n(y[t], linear.weight.rows, 0.0f);
  };
  Sequence sequence(model_->config(), Arithmetic::kReference, kTokens);
  const std::vector<BatchToken> batch = Batch(sequence, kTokens, 260);
  std::vector<float> residual(kTokens * 256), expected(kTokens / 2 * 260);
  Carried carried;
  model_->decoder().Embed(batch, pool_, residual.data());
  model_->decoder().RunLayer(0, batch, workspace_, pool_, nullptr, carried, residual.data());
  model_->decoder().RunHead(batch, workspace_, pool_, nullptr, residual.data(), expected.data());
  EXPECT_EQ(Run(&hooks), expected);
  EXPECT_NE(Run(nullptr), expected);
}

TEST_F(Hooks, ProductsAreAddedTo) {
  // An adapter of rank one on the output: the sum of the inputs goes to one logit.
  std::vector<float> sums;
  LinearHooks hooks;
  hooks.multiply = [&](const Linear& linear, ConstRows x, int64_t n, Rows y, const std::function<void()>& product) {
    product();
    if (linear.name != "token_embd") return;
    for (int64_t t = 0; t < n; ++t) {
      float sum = 0;
      for (int64_t i = 0; i < linear.weight.cols; ++i) sum += x[t][i];
      sums.push_back(sum);
      y[t][7] += sum;
    }
  };
  std::vector<float> expected = Run(nullptr);
  const std::vector<float> found = Run(&hooks);
  ASSERT_EQ(sums.size(), static_cast<size_t>(kTokens / 2));
  for (size_t t = 0; t < sums.size(); ++t) expected[t * 260 + 7] += sums[t];
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace assay
