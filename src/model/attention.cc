// Attention of the decoder: grouped heads, and one latent vector for all heads (DeepSeek).

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "kernel/ops.h"
#include "model/decoder.h"

namespace assay {

int64_t Decoder::FirstSeen(const LayerConfig& layer, int64_t position) {
  if (layer.window <= 0) return 0;
  if (layer.chunked) return position / layer.window * layer.window;
  return std::max<int64_t>(0, position - layer.window + 1);
}

void Decoder::NormalizeHeads(const Vector& weight, int64_t heads, float* x) const {
  const int64_t dim = config().head_dim;
  const auto epsilon = static_cast<float>(config().rms_epsilon);
  for (int64_t h = 0; h < heads; ++h) {
    float* head = x + h * dim;
    if (config().qk_norm == QkNorm::kEachHead)
      LayerNorm(head, weight.data() + h * dim, nullptr, dim, epsilon, head);
    else
      RmsNorm(head, weight.data(), dim, epsilon, head);
  }
}

void Decoder::RotateHeads(const Pass& pass, const DecoderLayer& layer, int64_t t, int64_t heads, float* x) const {
  const ModelConfig& c = config();
  if (!layer.config.rope || c.learned_positions) return;
  const int64_t half = ropes_[0].half();
  const float* cosine = pass.workspace.Floats(layer.config.local_rope ? kLocalAngles : kAngles, 0) + t * 2 * half;
  Rope(x, heads, c.head_dim, c.rotary_dim, cosine, cosine + half, c.rope_interleaved);
}

void Decoder::Store(const Pass& pass, int64_t index, int64_t t, const float* k, const float* v) const {
  const Sequence& sequence = *pass.batch[static_cast<size_t>(t)].sequence;
  const LayerCache& cache = sequence.layer(index);
  const int64_t row = pass.positions[static_cast<size_t>(t)] - sequence.base(index);
  sequence.Write(sequence.Keys(index), row, k, cache.key_width);
  if (cache.value_width > 0) sequence.Write(sequence.Values(index), row, v, cache.value_width);
}

// Norms, rotation and temperature of queries and keys; keys and values into the cache.
void Decoder::PrepareHeads(const Pass& pass, int64_t index, float* q, float* k, const float* v) const {
  const ModelConfig& c = config();
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  const int64_t q_width = c.n_heads * c.head_dim, kv_width = c.n_kv_heads * c.head_dim;
  const bool before = c.qk_norm == QkNorm::kHead || c.qk_norm == QkNorm::kEachHead;
  const bool after = c.qk_norm == QkNorm::kUnweighted && layer.config.rope;
  const Vector ones(after ? static_cast<size_t>(c.head_dim) : 0, 1.0f);
  pass.pool.For(pass.n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float *query = q + t * q_width, *key = k + t * kv_width;
      if (before) {
        NormalizeHeads(layer.q_norm, c.n_heads, query);
        NormalizeHeads(layer.k_norm, c.n_kv_heads, key);
      }
      RotateHeads(pass, layer, t, c.n_heads, query);
      RotateHeads(pass, layer, t, c.n_kv_heads, key);
      if (after) {
        NormalizeHeads(ones, c.n_heads, query);
        NormalizeHeads(ones, c.n_kv_heads, key);
      }
      if (c.temperature_scale > 0 && layer.config.rope == c.temperature_rotated) {
        const int64_t position = pass.positions[static_cast<size_t>(t)] + (c.temperature_rotated ? 0 : 1);
        double steps = std::floor(static_cast<double>(position) / c.temperature_floor);
        auto factor = static_cast<float>(std::log1p(steps) * c.temperature_scale + 1.0);
        for (int64_t i = 0; i < q_width; ++i) query[i] *= factor;
      }
      Store(pass, index, t, key, v + t * kv_width);
    }
  });
}

