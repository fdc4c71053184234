#include "model/streams/hyper_connections.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace assay {
namespace {

constexpr int64_t kMaxStreams = 16;  // CheckConfig

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

HyperConnection::HyperConnection(const ModelConfig& config, const WeightReader& reader, const std::string& name,
                                 bool head)
    : config_(config), head_(head) {
  const int64_t streams = config.hyper.streams, outputs = head ? streams : (2 + streams) * streams;
  fn_ = reader.ReadLinear(name + "_fn", outputs, streams * config.hidden);
  base_ = reader.ReadVector(name + "_base.weight", outputs);
  scale_ = reader.ReadVector(name + "_scale.weight", head ? 1 : 3);
  ones_.assign(static_cast<size_t>(streams * config.hidden), 1.0f);
}

HyperConnection::Scratch::Scratch(Arena& arena, const HyperConnection& mix, int64_t n)
    : normed(arena.Floats(n * mix.fn_.weight.cols)), mixes(arena.Floats(n * mix.fn_.weight.rows)) {}

// What the projection says of one token becomes weights: of the streams in the input, of the output in the streams, and
// of the streams in each other.
void HyperConnection::Weigh(float* mixes) const {
  const int64_t streams = config_.hyper.streams;
  const auto epsilon = static_cast<float>(config_.hyper.epsilon);
  for (int64_t i = 0; i < fn_.weight.rows; ++i)
    mixes[i] = mixes[i] * scale_[i < streams ? 0 : i < 2 * streams ? 1 : 2] + base_[static_cast<size_t>(i)];
  for (int64_t s = 0; s < streams; ++s) mixes[s] = Sigmoid(mixes[s]) + epsilon;
  if (head_) return;
  for (int64_t s = streams; s < 2 * streams; ++s) mixes[s] = 2.0f * Sigmoid(mixes[s]);
  DoublyStochastic(mixes + 2 * streams, streams, config_.hyper.iterations, epsilon);
}

void HyperConnection::Collapse(const Pass& pass, const Scratch& scratch, const float* residual, int64_t n,
                               float* out) const {
  const int64_t streams = config_.hyper.streams, hidden = config_.hidden, width = streams * hidden;
  const Rows normed{scratch.normed, width}, mixes{scratch.mixes, fn_.weight.rows};
  NormalizeRms(pass, config_.rms_epsilon, ones_, {residual, width}, n, normed);
  Multiply(pass, normed, n, {{fn_, mixes}});
  pass.pool.For(n, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      Weigh(mixes[t]);
      for (int64_t i = 0; i < hidden; ++i) {
        float sum = 0;
        for (int64_t s = 0; s < streams; ++s) sum += mixes[t][s] * residual[(t * streams + s) * hidden + i];
        out[t * hidden + i] = sum;
      }
    }
  });
}

void HyperConnection::Return(const Pass& pass, const Scratch& scratch, const float* x, float* residual) const {
  const int64_t streams = config_.hyper.streams, hidden = config_.hidden;
  pass.pool.For(pass.n(), 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float *post = scratch.mixes + t * fn_.weight.rows + streams, *mix = post + streams;
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

void SpreadStreams(const ModelConfig& config, int64_t n, float* residual) {
  const int64_t streams = config.hyper.streams, hidden = config.hidden;
  for (int64_t t = n - 1; t >= 0; --t)
    for (int64_t s = streams - 1; s >= 0; --s)
      std::memmove(residual + (t * streams + s) * hidden, residual + t * hidden, static_cast<size_t>(hidden) * 4);
}

}  // namespace assay
