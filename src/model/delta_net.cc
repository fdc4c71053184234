// Gated delta net (Yang et al. 2024, arXiv 2412.06464), as Qwen3-Next uses it: a short convolution over time, then a
// matrix per head that forgets, and learns what it did not foresee.

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "kernel/ops.h"
#include "model/decoder.h"

namespace assay {
namespace {

float Silu(float x) {
  return x / (1.0f + std::exp(-x));
}

}  // namespace

void Decoder::LoadDelta(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const {
  const ModelConfig& c = config();
  const DeltaConfig& d = c.delta;
  const int64_t keys = d.key_heads * d.key_dim, values = d.value_heads * d.value_dim;
  layer.delta = std::make_unique<DeltaLayer>();
  DeltaLayer& delta = *layer.delta;
  delta.q = reader.ReadLinear(block + "ssm_q", keys, c.hidden);
  delta.k = reader.ReadLinear(block + "ssm_k", keys, c.hidden);
  delta.v = reader.ReadLinear(block + "ssm_v", values, c.hidden);
  delta.z = reader.ReadLinear(block + "ssm_z", values, c.hidden);
  delta.beta = reader.ReadLinear(block + "ssm_beta", d.value_heads, c.hidden);
  delta.alpha = reader.ReadLinear(block + "ssm_alpha", d.value_heads, c.hidden);
  delta.convolution = reader.ReadTable(block + "ssm_conv1d.weight", 2 * keys + values, d.kernel);
  delta.dt = reader.ReadVector(block + "ssm_dt.bias", d.value_heads);
  delta.a = reader.ReadVector(block + "ssm_a.weight", d.value_heads);
  delta.norm = reader.ReadVector(block + "ssm_norm.weight", d.value_dim);
  layer.o = reader.ReadLinear(block + "ssm_out", c.hidden, values);
}

float* Decoder::DeltaAttention(const Pass& pass, int64_t index) const {
  const ModelConfig& c = config();
  const DeltaConfig& d = c.delta;
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  const DeltaLayer& delta = *layer.delta;
  Workspace& workspace = pass.workspace;
  const int64_t n = pass.n, keys = d.key_heads * d.key_dim, values = d.value_heads * d.value_dim;
  const int64_t channels = 2 * keys + values, group = d.value_heads / d.key_heads;
  const float* normed = workspace.Floats(kNormed, 0);
  float* q = workspace.Floats(kQuery, n * keys);
  float* k = workspace.Floats(kKey, n * keys);
  float* v = workspace.Floats(kValue, n * values);
  float* z = workspace.Floats(kExpertGate, n * values);
  float* gates = workspace.Floats(kRouter, n * 2 * d.value_heads);
  float *beta = gates, *alpha = gates + n * d.value_heads;
  RunLinears({&delta.q, &delta.k, &delta.v, &delta.z}, normed, n, {q, k, v, z}, workspace, kPrepared, pass.pool);
  RunLinears({&delta.beta, &delta.alpha}, normed, n, {beta, alpha}, workspace, kPrepared, pass.pool);

  // Over time one token after the other, within a sequence; then its heads side by side.
  float* mixed = workspace.Floats(kExpertIn, n * channels);
  for (int64_t t = 0; t < n; ++t) {
    float* row = mixed + t * channels;
    std::memcpy(row, q + t * keys, static_cast<size_t>(keys) * 4);
    std::memcpy(row + keys, k + t * keys, static_cast<size_t>(keys) * 4);
    std::memcpy(row + 2 * keys, v + t * values, static_cast<size_t>(values) * 4);
    float* state = pass.batch[static_cast<size_t>(t)].sequence->State(index);
    // The last inputs of every channel stand behind the matrices.
    ConvolveStep(delta.convolution.data(), nullptr, channels, d.kernel, state + d.value_heads * d.key_dim * d.value_dim,
                 row);
    Activate(row, nullptr, channels, row);
    const float scale = 1.0f / std::sqrt(static_cast<float>(d.key_dim));
    for (int64_t h = 0; h < d.key_heads; ++h) {
      UnitLength(row + h * d.key_dim, d.key_dim, scale);
      UnitLength(row + keys + h * d.key_dim, d.key_dim, 1.0f);
    }
  }
  float* out = workspace.Floats(kAttended, n * values);
  const auto epsilon = static_cast<float>(c.rms_epsilon);
  pass.pool.For(d.value_heads, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h) {
      for (int64_t t = 0; t < n; ++t) {
        float* state = pass.batch[static_cast<size_t>(t)].sequence->State(index) + h * d.key_dim * d.value_dim;
        const float* row = mixed + t * channels;
        const int64_t key_head = d.tiled ? h % d.key_heads : h / group;
        const float raw = alpha[t * d.value_heads + h] + delta.dt[static_cast<size_t>(h)];
        const float softplus = raw > 20.0f ? raw : std::log1p(std::exp(raw));
        const float decay = std::exp(delta.a[static_cast<size_t>(h)] * softplus);
        const float learn = 1.0f / (1.0f + std::exp(-beta[t * d.value_heads + h]));
        float* to = out + t * values + h * d.value_dim;
        DeltaStep(state, row + key_head * d.key_dim, row + keys + key_head * d.key_dim,
                  row + 2 * keys + h * d.value_dim, decay, learn, d.key_dim, d.value_dim, to);
        RmsNorm(to, delta.norm.data(), d.value_dim, epsilon, to);
        const float* gate = z + t * values + h * d.value_dim;
        for (int64_t e = 0; e < d.value_dim; ++e) to[e] *= Silu(gate[e]);
      }
    }
  });
  float* projected = workspace.Floats(kProjected, n * c.hidden);
  RunLinears({&layer.o}, out, n, {projected}, workspace, kPrepared, pass.pool);
  return projected;
}

}  // namespace assay
