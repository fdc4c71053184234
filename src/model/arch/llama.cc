#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "kernel/ops.h"
#include "model/arch/table.h"
#include "model/blocks.h"

namespace assay {
namespace {

struct Layer {
  Vector attention_norm, feed_forward_norm;
  Vector q_bias, k_bias, v_bias, o_bias, gate_bias, up_bias, down_bias;
  Linear q, k, v, o, gate, up, down;
};

// Workspace slots.
enum Slot {
  kResidual,
  kNormed,
  kQuery,
  kKey,
  kValue,
  kAttended,
  kGate,
  kUp,
  kProjected,
  kPrepared,
  kAngles = 11,
  kScores
};

class Llama : public Model {
 public:
  Llama(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options);
  void Forward(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, float* logits) const override;
  std::vector<std::string> KernelReport() const override;

 private:
  void RunAttention(int64_t layer, std::span<const BatchToken> batch, const std::vector<int64_t>& positions,
                    Workspace& workspace, ThreadPool& pool) const;
  void RunFeedForward(const Layer& layer, int64_t n, Workspace& workspace, ThreadPool& pool) const;
  void Normalize(const float* x, const Vector& weight, int64_t n, float* out, ThreadPool& pool) const;
  void StoreKeysValues(int64_t layer, const BatchToken& token, int64_t position, const float* k, const float* v) const;

  PackedView embedding_;  // [vocab, hidden]
  std::vector<Layer> layers_;
  Vector output_norm_, output_bias_;
  Linear output_;
  RopeTable rope_;
};

Llama::Llama(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options)
    : Model(checkpoint, options), rope_(checkpoint->config()) {
  const ModelConfig& c = config();
  WeightReader reader(*checkpoint_, options_);
  int64_t q_width = c.n_heads * c.head_dim, kv_width = c.n_kv_heads * c.head_dim;
  embedding_ = reader.ReadMatrix("token_embd.weight", c.vocab, c.hidden);
  layers_.resize(static_cast<size_t>(c.n_layers));
  for (int64_t i = 0; i < c.n_layers; ++i) {
    Layer& layer = layers_[static_cast<size_t>(i)];
    auto name = [i](const char* part) { return fmt::format("blk.{}.{}", i, part); };
    layer.attention_norm = reader.ReadVector(name("attn_norm.weight"), c.hidden);
    layer.feed_forward_norm = reader.ReadVector(name("ffn_norm.weight"), c.hidden);
    layer.q_bias = reader.ReadOptionalVector(name("attn_q.bias"), q_width);
    layer.k_bias = reader.ReadOptionalVector(name("attn_k.bias"), kv_width);
    layer.v_bias = reader.ReadOptionalVector(name("attn_v.bias"), kv_width);
    layer.o_bias = reader.ReadOptionalVector(name("attn_output.bias"), c.hidden);
    layer.gate_bias = reader.ReadOptionalVector(name("ffn_gate.bias"), c.feed_forward);
    layer.up_bias = reader.ReadOptionalVector(name("ffn_up.bias"), c.feed_forward);
    layer.down_bias = reader.ReadOptionalVector(name("ffn_down.bias"), c.hidden);
    layer.q = reader.ReadLinear(name("attn_q.weight"), q_width, c.hidden, layer.q_bias);
    layer.k = reader.ReadLinear(name("attn_k.weight"), kv_width, c.hidden, layer.k_bias);
    layer.v = reader.ReadLinear(name("attn_v.weight"), kv_width, c.hidden, layer.v_bias);
    layer.o = reader.ReadLinear(name("attn_output.weight"), c.hidden, q_width, layer.o_bias);
    layer.gate = reader.ReadLinear(name("ffn_gate.weight"), c.feed_forward, c.hidden, layer.gate_bias);
    layer.up = reader.ReadLinear(name("ffn_up.weight"), c.feed_forward, c.hidden, layer.up_bias);
    layer.down = reader.ReadLinear(name("ffn_down.weight"), c.hidden, c.feed_forward, layer.down_bias);
  }
  output_norm_ = reader.ReadVector("output_norm.weight", c.hidden);
  bool own_output = checkpoint_->Find("output.weight") != nullptr;
  output_ = reader.ReadLinear(own_output ? "output.weight" : "token_embd.weight", c.vocab, c.hidden, output_bias_);
}

void Llama::Normalize(const float* x, const Vector& weight, int64_t n, float* out, ThreadPool& pool) const {
  int64_t hidden = config().hidden;
  auto epsilon = static_cast<float>(config().rms_epsilon);
  pool.For(n, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) RmsNorm(x + t * hidden, weight.data(), hidden, epsilon, out + t * hidden);
  });
}

