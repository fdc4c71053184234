// Attention of DeepSeek V4: one head of keys, which are the values too, over a window; behind it compressed entries,
// each made of a run of positions. Where runs are short, an indexer chooses among the entries, and each takes in the
// run before its own as well. Source: transformers models/deepseek_v4.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

#include "model/block/attend.h"
#include "model/block/compressor.h"
#include "model/block/indexer.h"

namespace assay {
namespace {

enum Plane : int { kKeys, kEntries, kIndexKeys };

class CompressedAttention : public Block {
 public:
  CompressedAttention(const BlockContext& context, const WeightReader& reader);
  void Plan(const BatchShape& shape, Arena& arena) const override { Scratch(arena, *this, shape); }
  void Run(const Pass& pass, const float* x, float* out) const override;
  void VisitLinears(const LinearVisitor& visit) const override;

 private:
  struct Scratch {
    Scratch(Arena& arena, const CompressedAttention& block, const BatchShape& shape);
    float *low, *kv, *q, *attended, *grouped;
    // Each is done with when the next begins.
    std::optional<Compressor::Scratch> entries, index_entries;
    std::optional<Ranking::Scratch> ranking;
    int64_t seen = 0;  // by a token at most
    std::byte* gathered = nullptr;
    float* scores = nullptr;
  };
  void ChooseEntries(const Pass& pass, const Scratch& scratch, const float* x, Rotation rotation) const;
  int64_t Gather(const Pass& pass, int64_t t, std::byte* rows) const;
  void AttendEntries(const Pass& pass, const Scratch& scratch) const;

