// Sparse attention (DeepSeek-V3.2, "lightning indexer"; GLM-5): which positions a query sees. A few small heads score
// every position, Σ_h w_h · max(0, q_h · k), and the best top_k are attended to. The published code also turns both
// sides by a Hadamard matrix, for the sake of FP8: orthogonal, so no score depends on it.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "kernel/ops.h"
#include "model/decoder.h"

namespace assay {
namespace {

constexpr float kKeyEpsilon = 1e-6f;      // of the LayerNorm of its keys, whatever rms_norm_eps says
constexpr int64_t kScoredTogether = 256;  // positions of a piece when one token has all threads

}  // namespace

void Decoder::LoadIndexer(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const {
  const ModelConfig& c = config();
  const IndexerConfig& x = c.indexer;
  if (x.heads == 0 || layer.config.shared_index) return;
  layer.indexer = std::make_unique<IndexerLayer>();
  layer.indexer->q = reader.ReadLinear(block + "indexer.attn_q_b", x.heads * x.head_dim, c.latent.q_rank);
  layer.indexer->k = reader.ReadLinear(block + "indexer.attn_k", x.head_dim, c.hidden);
  layer.indexer->weights = reader.ReadLinear(block + "indexer.proj", x.heads, c.hidden);
  layer.indexer->k_norm = reader.ReadNorm(block + "indexer.k_norm", x.head_dim);
}

int64_t Decoder::Indexed(const LayerConfig& layer, int64_t position) const {
  return layer.compress > 0 ? (position + 1) / layer.compress : position + 1;
}

bool Decoder::SeesAll(const Pass& pass, int64_t index, int64_t t) const {
  const LayerConfig& layer = layers_[static_cast<size_t>(index)].config;
  if (config().indexer.heads == 0 || (layer.compress > 0 && !layer.overlapped)) return true;
  return Indexed(layer, pass.positions[static_cast<size_t>(t)]) <= config().indexer.top_k;
}

void Decoder::ChoosePositions(const Pass& pass, int64_t index, const float* low) const {
  const IndexerLayer& layer = *layers_[static_cast<size_t>(index)].indexer;
  const IndexerConfig& x = config().indexer;
  Workspace& workspace = pass.workspace;
  const int64_t n = pass.n, rope_dim = config().latent.rope_dim, half = ropes_[0].half();
  const float* normed = workspace.Floats(kNormed, 0);
  const float* angles = workspace.Floats(kAngles, 0);
  float* k = workspace.Floats(kIndexKey, n * x.head_dim);
  float* weights = workspace.Floats(kIndexWeights, n * x.heads);
  float* q = workspace.Floats(kIndexQuery, n * x.heads * x.head_dim);
  RunLinears({&layer.k, &layer.weights}, normed, n, {k, weights}, workspace, kPrepared, pass.pool);
  RunLinears({&layer.q}, low, n, {q}, workspace, kPrepared, pass.pool);
  const float scale = 1.0f / std::sqrt(static_cast<float>(x.heads * x.head_dim));
  pass.pool.For(n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float *cosine = angles + t * 2 * half, *sine = cosine + half;
      float* key = k + t * x.head_dim;
      LayerNorm(key, layer.k_norm.weight.data(), layer.k_norm.bias.data(), x.head_dim, kKeyEpsilon, key);
      Rope(key, 1, x.head_dim, rope_dim, cosine, sine, x.interleaved);
      const Sequence& sequence = *pass.batch[static_cast<size_t>(t)].sequence;
      sequence.Write(sequence.IndexKeys(index), pass.positions[static_cast<size_t>(t)], key, x.head_dim);
      Rope(q + t * x.heads * x.head_dim, x.heads, x.head_dim, rope_dim, cosine, sine, x.interleaved);
      for (int64_t h = 0; h < x.heads; ++h) weights[t * x.heads + h] *= scale;
    }
  });
  RankPositions(pass, index, q, weights);
}

// Fills kChosen, [n, top_k] positions (or entries) in ascending order; rows of tokens that see all are left as they
// are. Layers that share an indexer find there what the last one chose.
void Decoder::RankPositions(const Pass& pass, int64_t index, const float* q, const float* weights) const {
  const LayerConfig& layer = layers_[static_cast<size_t>(index)].config;
  const IndexerConfig& x = config().indexer;
  Workspace& workspace = pass.workspace;
  const int64_t n = pass.n;
  const int64_t span = Indexed(layer, *std::max_element(pass.positions.begin(), pass.positions.end()));
  if (span <= x.top_k) return;
  auto* chosen = reinterpret_cast<int32_t*>(workspace.Bytes(kChosen, n * x.top_k * 4));
  const int64_t rows = n == 1 ? 1 : pass.pool.threads();
  float* scores = workspace.Floats(kScores, rows * span);
  auto* order = reinterpret_cast<uint64_t*>(workspace.Bytes(kOrder, rows * span * 8));
  auto score = [&](int64_t t, int64_t begin, int64_t end, float* out) {
    const Sequence& sequence = *pass.batch[static_cast<size_t>(t)].sequence;
    CacheView keys{sequence.IndexKeys(index), sequence.half(), x.head_dim};
    IndexScores(q + t * x.heads * x.head_dim, weights + t * x.heads, x.heads, keys, x.head_dim, begin, end, out);
  };
  if (n == 1) {
    pass.pool.For(span, kScoredTogether,
                  [&](int64_t begin, int64_t end, int) { score(0, begin, end, scores + begin); });
    return TopPositions(scores, span, x.top_k, order, chosen);
  }
  pass.pool.For(n, 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t t = begin; t < end; ++t) {
      if (SeesAll(pass, index, t)) continue;
      const int64_t length = Indexed(layer, pass.positions[static_cast<size_t>(t)]);
      float* row = scores + worker * span;
      score(t, 0, length, row);
      TopPositions(row, length, x.top_k, order + worker * span, chosen + t * x.top_k);
    }
  });
}

const int32_t* Decoder::Chosen(const Pass& pass, int64_t t) const {
  return reinterpret_cast<const int32_t*>(pass.workspace.Bytes(kChosen, 0)) + t * config().indexer.top_k;
}

// The keys of what was chosen, one after the other, so that attention is what it is without an indexer.
const std::byte* Decoder::ChosenKeys(const Pass& pass, int64_t index, int64_t t, std::byte* gathered) const {
  const Sequence& sequence = *pass.batch[static_cast<size_t>(t)].sequence;
  const int64_t top_k = config().indexer.top_k;
  const int64_t bytes = sequence.layer(index).key_width * (sequence.half() ? 2 : 4);
  const int32_t* chosen = Chosen(pass, t);
  for (int64_t i = 0; i < top_k; ++i)
    std::memcpy(gathered + i * bytes, sequence.Keys(index) + chosen[i] * bytes, static_cast<size_t>(bytes));
  return gathered;
}

}  // namespace assay
