// Gated delta net (Yang et al. 2024, arXiv 2412.06464), as Qwen3-Next uses it: a short convolution over time, then a
// matrix per head that forgets, and learns what it did not foresee.

#include <cmath>

#include "model/operations.h"

namespace assay {
namespace {

struct Sizes {
  explicit Sizes(const DeltaConfig& d)
      : keys(d.key_heads * d.key_dim),
        values(d.value_heads * d.value_dim),
        channels(2 * keys + values),
        states(d.key_dim * values) {}
  int64_t keys, values;  // of all heads
  int64_t channels;      // of the convolution: queries, keys, values
  int64_t states;        // floats; behind them the last inputs of every channel
};

class DeltaNet : public Block {
 public:
  DeltaNet(const BlockContext& context, const WeightReader& reader);
  void Plan(const BatchShape& shape, Arena& arena) const override { Scratch(arena, *this, shape); }
  void Run(const Pass& pass, const float* x, float* out) const override;
  void VisitLinears(const LinearVisitor& visit) const override {
    for (const Linear* linear : {&q_, &k_, &v_, &z_, &beta_, &alpha_, &out_}) visit(*linear);
  }

 private:
  struct Scratch {
    Scratch(Arena& arena, const DeltaNet& block, const BatchShape& shape)
        : mixed(arena.Floats(shape.n * block.sizes_.channels)),
          z(arena.Floats(shape.n * block.sizes_.values)),
          answers(arena.Floats(shape.n * block.sizes_.values)),
          beta(arena.Floats(shape.n * block.config_.delta.value_heads)),
          alpha(arena.Floats(shape.n * block.config_.delta.value_heads)) {}
    float *mixed, *z, *answers, *beta, *alpha;
  };
  void UnitLengths(const Pass& pass, Rows mixed) const;
  void Advance(const Pass& pass, const Scratch& scratch) const;

  const ModelConfig& config_;
  int64_t index_;
  Sizes sizes_;
  Linear q_, k_, v_, z_, beta_, alpha_, out_;
  Vector convolution_;  // [channels, kernel]
  Vector dt_, a_, norm_;
};

DeltaNet::DeltaNet(const BlockContext& context, const WeightReader& reader)
    : config_(context.config), index_(context.index), sizes_(context.config.delta) {
  const DeltaConfig& d = config_.delta;
  q_ = reader.ReadLinear("ssm_q", sizes_.keys, config_.hidden);
  k_ = reader.ReadLinear("ssm_k", sizes_.keys, config_.hidden);
  v_ = reader.ReadLinear("ssm_v", sizes_.values, config_.hidden);
  z_ = reader.ReadLinear("ssm_z", sizes_.values, config_.hidden);
  beta_ = reader.ReadLinear("ssm_beta", d.value_heads, config_.hidden);
  alpha_ = reader.ReadLinear("ssm_alpha", d.value_heads, config_.hidden);
  convolution_ = reader.ReadTable("ssm_conv1d.weight", sizes_.channels, d.kernel);
  dt_ = reader.ReadVector("ssm_dt.bias", d.value_heads);
  a_ = reader.ReadVector("ssm_a.weight", d.value_heads);
  norm_ = reader.ReadVector("ssm_norm.weight", d.value_dim);
  out_ = reader.ReadLinear("ssm_out", config_.hidden, sizes_.values);
}

// Of queries, less their scale, and of keys.
void DeltaNet::UnitLengths(const Pass& pass, Rows mixed) const {
  const DeltaConfig& d = config_.delta;
  const float scale = 1.0f / std::sqrt(static_cast<float>(d.key_dim));
  pass.pool.For(pass.n(), 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t)
      for (int64_t h = 0; h < d.key_heads; ++h) {
        UnitLength(mixed[t] + h * d.key_dim, d.key_dim, scale, static_cast<float>(d.epsilon));
        UnitLength(mixed[t] + sizes_.keys + h * d.key_dim, d.key_dim, 1.0f, static_cast<float>(d.epsilon));
      }
  });
}

// One token after the other, within a sequence; heads side by side.
void DeltaNet::Advance(const Pass& pass, const Scratch& scratch) const {
  const DeltaConfig& d = config_.delta;
  const int64_t keys = sizes_.keys, group = d.value_heads / d.key_heads;
  const auto epsilon = static_cast<float>(config_.rms_epsilon);
  pass.pool.For(d.value_heads, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h) {
      const int64_t key = (d.tiled ? h % d.key_heads : h / group) * d.key_dim, value = h * d.value_dim;
      for (int64_t t = 0; t < pass.n(); ++t) {
        float* state = pass.sequence(t).State(index_) + value * d.key_dim;
        const float* row = scratch.mixed + t * sizes_.channels;
        const float step = Softplus(scratch.alpha[t * d.value_heads + h] + dt_[static_cast<size_t>(h)]);
        const float decay = std::exp(a_[static_cast<size_t>(h)] * step);
        const float learn = Sigmoid(scratch.beta[t * d.value_heads + h]);
        float* to = scratch.answers + t * sizes_.values + value;
        DeltaStep(state, row + key, row + keys + key, row + 2 * keys + value, decay, learn, d.key_dim, d.value_dim, to);
        RmsNorm(to, norm_.data(), d.value_dim, epsilon, to);
        const float* gate = scratch.z + t * sizes_.values + value;
        for (int64_t e = 0; e < d.value_dim; ++e) to[e] *= gate[e] / (1.0f + std::exp(-gate[e]));
      }
    }
  });
}

void DeltaNet::Run(const Pass& pass, const float* x, float* out) const {
  const ModelConfig& c = config_;
  const DeltaConfig& d = c.delta;
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  const int64_t n = pass.n(), keys = sizes_.keys, values = sizes_.values;
  const ConstRows in{x, c.hidden};
  const Rows mixed{scratch.mixed, sizes_.channels};
  Multiply(pass, in, n, {{q_, mixed}, {k_, mixed.From(keys)}, {v_, mixed.From(2 * keys)}, {z_, {scratch.z, values}}});
  Multiply(pass, in, n, {{beta_, {scratch.beta, d.value_heads}}, {alpha_, {scratch.alpha, d.value_heads}}});
  Convolve(pass, index_, sizes_.states, convolution_, {}, sizes_.channels, d.kernel, mixed);
  Activate(pass, c, mixed, {}, n, sizes_.channels, mixed);
  UnitLengths(pass, mixed);
  Advance(pass, scratch);
  Multiply(pass, {scratch.answers, values}, n, {{out_, {out, c.hidden}}});
}

}  // namespace

LayerCache DeltaCache(const ModelConfig& config, const LayerConfig&) {
  const Sizes sizes(config.delta);
  LayerCache cache;
  cache.state_floats = sizes.states + sizes.channels * (config.delta.kernel - 1);
  return cache;
}

BlockPointer LoadDelta(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<DeltaNet>(context, reader);
}

}  // namespace assay
