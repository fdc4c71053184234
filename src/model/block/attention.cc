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
    for (const Linear* linear : {&q_, &k_, &v_, &o_})
      if (linear->present()) visit(*linear);
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
  void Project(const Pass& pass, const float* x, Rows both, Rows k, Rows v) const;
  void Prepare(const Pass& pass, Rows q, Rows k, Rows v) const;
  void Temper(const Pass& pass, Rows q) const;
  void Gate(const Pass& pass, const float* both, float* attended) const;
  AttendOptions Options() const;

  const ModelConfig& config_;
  int64_t index_;
  LayerConfig layer_;
  bool own_keys_;  // else it attends to those of a layer before it
  int64_t head_dim_, kv_heads_, q_width_, kv_width_;
  Linear q_, k_, v_, o_;
  NormWeights sub_norm_;
  Vector q_norm_, k_norm_, v_norm_, sinks_;
};

GroupedAttention::GroupedAttention(const BlockContext& context, const WeightReader& reader)
    : config_(context.config),
      index_(context.index),
      layer_(context.layer),
      own_keys_(layer_.kv_back == 0),
      head_dim_(config_.HeadDim(layer_)),
      kv_heads_(config_.KvHeads(layer_)),
      q_width_(config_.n_heads * head_dim_),
      kv_width_(kv_heads_ * head_dim_) {
  const ModelConfig& c = config_;
  q_ = reader.ReadLinear("attn_q", c.output_gate ? 2 * q_width_ : q_width_, c.hidden);
  if (own_keys_) k_ = reader.ReadLinear("attn_k", kv_width_, c.hidden);
  if (own_keys_ && !layer_.keys_are_values) v_ = reader.ReadLinear("attn_v", kv_width_, c.hidden);
  o_ = reader.ReadLinear("attn_output", c.hidden, q_width_);
  sub_norm_ = reader.ReadNorm("attn_sub_norm", q_width_);
  if (c.qk_norm == QkNorm::kHead || c.qk_norm == QkNorm::kRotatedHead) {
    q_norm_ = reader.ReadVector("attn_q_norm.weight", head_dim_);
    if (own_keys_) k_norm_ = reader.ReadVector("attn_k_norm.weight", head_dim_);
  } else if (c.qk_norm == QkNorm::kWhole) {
    q_norm_ = reader.ReadVector("attn_q_norm.weight", q_width_);
    k_norm_ = reader.ReadVector("attn_k_norm.weight", kv_width_);
  } else if (c.qk_norm == QkNorm::kEachHead) {
    q_norm_ = reader.ReadTable("attn_q_norm.weight", c.n_heads, c.head_dim);
    k_norm_ = reader.ReadTable("attn_k_norm.weight", c.n_kv_heads, c.head_dim);
  } else if (c.qk_norm == QkNorm::kUnweighted) {
    q_norm_ = k_norm_ = Vector(static_cast<size_t>(head_dim_), 1.0f);
  }
  if (c.value_norm) v_norm_ = Vector(static_cast<size_t>(head_dim_), 1.0f);
  if (c.sinks) sinks_ = reader.ReadVector("attn_sinks.weight", c.n_heads);
}

AttendOptions GroupedAttention::Options() const {
  const ModelConfig& c = config_;
  AttendOptions options{index_ - layer_.kv_back, layer_, kKeys, kValues, c.n_heads, kv_heads_, head_dim_};
  options.scores.scale = ScoreScale(c, layer_, head_dim_) * static_cast<float>(c.multipliers.keys);
  options.scores.softcap = static_cast<float>(c.attention_softcap);
  options.scores.sinks = sinks_.empty() ? nullptr : sinks_.data();
  return options;
}

// both: the queries, or with an output gate each followed by its gate. What another layer keeps is not projected.
void GroupedAttention::Project(const Pass& pass, const float* x, Rows both, Rows k, Rows v) const {
  const ConstRows in{x, config_.hidden};
  if (!own_keys_) return Multiply(pass, in, pass.n(), {{q_, both}});
  if (v_.present()) return Multiply(pass, in, pass.n(), {{q_, both}, {k_, k}, {v_, v}});
  Multiply(pass, in, pass.n(), {{q_, both}, {k_, k}});
  CopyRows(pass, k, pass.n(), kv_width_, v);
}

// Norms, rotation and temperature of queries, keys and values.
void GroupedAttention::Prepare(const Pass& pass, Rows q, Rows k, Rows v) const {
  const ModelConfig& c = config_;
  const Heads queries{c.n_heads, head_dim_, head_dim_}, keys{kv_heads_, head_dim_, head_dim_};
  auto normalize = [&](auto each) {
    each(pass, c.rms_epsilon, q_norm_, queries, q);
    if (own_keys_) each(pass, c.rms_epsilon, k_norm_, keys, k);
  };
  if (c.value_norm && own_keys_) NormalizeHeads(pass, c.rms_epsilon, v_norm_, keys, v);
  if (c.qk_norm == QkNorm::kHead) normalize(NormalizeHeads);
  if (c.qk_norm == QkNorm::kWhole) {
    NormalizeRms(pass, c.rms_epsilon, q_norm_, q, pass.n(), q);
    if (own_keys_) NormalizeRms(pass, c.rms_epsilon, k_norm_, k, pass.n(), k);
  }
  if (c.qk_norm == QkNorm::kEachHead) normalize(NormalizeEachHead);
  if (layer_.rope && !c.learned_positions) {
    const Rotation rotation{layer_.local_rope ? pass.shared.local_angles : pass.shared.angles, c.rope_interleaved};
    const int64_t turned = c.RotaryDim(layer_);
    Rotate(pass, rotation, {c.n_heads, turned, head_dim_}, q);
    if (own_keys_) Rotate(pass, rotation, {kv_heads_, turned, head_dim_}, k);
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
  const int64_t dim = head_dim_;
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
  Project(pass, x, {scratch.both, q_.weight.rows}, k, v);
  if (c.output_gate) CopyRows(pass, {scratch.both, 2 * head_dim_}, n * c.n_heads, head_dim_, {q.data, head_dim_});
  Prepare(pass, q, k, v);
  if (own_keys_) {
    Store(pass, index_, kKeys, k);
    Store(pass, index_, kValues, v);
  }
  Attend(pass, Options(), scratch.attend, q.data, attended.data);
  if (c.output_gate) Gate(pass, scratch.both, attended.data);
  if (!sub_norm_.weight.empty()) Normalize(pass, c, sub_norm_, attended, n, attended);
  Multiply(pass, attended, n, {{o_, {out, c.hidden}}});
}

}  // namespace

LayerCache AttentionCache(const ModelConfig& config, const LayerConfig& layer) {
  if (layer.kv_back > 0) return {};
  const int64_t width = config.KvHeads(layer) * config.HeadDim(layer);
  return {layer.window, {{width}, {width}}};
}

BlockPointer LoadAttention(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<GroupedAttention>(context, reader);
}

}  // namespace assay