  const ModelConfig& config_;
  int64_t index_;
  LayerConfig layer_;
  int64_t width_;  // of all heads
  Linear q_a_, q_b_, kv_, output_b_;
  std::vector<Linear> output_a_;  // per group of heads
  NormWeights q_norm_, kv_norm_;
  Vector sinks_, ones_;
  std::optional<Compressor> entries_, index_entries_;
  Ranking ranking_;
  Linear index_q_, index_weights_;
};

CompressedAttention::CompressedAttention(const BlockContext& context, const WeightReader& reader)
    : config_(context.config),
      index_(context.index),
      layer_(context.layer),
      width_(config_.n_heads * config_.head_dim),
      ones_(static_cast<size_t>(config_.head_dim), 1.0f),
      ranking_(context.config, layer_.compress) {
  const ModelConfig& c = config_;
  const CompressedConfig& x = c.compressed;
  q_a_ = reader.ReadLinear("attn_q_a", x.q_rank, c.hidden);
  q_norm_ = reader.ReadNorm("attn_q_a_norm", x.q_rank);
  q_b_ = reader.ReadLinear("attn_q_b", width_, x.q_rank);
  kv_ = reader.ReadLinear("attn_kv", c.head_dim, c.hidden);
  kv_norm_ = reader.ReadNorm("attn_kv_a_norm", c.head_dim);
  sinks_ = reader.ReadVector("attn_sinks.weight", c.n_heads);
  for (int64_t g = 0; g < x.groups; ++g)
    output_a_.push_back(reader.ReadLinear(fmt::format("attn_output_a.{}", g), x.group_rank, width_ / x.groups));
  output_b_ = reader.ReadLinear("attn_output_b", c.hidden, x.groups * x.group_rank);
  if (layer_.compress > 0) entries_.emplace(context, reader, "attn_compressor", c.head_dim, kEntries, 0);
  if (!layer_.overlapped) return;
  const int64_t heads = c.indexer.heads, dim = c.indexer.head_dim;
  index_entries_.emplace(context, reader, "indexer_compressor", dim, kIndexKeys, entries_->state_floats());
  index_q_ = reader.ReadLinear("indexer.attn_q_b", heads * dim, x.q_rank);
  index_weights_ = reader.ReadLinear("indexer.proj", heads, c.hidden);
}

CompressedAttention::Scratch::Scratch(Arena& arena, const CompressedAttention& block, const BatchShape& shape) {
  const ModelConfig& c = block.config_;
  const CompressedConfig& x = c.compressed;
  const int64_t n = shape.n;
  low = arena.Floats(n * x.q_rank);
  kv = arena.Floats(n * c.head_dim);
  q = arena.Floats(n * block.width_);
  attended = arena.Floats(n * block.width_);
  grouped = arena.Floats(n * x.groups * x.group_rank);
  auto compressor = [&](const std::optional<Compressor>& from, std::optional<Compressor::Scratch>& to) {
    Arena::Scope scope(arena);
    if (from) to.emplace(arena, *from, shape);
  };
  compressor(block.entries_, entries);
  compressor(block.index_entries_, index_entries);
  if (block.layer_.overlapped) {
    Arena::Scope scope(arena);
    ranking.emplace(arena, block.ranking_, shape);
  }
  int64_t most = block.layer_.compress > 0 ? Indexed(block.layer_.compress, shape.context - 1) : 0;
  if (block.layer_.overlapped) most = std::min(most, c.indexer.top_k);
  seen = std::min(block.layer_.window, shape.context) + most;
  gathered = arena.Take<std::byte>(shape.threads * seen * LargestRowBytes(c.head_dim));
  scores = arena.Floats(shape.threads * seen * c.n_heads);
}

void CompressedAttention::ChooseEntries(const Pass& pass, const Scratch& scratch, const float* x,
                                        Rotation rotation) const {
  const IndexerConfig& indexer = config_.indexer;
  const int64_t n = pass.n(), rotary = config_.compressed.rope_dim, dim = indexer.head_dim;
  const Rows q{scratch.ranking->q, indexer.heads * dim};
  Multiply(pass, {x, config_.hidden}, n, {{index_weights_, {scratch.ranking->weights, indexer.heads}}});
  Multiply(pass, {scratch.low, config_.compressed.q_rank}, n, {{index_q_, q}});
  Rotate(pass, rotation, {indexer.heads, rotary, dim}, q.From(dim - rotary));
  ranking_.Choose(pass, index_, kIndexKeys, *scratch.ranking);
}

// Window and entries of a token, one after the other: how many.
int64_t CompressedAttention::Gather(const Pass& pass, int64_t t, std::byte* rows) const {
  const Sequence& sequence = pass.sequence(t);
  const int64_t position = pass.position(t), bytes = sequence.RowBytes(index_, kKeys);
  const int64_t first = FirstSeen(layer_, position), window = position + 1 - first;
  std::memcpy(rows, sequence.Row(index_, kKeys, first - sequence.base(index_)), static_cast<size_t>(window * bytes));
  if (layer_.compress == 0) return window;
  rows += window * bytes;
  if (layer_.overlapped && !ranking_.SeesAll(position)) {
    const int64_t top_k = config_.indexer.top_k;
    GatherRows(sequence, index_, kEntries, {pass.shared.chosen + t * top_k, static_cast<size_t>(top_k)}, rows);
    return window + top_k;
  }
  const int64_t entries = Indexed(layer_.compress, position);
  for (int64_t row = 0; row < entries;) {
    const int64_t together = sequence.Together(index_, kEntries, row, entries);
    std::memcpy(rows + row * bytes, sequence.Row(index_, kEntries, row), static_cast<size_t>(together * bytes));
    row += together;
  }
  return window + entries;
}

// All heads of a token read what was gathered for it.
void CompressedAttention::AttendEntries(const Pass& pass, const Scratch& scratch) const {
  const ModelConfig& c = config_;
  const int64_t rows_size = scratch.seen * LargestRowBytes(c.head_dim), scores_size = scratch.seen * c.n_heads;
  AttentionOptions options(1.0f / std::sqrt(static_cast<float>(c.head_dim)));
  options.sinks = sinks_.data();
  pass.pool.For(pass.n(), 1, [&](int64_t begin, int64_t end, int worker) {
    std::byte* rows = scratch.gathered + worker * rows_size;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t count = Gather(pass, t, rows);
      const CacheView view = pass.sequence(t).format().view(rows, c.head_dim);
      AttendHeads(scratch.q + t * width_, c.n_heads, view, view, 0, c.head_dim, 0, count - 1, options,
                  scratch.scores + worker * scores_size, scratch.attended + t * width_);
    }
  });
}

void CompressedAttention::Run(const Pass& pass, const float* x, float* out) const {
  const ModelConfig& c = config_;
  const CompressedConfig& parts = c.compressed;
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  const int64_t n = pass.n(), nope = c.head_dim - parts.rope_dim;
  const Rows low{scratch.low, parts.q_rank}, kv{scratch.kv, c.head_dim}, q{scratch.q, width_};
  Multiply(pass, {x, c.hidden}, n, {{q_a_, low}, {kv_, kv}});
  Normalize(pass, c, q_norm_, low, n, low);
  Normalize(pass, c, kv_norm_, kv, n, kv);
  Multiply(pass, low, n, {{q_b_, q}});
  const Heads heads{c.n_heads, parts.rope_dim, c.head_dim};
  Rotation rotation{layer_.local_rope ? pass.shared.local_angles : pass.shared.angles, c.rope_interleaved};
  NormalizeHeads(pass, c.rms_epsilon, ones_, {c.n_heads, c.head_dim, c.head_dim}, q);
  Rotate(pass, rotation, heads, q.From(nope));
  Rotate(pass, rotation, {1, parts.rope_dim, c.head_dim}, kv.From(nope));
  Store(pass, index_, kKeys, kv);
  if (entries_) entries_->Run(pass, *scratch.entries, x);
  if (index_entries_) index_entries_->Run(pass, *scratch.index_entries, x);
  if (layer_.overlapped) ChooseEntries(pass, scratch, x, rotation);
  AttendEntries(pass, scratch);
  // Values were turned as keys: turned back, a value counts by its distance. Then the groups of heads, each by itself.
  const Rows attended{scratch.attended, width_}, grouped{scratch.grouped, parts.groups * parts.group_rank};
  rotation.back = true;
  Rotate(pass, rotation, heads, attended.From(nope));
  for (int64_t g = 0; g < parts.groups; ++g)
    Multiply(pass, attended.From(g * (width_ / parts.groups)), n,
             {{output_a_[static_cast<size_t>(g)], grouped.From(g * parts.group_rank)}});
  Multiply(pass, grouped, n, {{output_b_, {out, c.hidden}}});
}

void CompressedAttention::VisitLinears(const LinearVisitor& visit) const {
  for (const Linear* linear : {&q_a_, &q_b_, &kv_}) visit(*linear);
  for (const Linear& linear : output_a_) visit(linear);
  visit(output_b_);
  if (entries_) entries_->VisitLinears(visit);
  if (!index_entries_) return;
  index_entries_->VisitLinears(visit);
  visit(index_q_);
  visit(index_weights_);
}

}  // namespace

LayerCache CompressedCache(const ModelConfig& config, const LayerConfig& layer) {
  LayerCache cache{layer.window, {{config.head_dim}}};  // values are the keys
  auto compressed = [&](int64_t dim) {
    cache.planes.push_back({dim, layer.compress});
    cache.state_floats += OpenEntryFloats(layer, dim);
  };
  if (layer.compress > 0) compressed(config.head_dim);
  if (layer.overlapped) compressed(config.indexer.head_dim);
  return cache;
}

BlockPointer LoadCompressed(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<CompressedAttention>(context, reader);
}

}  // namespace assay
