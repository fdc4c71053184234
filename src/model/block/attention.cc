// Attention with grouped heads.

#include <cmath>

#include "model/block/attend.h"

namespace assay {
namespace {

enum Plane : int { kKeys, kValues };

class GroupedAttention : public Block {
 public:
  GroupedAttention(const BlockContext& context, const WeightReader& reader);
  void Plan(const BatchShape& shape, Arena& arena) const override { Scratch(arena, *this, shape); }
  void Run(const Pass& pass, const float* x, float* out) const override;
  void VisitLinears(const LinearVisitor& visit) const override {
    for (const Linear* linear : {&q_, &k_, &v_, &o_}) visit(*linear);
  }

 private:
  struct Scratch {
    Scratch(Arena& arena, const GroupedAttention& block, const BatchShape& shape)
        : q(arena.Floats(shape.n * block.q_width_)),
          k(arena.Floats(shape.n * block.kv_width_)),
          v(arena.Floats(shape.n * block.kv_width_)),
          attended(arena.Floats(shape.n * block.q_width_)),
          both(block.config_.output_gate ? arena.Floats(shape.n * 2 * block.q_width_) : q),
          attend(arena, shape, block.Options()) {}
    float *q, *k, *v, *attended;
    float* both;  // with an output gate each head's query is followed by its gate; else the queries
    AttendScratch attend;
  };
  void Prepare(const Pass& pass, Rows q, Rows k) const;
  void Temper(const Pass& pass, Rows q) const;
  void Gate(const Pass& pass, const float* both, float* attended) const;
  AttendOptions Options() const;

  const ModelConfig& config_;
  int64_t index_;
  LayerConfig layer_;
  int64_t q_width_, kv_width_;
  Linear q_, k_, v_, o_;
  NormWeights sub_norm_;
  Vector q_norm_, k_norm_, sinks_;
};

GroupedAttention::GroupedAttention(const BlockContext& context, const WeightReader& reader)
    : config_(context.config), index_(context.index), layer_(context.layer) {
  const ModelConfig& c = config_;
  q_width_ = c.n_heads * c.head_dim;
  kv_width_ = c.n_kv_heads * c.head_dim;
  q_ = reader.ReadLinear("attn_q", c.output_gate ? 2 * q_width_ : q_width_, c.hidden);
  k_ = reader.ReadLinear("attn_k", kv_width_, c.hidden);
  v_ = reader.ReadLinear("attn_v", kv_width_, c.hidden);
  o_ = reader.ReadLinear("attn_output", c.hidden, q_width_);
  sub_norm_ = reader.ReadNorm("attn_sub_norm", q_width_);
  if (c.qk_norm == QkNorm::kHead || c.qk_norm == QkNorm::kRotatedHead) {
    q_norm_ = reader.ReadVector("attn_q_norm.weight", c.head_dim);
    k_norm_ = reader.ReadVector("attn_k_norm.weight", c.head_dim);
  } else if (c.qk_norm == QkNorm::kWhole) {
    q_norm_ = reader.ReadVector("attn_q_norm.weight", q_width_);
    k_norm_ = reader.ReadVector("attn_k_norm.weight", kv_width_);
  } else if (c.qk_norm == QkNorm::kEachHead) {
    q_norm_ = reader.ReadTable("attn_q_norm.weight", c.n_heads, c.head_dim);
    k_norm_ = reader.ReadTable("attn_k_norm.weight", c.n_kv_heads, c.head_dim);
  } else if (c.qk_norm == QkNorm::kUnweighted) {
    q_norm_ = k_norm_ = Vector(static_cast<size_t>(c.head_dim), 1.0f);
  }
  if (c.sinks) sinks_ = reader.ReadVector("attn_sinks.weight", c.n_heads);
}

AttendOptions GroupedAttention::Options() const {
  const ModelConfig& c = config_;
  AttendOptions options{index_, layer_, kKeys, kValues, c.n_heads, c.n_kv_heads, c.head_dim};
  options.scores.scale = ScoreScale(c, layer_, c.head_dim) * static_cast<float>(c.multipliers.keys);
  options.scores.softcap = static_cast<float>(c.attention_softcap);
  options.scores.sinks = sinks_.empty() ? nullptr : sinks_.data();
  return options;
}

// Norms, rotation and temperature of queries and keys.
void GroupedAttention::Prepare(const Pass& pass, Rows q, Rows k) const {
  const ModelConfig& c = config_;
  const Heads queries{c.n_heads, c.head_dim, c.head_dim}, keys{c.n_kv_heads, c.head_dim, c.head_dim};
  auto normalize = [&](auto each) {
    each(pass, c.rms_epsilon, q_norm_, queries, q);
    each(pass, c.rms_epsilon, k_norm_, keys, k);
  };
  if (c.qk_norm == QkNorm::kHead) normalize(NormalizeHeads);
  if (c.qk_norm == QkNorm::kWhole) {
    NormalizeRms(pass, c.rms_epsilon, q_norm_, q, pass.n(), q);
    NormalizeRms(pass, c.rms_epsilon, k_norm_, k, pass.n(), k);
  }
  if (c.qk_norm == QkNorm::kEachHead) normalize(NormalizeEachHead);
  if (layer_.rope && !c.learned_positions) {
    const Rotation rotation{layer_.local_rope ? pass.shared.local_angles : pass.shared.angles, c.rope_interleaved};
    Rotate(pass, rotation, {c.n_heads, c.rotary_dim, c.head_dim}, q);
    Rotate(pass, rotation, {c.n_kv_heads, c.rotary_dim, c.head_dim}, k);
  }
  if (c.qk_norm == QkNorm::kRotatedHead || (c.qk_norm == QkNorm::kUnweighted && layer_.rope)) normalize(NormalizeHeads);
  if (c.temperature_scale > 0 && layer_.rope == c.temperature_rotated) Temper(pass, q);
}

void GroupedAttention::Temper(const Pass& pass, Rows q) const {
  pass.pool.For(pass.n(), 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t position = pass.position(t) + (config_.temperature_rotated ? 0 : 1);
      const double steps = std::floor(static_cast<double>(position) / config_.temperature_floor);
      const auto factor = static_cast<float>(std::log1p(steps) * config_.temperature_scale + 1.0);
      for (int64_t i = 0; i < q_width_; ++i) q[t][i] *= factor;
    }
  });
}

