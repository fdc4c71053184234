// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1) with the projections of keys and values
// absorbed: the cache holds the normed latent vector and the rotated part of the key; a query is taken to the latent
// space, what it attends to is taken back by the value projection.

#include <fmt/format.h>

#include <optional>

#include "model/block/attend.h"
#include "model/block/indexer.h"

namespace assay {
namespace {

enum Plane : int { kKeys, kIndexKeys };  // values are the beginning of the keys

class LatentAttention : public Block {
 public:
  LatentAttention(const BlockContext& context, const WeightReader& reader);
  void Plan(const BatchShape& shape, Arena& arena) const override { Scratch(arena, *this, shape); }
  void Run(const Pass& pass, const float* x, float* out) const override;
  void VisitLinears(const LinearVisitor& visit) const override;

 private:
  struct Scratch {
    Scratch(Arena& arena, const LatentAttention& block, const BatchShape& shape);
    float *q, *kv, *low, *query, *seen, *attended;
    std::optional<Indexer::Scratch> indexer;  // done with when the rest begins
    std::optional<AttendScratch> attend;
  };
  AttendOptions Options() const;

  const ModelConfig& config_;
  int64_t index_;
  LayerConfig layer_;
  int64_t q_head_, width_;       // of a head's query; of a row of the cache
  Linear q_a_, q_b_, kv_a_, o_;  // without q_rank, q_b reads the hidden state
  NormWeights q_norm_;
  Vector kv_norm_;
  std::vector<Linear> k_b_, v_b_;  // per head: [kv_rank, nope], [value, kv_rank]
  std::optional<Indexer> indexer_;
};

LatentAttention::LatentAttention(const BlockContext& context, const WeightReader& reader)
    : config_(context.config), index_(context.index), layer_(context.layer) {
  const ModelConfig& c = config_;
  const LatentConfig& l = c.latent;
  q_head_ = l.nope_dim + l.rope_dim;
  width_ = l.kv_rank + l.rope_dim;
  if (l.q_rank > 0) {
    q_a_ = reader.ReadLinear("attn_q_a", l.q_rank, c.hidden);
    q_norm_ = reader.ReadNorm("attn_q_a_norm", l.q_rank);
    q_b_ = reader.ReadLinear("attn_q_b", c.n_heads * q_head_, l.q_rank);
  } else {
    q_b_ = reader.ReadLinear("attn_q", c.n_heads * q_head_, c.hidden);
  }
  kv_a_ = reader.ReadLinear("attn_kv_a_mqa", width_, c.hidden);
  kv_norm_ = reader.ReadVector("attn_kv_a_norm.weight", l.kv_rank);
  o_ = reader.ReadLinear("attn_output", c.hidden, c.n_heads * l.value_dim);
  for (int64_t h = 0; h < c.n_heads; ++h) {
    k_b_.push_back(reader.ReadLinear(fmt::format("attn_k_b.{}", h), l.kv_rank, l.nope_dim));
    v_b_.push_back(reader.ReadLinear(fmt::format("attn_v_b.{}", h), l.value_dim, l.kv_rank));
  }
  if (c.indexer.heads > 0 && !layer_.shared_index) indexer_.emplace(context, reader);
}

AttendOptions LatentAttention::Options() const {
  const ModelConfig& c = config_;
  AttendOptions options{index_, layer_, kKeys, kKeys, c.n_heads, 1, width_};
  options.scores.scale = ScoreScale(c, layer_, q_head_);
  options.scores.softcap = static_cast<float>(c.attention_softcap);
  options.top_k = c.indexer.heads > 0 ? c.indexer.top_k : 0;
  return options;
}

LatentAttention::Scratch::Scratch(Arena& arena, const LatentAttention& block, const BatchShape& shape) {
  const ModelConfig& c = block.config_;
  const int64_t n = shape.n;
  q = arena.Floats(n * c.n_heads * block.q_head_);
  kv = arena.Floats(n * block.width_);
  low = arena.Floats(n * c.latent.q_rank);
  query = arena.Floats(n * c.n_heads * block.width_);
  seen = arena.Floats(n * c.n_heads * block.width_);
  attended = arena.Floats(n * c.n_heads * c.latent.value_dim);
  if (block.indexer_) {
    Arena::Scope scope(arena);
    indexer.emplace(arena, *block.indexer_, shape);
  }
  attend.emplace(arena, shape, block.Options());
}

void LatentAttention::Run(const Pass& pass, const float* x, float* out) const {
  const ModelConfig& c = config_;
  const LatentConfig& l = c.latent;
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  const int64_t n = pass.n(), heads = c.n_heads;
  const ConstRows in{x, c.hidden};
  const Rows q{scratch.q, heads * q_head_}, kv{scratch.kv, width_}, query{scratch.query, heads * width_};
  if (l.q_rank > 0) {
    const Rows low{scratch.low, l.q_rank};
    Multiply(pass, in, n, {{q_a_, low}, {kv_a_, kv}});
    NormalizeRms(pass, c.latent.epsilon, q_norm_.weight, low, n, low);
    Multiply(pass, low, n, {{q_b_, q}});
    if (indexer_) indexer_->Run(pass, *scratch.indexer, x, low.data, kIndexKeys);
  } else {
    Multiply(pass, in, n, {{q_b_, q}, {kv_a_, kv}});
  }
  const Rotation rotation{pass.shared.angles, c.rope_interleaved};
  NormalizeRms(pass, c.latent.epsilon, kv_norm_, kv, n, kv);
  Rotate(pass, rotation, {1, l.rope_dim, width_}, kv.From(l.kv_rank));
  Store(pass, index_, kKeys, kv);
  // The rotated end of each head's query stays; the rest goes to the latent space.
  const Rows rotated = query.From(l.kv_rank);
  CopyRows(pass, {q.data + l.nope_dim, q_head_}, n * heads, l.rope_dim, {rotated.data, width_});
  Rotate(pass, rotation, {heads, l.rope_dim, width_}, rotated);
  for (int64_t h = 0; h < heads; ++h)
    Multiply(pass, q.From(h * q_head_), n, {{k_b_[static_cast<size_t>(h)], query.From(h * width_)}});
  const Rows seen{scratch.seen, heads * width_}, attended{scratch.attended, heads * l.value_dim};
  Attend(pass, Options(), *scratch.attend, query.data, seen.data);
  for (int64_t h = 0; h < heads; ++h)
    Multiply(pass, seen.From(h * width_), n, {{v_b_[static_cast<size_t>(h)], attended.From(h * l.value_dim)}});
  Multiply(pass, attended, n, {{o_, {out, c.hidden}}});
}

void LatentAttention::VisitLinears(const LinearVisitor& visit) const {
  for (const Linear* linear : {&q_a_, &q_b_, &kv_a_, &o_})
    if (linear->present()) visit(*linear);
  for (const Linear& linear : k_b_) visit(linear);
  for (const Linear& linear : v_b_) visit(linear);
  if (indexer_) indexer_->VisitLinears(visit);
}

}  // namespace

LayerCache LatentCache(const ModelConfig& config, const LayerConfig& layer) {
  LayerCache cache{layer.window, {{config.latent.kv_rank + config.latent.rope_dim}}};
  if (config.indexer.heads > 0 && !layer.shared_index) cache.planes.push_back({config.indexer.head_dim});
  return cache;
}

BlockPointer LoadLatent(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<LatentAttention>(context, reader);
}

}  // namespace assay