void Decoder::Attend(const Pass& pass, int64_t index, const float* q, int64_t kv_heads, int64_t head_dim,
                     bool values_are_keys, float scale, float* out) const {
  const ModelConfig& c = config();
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  const int64_t group = c.n_heads / kv_heads, q_width = c.n_heads * head_dim;
  int64_t span = 0;
  for (int64_t position : pass.positions) span = std::max(span, position - FirstSeen(layer.config, position) + 1);
  const int64_t scratch = group * span;
  float* scores = pass.workspace.Floats(kScores, scratch * pass.pool.threads());
  const bool sparse = c.indexer.heads > 0 && span > c.indexer.top_k;
  const int64_t gathered_bytes = sparse ? c.indexer.top_k * head_dim * 4 : 0;
  std::byte* gathered = pass.workspace.Bytes(kGathered, gathered_bytes * pass.pool.threads());
  pass.pool.For(pass.n * kv_heads, pass.n == 1 ? 1 : kv_heads, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t t = i / kv_heads, head = i % kv_heads;
      const Sequence& sequence = *pass.batch[static_cast<size_t>(t)].sequence;
      const int64_t base = sequence.base(index), position = pass.positions[static_cast<size_t>(t)];
      int64_t first = FirstSeen(layer.config, position) - base, last = position - base;
      const LayerCache& cache = sequence.layer(index);
      CacheView keys{sequence.Keys(index), sequence.half(), cache.key_width};
      CacheView values{sequence.Values(index), sequence.half(), cache.value_width};
      if (!SeesAll(pass, index, t)) {
        keys.data = ChosenKeys(pass, index, t, gathered + worker * gathered_bytes);
        first = 0;
        last = c.indexer.top_k - 1;
      }
      AttentionOptions options(scale);
      options.softcap = static_cast<float>(c.attention_softcap);
      if (!layer.sinks.empty()) options.sinks = layer.sinks.data() + head * group;
      const int64_t offset = t * q_width + head * group * head_dim;
      AttendHeads(q + offset, group, keys, values_are_keys ? keys : values, head * head_dim, head_dim, first, last,
                  options, scores + worker * scratch, out + offset);
    }
  });
}

float* Decoder::Attention(const Pass& pass, int64_t index) const {
  const ModelConfig& c = config();
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  Workspace& workspace = pass.workspace;
  const int64_t n = pass.n, q_width = c.n_heads * c.head_dim, kv_width = c.n_kv_heads * c.head_dim;
  float* q = workspace.Floats(kQuery, n * q_width);
  float* k = workspace.Floats(kKey, n * kv_width);
  float* v = workspace.Floats(kValue, n * kv_width);
  float* attended = workspace.Floats(kAttended, n * q_width);
  // With an output gate each head's query is followed by its gate.
  float* both = c.output_gate ? workspace.Floats(kLatentQuery, n * 2 * q_width) : q;
  RunLinears({&layer.q, &layer.k, &layer.v}, workspace.Floats(kNormed, 0), n, {both, k, v}, workspace, kPrepared,
             pass.pool);
  if (c.output_gate)
    for (int64_t h = 0; h < n * c.n_heads; ++h)
      std::memcpy(q + h * c.head_dim, both + 2 * h * c.head_dim, static_cast<size_t>(c.head_dim) * 4);
  PrepareHeads(pass, index, q, k, v);
  const double stated = layer.config.attention_scale > 0 ? layer.config.attention_scale : c.attention_scale;
  const float scale = stated > 0 ? static_cast<float>(stated) : 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  Attend(pass, index, q, c.n_kv_heads, c.head_dim, false, scale, attended);
  if (c.output_gate)
    for (int64_t h = 0; h < n * c.n_heads; ++h)
      for (int64_t i = 0; i < c.head_dim; ++i)
        attended[h * c.head_dim + i] /= 1.0f + std::exp(-both[(2 * h + 1) * c.head_dim + i]);
  if (!layer.attention_sub_norm.weight.empty()) Normalize(attended, layer.attention_sub_norm, n, attended, pass.pool);
  float* projected = workspace.Floats(kProjected, n * c.hidden);
  RunLinears({&layer.o}, attended, n, {projected}, workspace, kPrepared, pass.pool);
  return projected;
}

