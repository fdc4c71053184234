#include "model/block/indexer.h"

#include <algorithm>
#include <cmath>

#include "model/block/attend.h"
#include "model/block/table.h"

namespace assay {
namespace {

constexpr float kKeyEpsilon = 1e-6f;      // of the LayerNorm of its keys, whatever rms_norm_eps says
constexpr int64_t kScoredTogether = 256;  // positions of a piece when one token has all threads

}  // namespace

int64_t Indexed(int64_t compress, int64_t position) {
  return compress > 0 ? (position + 1) / compress : position + 1;
}

int64_t ChosenCount(const ModelConfig& config, const BatchShape& shape) {
  const IndexerConfig& x = config.indexer;
  return x.heads > 0 && shape.context > x.top_k ? shape.n * x.top_k : 0;
}

int32_t* TakeChosen(Arena& arena, const ModelConfig& config, const BatchShape& shape) {
  return arena.Take<int32_t>(ChosenCount(config, shape));
}

Ranking::Scratch::Scratch(Arena& arena, const Ranking& ranking, const BatchShape& shape) {
  const IndexerConfig& x = ranking.config_.indexer;
  q = arena.Floats(shape.n * x.heads * x.head_dim);
  weights = arena.Floats(shape.n * x.heads);
  scored = Indexed(ranking.compress_, shape.context - 1);
  const int64_t rows = scored <= x.top_k ? 0 : shape.n == 1 ? 1 : shape.threads;
  scores = arena.Floats(rows * scored);
  order = arena.Take<uint64_t>(rows * scored);
}

bool Ranking::SeesAll(int64_t position) const {
  return Indexed(compress_, position) <= config_.indexer.top_k;
}

void Ranking::Choose(const Pass& pass, int64_t layer, int plane, const Scratch& scratch) const {
  const IndexerConfig& x = config_.indexer;
  const int64_t n = pass.n();
  Scale(pass, 1.0f / std::sqrt(static_cast<float>(x.heads * x.head_dim)), pass.n(), x.heads,
        {scratch.weights, x.heads});
  const int64_t longest = Indexed(compress_, *std::max_element(pass.positions.begin(), pass.positions.end()));
  if (longest <= x.top_k) return;
  int32_t* chosen = pass.shared.chosen;
  auto score = [&](int64_t t, int64_t begin, int64_t end, float* out) {
    IndexScores(scratch.q + t * x.heads * x.head_dim, scratch.weights + t * x.heads, x.heads,
                pass.sequence(t).View(layer, plane), x.head_dim, begin, end, out);
  };
  if (n == 1) {
    pass.pool.For(longest, kScoredTogether,
                  [&](int64_t begin, int64_t end, int) { score(0, begin, end, scratch.scores + begin); });
    return TopPositions(scratch.scores, longest, x.top_k, scratch.order, chosen);
  }
  pass.pool.For(n, 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t t = begin; t < end; ++t) {
      if (SeesAll(pass.position(t))) continue;
      const int64_t length = Indexed(compress_, pass.position(t));
      float* row = scratch.scores + worker * scratch.scored;
      score(t, 0, length, row);
      TopPositions(row, length, x.top_k, scratch.order + worker * scratch.scored, chosen + t * x.top_k);
    }
  });
}

Indexer::Indexer(const BlockContext& context, const WeightReader& reader)
    : config_(context.config), index_(context.index), ranking_(context.config, 0) {
  const IndexerConfig& x = config_.indexer;
  q_ = reader.ReadLinear("indexer.attn_q_b", x.heads * x.head_dim, config_.latent.q_rank);
  k_ = reader.ReadLinear("indexer.attn_k", x.head_dim, config_.hidden);
  weights_ = reader.ReadLinear("indexer.proj", x.heads, config_.hidden);
  k_norm_ = reader.ReadNorm("indexer.k_norm", x.head_dim);
}

Indexer::Scratch::Scratch(Arena& arena, const Indexer& indexer, const BatchShape& shape)
    : k(arena.Floats(shape.n * indexer.config_.indexer.head_dim)), ranking(arena, indexer.ranking_, shape) {}

void Indexer::Run(const Pass& pass, const Scratch& scratch, const float* x, const float* low, int plane) const {
  const ModelConfig& c = config_;
  const int64_t n = pass.n(), heads = c.indexer.heads, dim = c.indexer.head_dim, rotary = c.latent.rope_dim;
  const Rows k{scratch.k, dim}, q{scratch.ranking.q, heads * dim};
  Multiply(pass, {x, c.hidden}, n, {{k_, k}, {weights_, {scratch.ranking.weights, heads}}});
  Multiply(pass, {low, c.latent.q_rank}, n, {{q_, q}});
  NormalizeLayer(pass, kKeyEpsilon, k_norm_, k, n, k);
  const Rotation rotation{pass.shared.angles, c.indexer.interleaved};
  Rotate(pass, rotation, {1, rotary, dim}, k);
  Rotate(pass, rotation, {heads, rotary, dim}, q);
  Store(pass, index_, plane, k);
  ranking_.Choose(pass, index_, plane, scratch.ranking);
}

void Indexer::VisitLinears(const LinearVisitor& visit) const {
  for (const Linear* linear : {&q_, &k_, &weights_}) visit(*linear);
}

}  // namespace assay