void Llama::StoreKeysValues(int64_t layer, const BatchToken& token, int64_t position, const float* k,
                            const float* v) const {
  const Sequence& sequence = *token.sequence;
  int64_t width = sequence.row_elements();
  if (sequence.half()) {
    ToHalf(k, width, reinterpret_cast<uint16_t*>(sequence.Keys(layer)) + position * width);
    ToHalf(v, width, reinterpret_cast<uint16_t*>(sequence.Values(layer)) + position * width);
  } else {
    std::memcpy(reinterpret_cast<float*>(sequence.Keys(layer)) + position * width, k, static_cast<size_t>(width) * 4);
    std::memcpy(reinterpret_cast<float*>(sequence.Values(layer)) + position * width, v, static_cast<size_t>(width) * 4);
  }
}

void Llama::RunAttention(int64_t index, std::span<const BatchToken> batch, const std::vector<int64_t>& positions,
                         Workspace& workspace, ThreadPool& pool) const {
  const ModelConfig& c = config();
  const Layer& layer = layers_[static_cast<size_t>(index)];
  auto n = static_cast<int64_t>(batch.size());
  int64_t q_width = c.n_heads * c.head_dim, kv_width = c.n_kv_heads * c.head_dim;
  float* q = workspace.Floats(kQuery, n * q_width);
  float* k = workspace.Floats(kKey, n * kv_width);
  float* v = workspace.Floats(kValue, n * kv_width);
  float* attended = workspace.Floats(kAttended, n * q_width);
  const float* angles = workspace.Floats(kAngles, n * 2 * rope_.half());
  RunLinears({&layer.q, &layer.k, &layer.v}, workspace.Floats(kNormed, 0), n, {q, k, v}, workspace, kPrepared, pool);

  pool.For(n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* cosine = angles + t * 2 * rope_.half();
      const float* sine = cosine + rope_.half();
      Rope(q + t * q_width, c.n_heads, c.head_dim, c.rotary_dim, cosine, sine, c.rope_interleaved);
      Rope(k + t * kv_width, c.n_kv_heads, c.head_dim, c.rotary_dim, cosine, sine, c.rope_interleaved);
      StoreKeysValues(index, batch[static_cast<size_t>(t)], positions[static_cast<size_t>(t)], k + t * kv_width,
                      v + t * kv_width);
    }
  });

  int64_t group = c.n_heads / c.n_kv_heads;
  int64_t scratch = group * (*std::max_element(positions.begin(), positions.end()) + 1);
  float* scores = workspace.Floats(kScores, scratch * pool.threads());
  float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  pool.For(n * c.n_kv_heads, n == 1 ? 1 : c.n_kv_heads, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t t = i / c.n_kv_heads, head = i % c.n_kv_heads;
      const Sequence& sequence = *batch[static_cast<size_t>(t)].sequence;
      int64_t last = positions[static_cast<size_t>(t)];
      int64_t first = c.sliding_window > 0 ? std::max<int64_t>(0, last - c.sliding_window + 1) : 0;
      CacheView keys{sequence.Keys(index), sequence.half(), kv_width},
          values{sequence.Values(index), sequence.half(), kv_width};
      int64_t offset = t * q_width + head * group * c.head_dim;
      AttendHeads(q + offset, group, keys, values, head * c.head_dim, c.head_dim, first, last, scale,
                  scores + worker * scratch, attended + offset);
    }
  });

  float* projected = workspace.Floats(kProjected, n * c.hidden);
  RunLinears({&layer.o}, attended, n, {projected}, workspace, kPrepared, pool);
  AddTo(workspace.Floats(kResidual, 0), projected, n * c.hidden);
}