void Decoder::LoadLatent(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const {
  const ModelConfig& c = config();
  const LatentConfig& l = c.latent;
  layer.latent = std::make_unique<LatentLayer>();
  LatentLayer& latent = *layer.latent;
  const int64_t q_width = c.n_heads * (l.nope_dim + l.rope_dim);
  if (l.q_rank > 0) {
    latent.q_a = reader.ReadLinear(block + "attn_q_a", l.q_rank, c.hidden);
    latent.q_norm = reader.ReadNorm(block + "attn_q_a_norm", l.q_rank);
    latent.q_b = reader.ReadLinear(block + "attn_q_b", q_width, l.q_rank);
  } else {
    latent.q_b = reader.ReadLinear(block + "attn_q", q_width, c.hidden);
  }
  latent.kv_a = reader.ReadLinear(block + "attn_kv_a_mqa", l.kv_rank + l.rope_dim, c.hidden);
  latent.kv_norm = reader.ReadNorm(block + "attn_kv_a_norm", l.kv_rank);
  layer.o = reader.ReadLinear(block + "attn_output", c.hidden, c.n_heads * l.value_dim);
  auto heads = [&](const std::string& name, int64_t rows, int64_t cols) {
    std::vector<Linear> out;
    for (int64_t h = 0; h < c.n_heads; ++h) out.push_back(reader.ReadLinear(fmt::format("{}.{}", name, h), rows, cols));
    return out;
  };
  latent.k_b = heads(block + "attn_k_b", l.kv_rank, l.nope_dim);
  latent.v_b = heads(block + "attn_v_b", l.value_dim, l.kv_rank);
}

// DeepSeek-V2 (arXiv 2405.04434, section 2.1) with the projections of keys and values absorbed: the cache holds the
// normed latent vector and the rotated part of the key; a query is taken to the latent space, what it attends to is
// taken back by the value projection.
float* Decoder::LatentAttention(const Pass& pass, int64_t index) const {
  const ModelConfig& c = config();
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  const LatentLayer& latent = *layer.latent;
  const LatentConfig& l = c.latent;
  Workspace& workspace = pass.workspace;
  const int64_t n = pass.n, q_head = l.nope_dim + l.rope_dim, width = l.kv_rank + l.rope_dim;
  const float* normed = workspace.Floats(kNormed, 0);
  float* q = workspace.Floats(kQuery, n * c.n_heads * q_head);
  float* kv = workspace.Floats(kKey, n * width);
  if (l.q_rank > 0) {
    float* low = workspace.Floats(kValue, n * l.q_rank);
    RunLinears({&latent.q_a, &latent.kv_a}, normed, n, {low, kv}, workspace, kPrepared, pass.pool);
    Normalize(low, latent.q_norm, n, low, pass.pool);
    RunLinears({&latent.q_b}, low, n, {q}, workspace, kPrepared, pass.pool);
    if (layer.indexer) ChoosePositions(pass, index, low);
  } else {
    RunLinears({&latent.q_b, &latent.kv_a}, normed, n, {q, kv}, workspace, kPrepared, pass.pool);
  }
  const int64_t half = ropes_[0].half();
  const float* angles = workspace.Floats(kAngles, 0);
  const auto epsilon = static_cast<float>(c.rms_epsilon);
  float* nope = workspace.Floats(kLatentKey, n * l.nope_dim);  // of one head
  float* query = workspace.Floats(kLatentQuery, n * c.n_heads * width);
  pass.pool.For(n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float *cosine = angles + t * 2 * half, *sine = cosine + half;
      float* row = kv + t * width;
      RmsNorm(row, latent.kv_norm.weight.data(), l.kv_rank, epsilon, row);
      Rope(row + l.kv_rank, 1, l.rope_dim, l.rope_dim, cosine, sine, c.rope_interleaved);
      Store(pass, index, t, row, nullptr);
      for (int64_t h = 0; h < c.n_heads; ++h) {
        float* from = q + (t * c.n_heads + h) * q_head + l.nope_dim;
        Rope(from, 1, l.rope_dim, l.rope_dim, cosine, sine, c.rope_interleaved);
        std::memcpy(query + (t * c.n_heads + h) * width + l.kv_rank, from, static_cast<size_t>(l.rope_dim) * 4);
      }
    }
  });
  float* low = workspace.Floats(kExpertIn, n * std::max(l.kv_rank, l.value_dim));
  for (int64_t h = 0; h < c.n_heads; ++h) {
    for (int64_t t = 0; t < n; ++t)
      std::memcpy(nope + t * l.nope_dim, q + (t * c.n_heads + h) * q_head, static_cast<size_t>(l.nope_dim) * 4);
    RunLinears({&latent.k_b[static_cast<size_t>(h)]}, nope, n, {low}, workspace, kPrepared, pass.pool);
    for (int64_t t = 0; t < n; ++t)
      std::memcpy(query + (t * c.n_heads + h) * width, low + t * l.kv_rank, static_cast<size_t>(l.kv_rank) * 4);
  }
  float* seen = workspace.Floats(kExpertOut, n * c.n_heads * width);
  float scale =
      c.attention_scale > 0 ? static_cast<float>(c.attention_scale) : 1.0f / std::sqrt(static_cast<float>(q_head));
  Attend(pass, index, query, 1, width, true, scale, seen);
  float* attended = workspace.Floats(kAttended, n * c.n_heads * l.value_dim);
  float* in = workspace.Floats(kExpertGate, n * l.kv_rank);
  for (int64_t h = 0; h < c.n_heads; ++h) {
    for (int64_t t = 0; t < n; ++t)
      std::memcpy(in + t * l.kv_rank, seen + (t * c.n_heads + h) * width, static_cast<size_t>(l.kv_rank) * 4);
    RunLinears({&latent.v_b[static_cast<size_t>(h)]}, in, n, {low}, workspace, kPrepared, pass.pool);
    for (int64_t t = 0; t < n; ++t)
      std::memcpy(attended + (t * c.n_heads + h) * l.value_dim, low + t * l.value_dim,
                  static_cast<size_t>(l.value_dim) * 4);
  }
  float* projected = workspace.Floats(kProjected, n * c.hidden);
  RunLinears({&layer.o}, attended, n, {projected}, workspace, kPrepared, pass.pool);
  return projected;
}

}  // namespace assay
