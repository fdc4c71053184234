#include "model/streams/alt_up.h"

#include <algorithm>

namespace assay {
namespace {

constexpr int64_t kMaxStreams = 16;        // CheckConfig
constexpr double kLeastMeanSquare = 1e-5;  // of a projection that is made longer; llama.cpp has no such bound

double MeanSquare(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum / static_cast<double>(n);
}

/// What makes `x` as long as `first`.
float Stretch(const float* first, const float* x, int64_t n) {
  return static_cast<float>(std::sqrt(MeanSquare(first, n)) / std::sqrt(std::max(MeanSquare(x, n), kLeastMeanSquare)));
}

template <typename F>
void EachRow(const Pass& pass, int64_t n, F body) {
  pass.pool.For(n, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) body(t);
  });
}

}  // namespace

AltUp::AltUp(const ModelConfig& config, const WeightReader& reader) : config_(config) {
  const int64_t streams = config.alt_up.streams, hidden = config.hidden;
  norm_ = reader.ReadVector("altup_router_norm.weight", hidden);
  for (float& weight : norm_) weight /= static_cast<float>(hidden);  // the router reads so much of it
  router_ = reader.ReadLinear("altup_router", streams, hidden);
  predict_ = reader.ReadLinear("altup_predict_coef", streams * streams, streams);
  correct_ = reader.ReadLinear("altup_correct_coef", streams, streams);
  if (config.alt_up.scaled) scale_ = reader.ReadVector("altup_correct_scale.weight", hidden);
}

void AltUp::Route(const Pass& pass, const Scratch& scratch, const float* x, float* normed) const {
  const int64_t streams = config_.alt_up.streams, hidden = config_.hidden;
  const Rows routed{scratch.routed, streams};
  NormalizeRms(pass, config_.rms_epsilon, norm_, {x, hidden}, pass.n(), {normed, hidden});
  Multiply(pass, {normed, hidden}, pass.n(), {{router_, routed}});
  Activate(pass, Activation::kTanh, routed, pass.n(), streams, routed);
}

void AltUp::Predict(const Pass& pass, const Scratch& scratch, float* residual, float* normed, float* computed) const {
  const int64_t streams = config_.alt_up.streams, hidden = config_.hidden, n = pass.n();
  const int64_t active = config_.alt_up.active;
  const Rows weights{scratch.weights, streams * streams};
  CopyRows(pass, {residual + active * hidden, width()}, n, hidden, {computed, hidden});
  Route(pass, scratch, computed, normed);
  Multiply(pass, {scratch.routed, streams}, n, {{predict_, weights}});
  EachRow(pass, n, [&](int64_t t) {
    float* rows = residual + t * width();
    for (int64_t i = 0; i < hidden; ++i) {
      float before[kMaxStreams];
      for (int64_t s = 0; s < streams; ++s) before[s] = rows[s * hidden + i];
      for (int64_t s = 0; s < streams; ++s) {
        float sum = 0;
        for (int64_t from = 0; from < streams; ++from) sum += weights[t][s * streams + from] * before[from];
        rows[s * hidden + i] = sum + before[s];
      }
    }
  });
  CopyRows(pass, {residual + active * hidden, width()}, n, hidden, {computed, hidden});
}

void AltUp::Correct(const Pass& pass, const Scratch& scratch, const float* computed, float* normed,
                    float* residual) const {
  const int64_t streams = config_.alt_up.streams, hidden = config_.hidden, active = config_.alt_up.active;
  const Rows weights{scratch.weights, streams};
  Route(pass, scratch, computed, normed);
  Multiply(pass, {scratch.routed, streams}, pass.n(), {{correct_, weights}});
  EachRow(pass, pass.n(), [&](int64_t t) {
    float* rows = residual + t * width();
    for (int64_t i = 0; i < hidden; ++i) {
      const float innovation = computed[t * hidden + i] - rows[active * hidden + i];
      for (int64_t s = 0; s < streams; ++s) rows[s * hidden + i] += innovation * (weights[t][s] + 1.0f);
    }
  });
}

void AltUp::Show(const Pass& pass, const float* residual, float* out) const {
  const int64_t hidden = config_.hidden;
  EachRow(pass, pass.n(), [&](int64_t t) {
    const float* row = residual + t * width() + config_.alt_up.active * hidden;
    for (int64_t i = 0; i < hidden; ++i)
      out[t * hidden + i] = scale_.empty() ? row[i] : row[i] * scale_[static_cast<size_t>(i)];
  });
}

void AltUp::AddToOthers(const Pass& pass, const float* x, float* residual) const {
  const int64_t hidden = config_.hidden;
  for (int64_t s = 1; s < config_.alt_up.streams; ++s)
    AddRows(pass, {x, hidden}, hidden, {residual + s * hidden, width()});
}

void AltUp::VisitLinears(const LinearVisitor& visit) const {
  for (const Linear* linear : {&router_, &predict_, &correct_}) visit(*linear);
}

OtherStreams::OtherStreams(const ModelConfig& config, const WeightReader& reader, const std::string& name)
    : config_(config) {
  for (int64_t i = 0; i + 1 < config.alt_up.streams; ++i)
    projections_.push_back(reader.ReadLinear(name + "." + std::to_string(i), config.hidden, config.hidden));
}

void OtherStreams::Spread(const Pass& pass, float* residual) const {
  const int64_t hidden = config_.hidden, width = config_.alt_up.streams * hidden;
  float* stream = residual;
  for (const Linear& projection : projections_) {
    stream += hidden;
    const Rows out{stream, width};
    Multiply(pass, {residual, width}, pass.n(), {{projection, out}});
    EachRow(pass, pass.n(), [&](int64_t t) {
      const float stretch = Stretch(residual + t * width, out[t], hidden);
      for (int64_t i = 0; i < hidden; ++i) out[t][i] *= stretch;
    });
  }
}

void OtherStreams::Collapse(const Pass& pass, const float* residual, int64_t n, float* projected, float* out) const {
  const int64_t hidden = config_.hidden, width = config_.alt_up.streams * hidden;
  const float share = 1.0f / static_cast<float>(config_.alt_up.streams);
  CopyRows(pass, {residual, width}, n, hidden, {out, hidden});
  const float* stream = residual;
  for (const Linear& projection : projections_) {
    stream += hidden;
    Multiply(pass, {stream, width}, n, {{projection, {projected, hidden}}});
    EachRow(pass, n, [&](int64_t t) {
      const float *row = projected + t * hidden, stretch = Stretch(residual + t * width, row, hidden);
      for (int64_t i = 0; i < hidden; ++i) out[t * hidden + i] += row[i] * stretch;
    });
  }
  Scale(pass, share, n, hidden, {out, hidden});
}

void OtherStreams::VisitLinears(const LinearVisitor& visit) const {
  for (const Linear& projection : projections_) visit(projection);
}

}  // namespace assay
