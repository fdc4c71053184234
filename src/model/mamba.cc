// Mamba-2 (Dao & Gu 2024, arXiv 2405.21060), as Granite 4 uses it: a short convolution over time, then a state per head
// that decays by a step of its own at each token.

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "kernel/ops.h"
#include "model/decoder.h"

namespace assay {

void Decoder::LoadMamba(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const {
  const ModelConfig& c = config();
  const MambaConfig& m = c.mamba;
  const int64_t inner = m.heads * m.head_dim, channels = inner + 2 * m.groups * m.state;
  layer.mamba = std::make_unique<MambaLayer>();
  MambaLayer& mamba = *layer.mamba;
  mamba.in = reader.ReadLinear(block + "ssm_in", inner + channels + m.heads, c.hidden);
  mamba.convolution = reader.ReadTable(block + "ssm_conv1d.weight", channels, m.kernel);
  mamba.convolution_bias = reader.ReadVector(block + "ssm_conv1d.bias", channels);
  mamba.dt = reader.ReadVector(block + "ssm_dt.bias", m.heads);
  mamba.a = reader.ReadVector(block + "ssm_a.weight", m.heads);
  mamba.d = reader.ReadVector(block + "ssm_d.weight", m.heads);
  mamba.norm = reader.ReadVector(block + "ssm_norm.weight", inner);
  layer.o = reader.ReadLinear(block + "ssm_out", c.hidden, inner);
}

float* Decoder::Mamba(const Pass& pass, int64_t index) const {
  const ModelConfig& c = config();
  const MambaConfig& m = c.mamba;
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  const MambaLayer& mamba = *layer.mamba;
  Workspace& workspace = pass.workspace;
  const int64_t n = pass.n, inner = m.heads * m.head_dim, keys = m.groups * m.state, channels = inner + 2 * keys;
  const int64_t width = inner + channels + m.heads;
  float* in = workspace.Floats(kExpertGate, n * width);
  RunLinears({&mamba.in}, workspace.Floats(kNormed, 0), n, {in}, workspace, kPrepared, pass.pool);

  // Over time one token after the other, within a sequence; then its heads side by side.
  float* mixed = workspace.Floats(kExpertIn, n * channels);
  for (int64_t t = 0; t < n; ++t) {
    float* row = mixed + t * channels;
    std::memcpy(row, in + t * width + inner, static_cast<size_t>(channels) * 4);
    // The last inputs of every channel stand behind the states.
    float* state = pass.batch[static_cast<size_t>(t)].sequence->State(index);
    ConvolveStep(mamba.convolution.data(), mamba.convolution_bias.data(), channels, m.kernel, state + inner * m.state,
                 row);
    Activate(row, nullptr, channels, row);
  }
  float* out = workspace.Floats(kAttended, n * inner);
  pass.pool.For(m.heads, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h) {
      const auto head = static_cast<size_t>(h);
      for (int64_t t = 0; t < n; ++t) {
        float* state = pass.batch[static_cast<size_t>(t)].sequence->State(index) + h * m.state * m.head_dim;
        const float* row = mixed + t * channels;
        const float* x = row + h * m.head_dim;
        const float* k = row + inner + h / (m.heads / m.groups) * m.state;
        const float raw = in[t * width + inner + channels + h] + mamba.dt[head];
        const float step = raw > 20.0f ? raw : std::log1p(std::exp(raw));
        float* to = out + t * inner + h * m.head_dim;
        StateStep(state, k + keys, k, x, std::exp(mamba.a[head] * step), step, m.state, m.head_dim, to);
        for (int64_t e = 0; e < m.head_dim; ++e) to[e] += mamba.d[head] * x[e];
      }
    }
  });
  const int64_t group = inner / m.groups;
  const auto epsilon = static_cast<float>(c.rms_epsilon);
  pass.pool.For(n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float* row = out + t * inner;
      float* gated = in + t * width;
      SiluMul(gated, row, inner, gated);
      for (int64_t g = 0; g < inner; g += group) RmsNorm(gated + g, mamba.norm.data() + g, group, epsilon, row + g);
    }
  });
  float* projected = workspace.Floats(kProjected, n * c.hidden);
  RunLinears({&layer.o}, out, n, {projected}, workspace, kPrepared, pass.pool);
  return projected;
}

}  // namespace assay
