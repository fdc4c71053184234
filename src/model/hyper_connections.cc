// Manifold-constrained hyper-connections (Xie et al. 2026; DeepSeek V4): instead of one residual, a few streams. A
// small projection of all of them says per token how a block's input is put together from the streams, how its output
// goes back to each, and how the streams mix: by a matrix whose rows and columns add up to 1.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "kernel/ops.h"
#include "model/decoder.h"

namespace assay {
namespace {

constexpr int64_t kMaxStreams = 16;  // CheckConfig

float Sigmoid(float x) {
  return 1.0f / (1.0f + std::exp(-x));
}

/// Rows by softmax, then columns and rows in turn to a sum of 1 (Sinkhorn and Knopp). m [n, n].
void DoublyStochastic(float* m, int64_t n, int64_t iterations, float epsilon) {
  for (int64_t r = 0; r < n; ++r) {
    float* row = m + r * n;
    const float largest = *std::max_element(row, row + n);
    float sum = 0;
    for (int64_t c = 0; c < n; ++c) sum += row[c] = std::exp(row[c] - largest);
    for (int64_t c = 0; c < n; ++c) row[c] = row[c] / sum + epsilon;
  }
  auto divide = [&](int64_t along, int64_t across) {
    for (int64_t i = 0; i < n; ++i) {
      float sum = epsilon;
      for (int64_t j = 0; j < n; ++j) sum += m[i * across + j * along];
      for (int64_t j = 0; j < n; ++j) m[i * across + j * along] /= sum;
    }
  };
  divide(n, 1);
  for (int64_t i = 1; i < iterations; ++i) {
    divide(1, n);
    divide(n, 1);
  }
}

}  // namespace

void Decoder::LoadMixes(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const {
  const int64_t streams = config().hyper.streams, outputs = (2 + streams) * streams;
  if (streams == 0) return;
  for (auto [name, mix] : {std::pair{"hc_attn", &layer.attention_mix}, {"hc_ffn", &layer.feed_forward_mix}}) {
    mix->fn = reader.ReadLinear(block + name + "_fn", outputs, streams * config().hidden);
    mix->base = reader.ReadVector(block + name + "_base.weight", outputs);
    mix->scale = reader.ReadVector(block + name + "_scale.weight", 3);
  }
}

void Decoder::Spread(const Pass& pass) const {
  const int64_t streams = config().hyper.streams, hidden = config().hidden;
  float* residual = pass.workspace.Floats(kResidual, 0);
  for (int64_t t = pass.n - 1; t >= 0; --t)
    for (int64_t s = streams - 1; s >= 0; --s)
      std::memmove(residual + (t * streams + s) * hidden, residual + t * hidden, static_cast<size_t>(hidden) * 4);
}

// out [n, rows of fn]: what the projection says of the streams, RMS-normed together.
void Decoder::Mixes(const HyperConnection& mix, int64_t n, Workspace& workspace, ThreadPool& pool, float* out) const {
  const int64_t width = config().hyper.streams * config().hidden;
  const float* residual = workspace.Floats(kResidual, 0);
  float* normed = workspace.Floats(kGathered, n * width);
  const Vector ones(static_cast<size_t>(width), 1.0f);
  const auto epsilon = static_cast<float>(config().rms_epsilon);
  pool.For(n, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t)
      RmsNorm(residual + t * width, ones.data(), width, epsilon, normed + t * width);
  });
  RunLinears({&mix.fn}, normed, n, {out}, workspace, kPrepared, pool);
}

void Decoder::Collapse(const Pass& pass, const HyperConnection& mix, const NormWeights& norm) const {
  const HyperConfig& hyper = config().hyper;
  const int64_t streams = hyper.streams, hidden = config().hidden, outputs = (2 + streams) * streams;
  const auto epsilon = static_cast<float>(hyper.epsilon);
  const float* residual = pass.workspace.Floats(kResidual, 0);
  float* mixes = pass.workspace.Floats(kMix, pass.n * outputs);
  float* collapsed = pass.workspace.Floats(kCollapsed, pass.n * hidden);
  Mixes(mix, pass.n, pass.workspace, pass.pool, mixes);
  pass.pool.For(pass.n, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float* row = mixes + t * outputs;
      for (int64_t i = 0; i < outputs; ++i)
        row[i] = row[i] * mix.scale[i < streams ? 0 : i < 2 * streams ? 1 : 2] + mix.base[static_cast<size_t>(i)];
      for (int64_t s = 0; s < streams; ++s) row[s] = Sigmoid(row[s]) + epsilon;
      for (int64_t s = streams; s < 2 * streams; ++s) row[s] = 2.0f * Sigmoid(row[s]);
      DoublyStochastic(row + 2 * streams, streams, hyper.iterations, epsilon);
      float* out = collapsed + t * hidden;
      for (int64_t i = 0; i < hidden; ++i) {
        float sum = 0;
        for (int64_t s = 0; s < streams; ++s) sum += row[s] * residual[(t * streams + s) * hidden + i];
        out[i] = sum;
      }
    }
  });
  Normalize(collapsed, norm, pass.n, pass.workspace.Floats(kNormed, pass.n * hidden), pass.pool);
}

void Decoder::Return(const Pass& pass, const float* x) const {
  const int64_t streams = config().hyper.streams, hidden = config().hidden, outputs = (2 + streams) * streams;
  float* residual = pass.workspace.Floats(kResidual, 0);
  const float* mixes = pass.workspace.Floats(kMix, 0);
  pass.pool.For(pass.n, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float *post = mixes + t * outputs + streams, *mix = post + streams;
      float* rows = residual + t * streams * hidden;
      for (int64_t i = 0; i < hidden; ++i) {
        float before[kMaxStreams];
        for (int64_t s = 0; s < streams; ++s) before[s] = rows[s * hidden + i];
        for (int64_t s = 0; s < streams; ++s) {
          float sum = 0;
          for (int64_t from = 0; from < streams; ++from) sum += mix[from * streams + s] * before[from];
          rows[s * hidden + i] = post[s] * x[t * hidden + i] + sum;
        }
      }
    }
  });
}

float* Decoder::CollapseHead(int64_t n, Workspace& workspace, ThreadPool& pool) const {
  const int64_t streams = config().hyper.streams, hidden = config().hidden;
  const auto epsilon = static_cast<float>(config().hyper.epsilon);
  const float* residual = workspace.Floats(kResidual, 0);
  float* mixes = workspace.Floats(kMix, n * streams);
  float* out = workspace.Floats(kCollapsed, n * hidden);
  Mixes(output_mix_, n, workspace, pool, mixes);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t i = 0; i < hidden; ++i) {
      float sum = 0;
      for (int64_t s = 0; s < streams; ++s) {
        const float weight =
            Sigmoid(mixes[t * streams + s] * output_mix_.scale[0] + output_mix_.base[static_cast<size_t>(s)]) + epsilon;
        sum += weight * residual[(t * streams + s) * hidden + i];
      }
      out[t * hidden + i] = sum;
    }
  return out;
}

}  // namespace assay
