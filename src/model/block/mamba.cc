// Mamba-2 (Dao & Gu 2024, arXiv 2405.21060): a short convolution over time, then a state per head
// that decays by a step of its own at each token.

#include <algorithm>
#include <cmath>

#include "model/operations.h"

namespace assay {
namespace {

struct Sizes {
  explicit Sizes(const MambaConfig& m)
      : inner(m.heads * m.head_dim),
        keys(m.groups * m.state),
        channels(inner + 2 * keys),
        states(inner * m.state),
        in(inner + channels + m.heads) {}
  int64_t inner;     // of all heads
  int64_t keys;      // of all groups
  int64_t channels;  // of the convolution: heads, keys, queries
  int64_t states;    // floats; behind them the last inputs of every channel
  int64_t in;        // a gate, what the convolution takes, and a step for each head
};

class Mamba : public Block {
 public:
  Mamba(const BlockContext& context, const WeightReader& reader);
  void Plan(const BatchShape& shape, Arena& arena) const override { Scratch(arena, *this, shape); }
  void Run(const Pass& pass, const float* x, float* out) const override;
  void VisitLinears(const LinearVisitor& visit) const override {
    visit(in_);
    visit(out_);
  }

 private:
  struct Scratch {
    Scratch(Arena& arena, const Mamba& block, const BatchShape& shape)
        : in(arena.Floats(shape.n * block.sizes_.in)), answers(arena.Floats(shape.n * block.sizes_.inner)) {}
    float *in, *answers;
  };
  void ScaleParts(const Pass& pass, Rows in) const;
  void Advance(const Pass& pass, ConstRows in, Rows answers) const;
  void Gate(const Pass& pass, Rows gate, Rows answers) const;

  const ModelConfig& config_;
  int64_t index_;
  Sizes sizes_;
  Linear in_, out_;
  Vector convolution_;  // [channels, kernel]
  Vector convolution_bias_, dt_, a_, d_;
  Vector norm_;  // or empty
};

Mamba::Mamba(const BlockContext& context, const WeightReader& reader)
    : config_(context.config), index_(context.index), sizes_(context.config.mamba) {
  const MambaConfig& m = config_.mamba;
  in_ = reader.ReadLinear("ssm_in", sizes_.in, config_.hidden);
  convolution_ = reader.ReadTable("ssm_conv1d.weight", sizes_.channels, m.kernel);
  convolution_bias_ = reader.ReadVector("ssm_conv1d.bias", sizes_.channels);
  dt_ = reader.ReadVector("ssm_dt.bias", m.heads);
  a_ = reader.ReadVector("ssm_a.weight", m.heads);
  d_ = reader.ReadVector("ssm_d.weight", m.heads);
  if (m.norm) norm_ = reader.ReadVector("ssm_norm.weight", sizes_.inner);
  out_ = reader.ReadLinear("ssm_out", config_.hidden, sizes_.inner);
}

void Mamba::ScaleParts(const Pass& pass, Rows in) const {
  const Multipliers& m = config_.multipliers;
  int64_t at = 0;
  for (auto [factor, width] : {std::pair{m.mamba_gate, sizes_.inner},
                               {m.mamba_heads, sizes_.inner},
                               {m.mamba_keys, sizes_.keys},
                               {m.mamba_queries, sizes_.keys},
                               {m.mamba_step, config_.mamba.heads}}) {
    Scale(pass, static_cast<float>(factor), pass.n(), width, in.From(at));
    at += width;
  }
}

// One token after the other, within a sequence; heads side by side.
void Mamba::Advance(const Pass& pass, ConstRows in, Rows answers) const {
  const MambaConfig& m = config_.mamba;
  pass.pool.For(m.heads, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h) {
      const auto head = static_cast<size_t>(h);
      for (int64_t t = 0; t < pass.n(); ++t) {
        float* state = pass.sequence(t).State(index_) + h * m.state * m.head_dim;
        const float* mixed = in[t] + sizes_.inner;
        const float* x = mixed + h * m.head_dim;
        const float* k = mixed + sizes_.inner + h / (m.heads / m.groups) * m.state;
        const float step = std::max(Softplus(mixed[sizes_.channels + h] + dt_[head]), static_cast<float>(m.step_min));
        float* to = answers[t] + h * m.head_dim;
        StateStep(state, k + sizes_.keys, k, x, std::exp(a_[head] * step), step, m.state, m.head_dim, to);
        for (int64_t e = 0; e < m.head_dim; ++e) to[e] += d_[head] * x[e];
      }
    }
  });
}

// The gate, then the norm of each group.
void Mamba::Gate(const Pass& pass, Rows gate, Rows answers) const {
  const int64_t inner = sizes_.inner, group = inner / config_.mamba.groups;
  pass.pool.For(pass.n(), 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      SiluMul(gate[t], answers[t], inner, gate[t]);
      if (norm_.empty()) std::copy_n(gate[t], inner, answers[t]);
      for (int64_t g = 0; g < std::ssize(norm_); g += group)
        RmsNorm(gate[t] + g, norm_.data() + g, group, static_cast<float>(config_.rms_epsilon), answers[t] + g);
    }
  });
}

void Mamba::Run(const Pass& pass, const float* x, float* out) const {
  const ModelConfig& c = config_;
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  const int64_t n = pass.n(), inner = sizes_.inner;
  const Rows in{scratch.in, sizes_.in}, mixed = in.From(inner), answers{scratch.answers, inner};
  Multiply(pass, {x, c.hidden}, n, {{in_, in}});
  ScaleParts(pass, in);
  Convolve(pass, index_, sizes_.states, convolution_, convolution_bias_, sizes_.channels, c.mamba.kernel, mixed);
  Activate(pass, c.mamba.activation, mixed, n, sizes_.channels, mixed);
  Advance(pass, in, answers);
  Gate(pass, in, answers);
  Multiply(pass, answers, n, {{out_, {out, c.hidden}}});
}

}  // namespace

LayerCache MambaCache(const ModelConfig& config, const LayerConfig&) {
  const Sizes sizes(config.mamba);
  LayerCache cache;
  cache.state_floats = sizes.states + sizes.channels * (config.mamba.kernel - 1);
  return cache;
}

BlockPointer LoadMamba(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<Mamba>(context, reader);
}

}  // namespace assay