void Llama::RunFeedForward(const Layer& layer, int64_t n, Workspace& workspace, ThreadPool& pool) const {
  const ModelConfig& c = config();
  float* gate = workspace.Floats(kGate, n * c.feed_forward);
  float* up = workspace.Floats(kUp, n * c.feed_forward);
  float* projected = workspace.Floats(kProjected, n * c.hidden);
  RunLinears({&layer.gate, &layer.up}, workspace.Floats(kNormed, 0), n, {gate, up}, workspace, kPrepared, pool);
  pool.For(n, 4, [&](int64_t begin, int64_t end, int) {
    SiluMul(gate + begin * c.feed_forward, up + begin * c.feed_forward, (end - begin) * c.feed_forward,
            gate + begin * c.feed_forward);
  });
  RunLinears({&layer.down}, gate, n, {projected}, workspace, kPrepared, pool);
  AddTo(workspace.Floats(kResidual, 0), projected, n * c.hidden);
}

void Llama::Forward(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, float* logits) const {
  const ModelConfig& c = config();
  auto n = static_cast<int64_t>(batch.size());
  if (n == 0) return;
  std::vector<int64_t> positions(batch.size());
  for (size_t t = 0; t < batch.size(); ++t) {
    bool follows = t > 0 && batch[t].sequence == batch[t - 1].sequence;
    positions[t] = follows ? positions[t - 1] + 1 : batch[t].sequence->length();
    ASSAY_CHECK(positions[t] < batch[t].sequence->capacity());
    ASSAY_CHECK(batch[t].id >= 0 && batch[t].id < c.vocab);
  }

  float* residual = workspace.Floats(kResidual, n * c.hidden);
  float* normed = workspace.Floats(kNormed, n * c.hidden);
  float* angles = workspace.Floats(kAngles, n * 2 * rope_.half());
  pool.For(n, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      embedding_.format->decode_row(embedding_, batch[static_cast<size_t>(t)].id, residual + t * c.hidden);
      rope_.Angles(positions[static_cast<size_t>(t)], angles + t * 2 * rope_.half(),
                   angles + (t * 2 + 1) * rope_.half());
    }
  });
  for (size_t i = 0; i < layers_.size(); ++i) {
    Normalize(residual, layers_[i].attention_norm, n, normed, pool);
    RunAttention(static_cast<int64_t>(i), batch, positions, workspace, pool);
    Normalize(residual, layers_[i].feed_forward_norm, n, normed, pool);
    RunFeedForward(layers_[i], n, workspace, pool);
  }
  for (size_t t = 0; t < batch.size(); ++t) batch[t].sequence->set_length(positions[t] + 1);

  int64_t wanted = 0;
  for (size_t t = 0; t < batch.size(); ++t)
    if (batch[t].want_logits)
      std::memmove(residual + wanted++ * c.hidden, residual + static_cast<int64_t>(t) * c.hidden,
                   static_cast<size_t>(c.hidden) * 4);
  if (wanted == 0) return;
  Normalize(residual, output_norm_, wanted, normed, pool);
  RunLinears({&output_}, normed, wanted, {logits}, workspace, kPrepared, pool);
}

std::vector<std::string> Llama::KernelReport() const {
  std::map<std::string, std::string> by_format;
  auto note = [&](const Linear& linear) {
    by_format[std::string(linear.weight.format->name)] = std::string(linear.kernel->name);
  };
  for (const Layer& layer : layers_)
    for (const Linear* linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down})
      note(*linear);
  note(output_);
  std::vector<std::string> lines;
  for (const auto& [format, kernel] : by_format) lines.push_back(format + ": " + kernel);
  return lines;
}

}  // namespace

std::shared_ptr<const Model> LoadLlama(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options) {
  return std::make_shared<Llama>(std::move(checkpoint), options);
}

}  // namespace assay