void GroupedAttention::Gate(const Pass& pass, const float* both, float* attended) const {
  const int64_t dim = config_.head_dim;
  pass.pool.For(pass.n() * config_.n_heads, 8 * config_.n_heads, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h)
      for (int64_t i = 0; i < dim; ++i) attended[h * dim + i] /= 1.0f + std::exp(-both[(2 * h + 1) * dim + i]);
  });
}

void GroupedAttention::Run(const Pass& pass, const float* x, float* out) const {
  const ModelConfig& c = config_;
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  const int64_t n = pass.n();
  const Rows q{scratch.q, q_width_}, k{scratch.k, kv_width_}, v{scratch.v, kv_width_};
  const Rows attended{scratch.attended, q_width_};
  Multiply(pass, {x, c.hidden}, n, {{q_, {scratch.both, q_.weight.rows}}, {k_, k}, {v_, v}});
  if (c.output_gate) CopyRows(pass, {scratch.both, 2 * c.head_dim}, n * c.n_heads, c.head_dim, {q.data, c.head_dim});
  Prepare(pass, q, k);
  Store(pass, index_, kKeys, k);
  Store(pass, index_, kValues, v);
  Attend(pass, Options(), scratch.attend, q.data, attended.data);
  if (c.output_gate) Gate(pass, scratch.both, attended.data);
  if (!sub_norm_.weight.empty()) Normalize(pass, c, sub_norm_, attended, n, attended);
  Multiply(pass, attended, n, {{o_, {out, c.hidden}}});
}

}  // namespace

LayerCache AttentionCache(const ModelConfig& config, const LayerConfig& layer) {
  const int64_t width = config.n_kv_heads * config.head_dim;
  return {layer.window, {{width}, {width}}};
}

BlockPointer LoadAttention(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<GroupedAttention>(context, reader);
}

}  // namespace assay
