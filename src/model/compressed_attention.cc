// Attention of DeepSeek V4: one head of keys, which are the values too, over a window; behind it compressed entries,
// each made of a run of positions. Where runs are short, an indexer chooses among the entries, and each takes in the
// run before its own as well. Source: transformers models/deepseek_v4.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "kernel/ops.h"
#include "model/decoder.h"

namespace assay {
namespace {

/// Positions whose keys an open entry keeps.
int64_t RingRows(const LayerConfig& layer) {
  return layer.overlapped ? 2 * layer.compress : layer.compress;
}

}  // namespace

void Decoder::ReadCompressor(const std::string& name, const WeightReader& reader, const LayerConfig& layer, int64_t dim,
                             Compressor& out) const {
  const int64_t width = layer.overlapped ? 2 * dim : dim;
  out.dim = dim;
  out.kv = reader.ReadLinear(name + "_kv", width, config().hidden);
  out.gate = reader.ReadLinear(name + "_gate", width, config().hidden);
  out.places = reader.ReadTable(name + "_ape.weight", layer.compress, width);
  out.norm = reader.ReadNorm(name + "_norm", dim);
}

void Decoder::LoadCompressed(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const {
  const ModelConfig& c = config();
  const CompressedConfig& x = c.compressed;
  const IndexerConfig& indexer = c.indexer;
  layer.compressed = std::make_unique<CompressedLayer>();
  CompressedLayer& out = *layer.compressed;
  out.q_a = reader.ReadLinear(block + "attn_q_a", x.q_rank, c.hidden);
  out.q_norm = reader.ReadNorm(block + "attn_q_a_norm", x.q_rank);
  out.q_b = reader.ReadLinear(block + "attn_q_b", c.n_heads * c.head_dim, x.q_rank);
  out.kv = reader.ReadLinear(block + "attn_kv", c.head_dim, c.hidden);
  out.kv_norm = reader.ReadNorm(block + "attn_kv_a_norm", c.head_dim);
  layer.sinks = reader.ReadVector(block + "attn_sinks.weight", c.n_heads);
  for (int64_t g = 0; g < x.groups; ++g)
    out.output_a.push_back(reader.ReadLinear(fmt::format("{}attn_output_a.{}", block, g), x.group_rank,
                                             c.n_heads * c.head_dim / x.groups));
  out.output_b = reader.ReadLinear(block + "attn_output_b", c.hidden, x.groups * x.group_rank);
  if (layer.config.compress > 0)
    ReadCompressor(block + "attn_compressor", reader, layer.config, c.head_dim, out.entries);
  if (!layer.config.overlapped) return;
  ReadCompressor(block + "indexer_compressor", reader, layer.config, indexer.head_dim, out.index);
  out.index_q = reader.ReadLinear(block + "indexer.attn_q_b", indexer.heads * indexer.head_dim, x.q_rank);
  out.index_weights = reader.ReadLinear(block + "indexer.proj", indexer.heads, c.hidden);
}

// Takes a position into the ring [RingRows, 2, width] (keys, then their weights); when it is the last of its run, the
// entry [dim] is made, and turned as its run's first position.
void Decoder::Compress(const LayerConfig& layer, const Compressor& compressor, const float* kv, const float* gate,
                       int64_t position, float* ring, float* entry) const {
  const int64_t dim = compressor.dim, width = layer.overlapped ? 2 * dim : dim, rows = RingRows(layer);
  const int64_t place = position % layer.compress;
  float* row = ring + position % rows * 2 * width;
  std::memcpy(row, kv, static_cast<size_t>(width) * 4);
  for (int64_t d = 0; d < width; ++d)
    row[width + d] = gate[d] + compressor.places[static_cast<size_t>(place * width + d)];
  if (place + 1 < layer.compress) return;
  const int64_t first = position + 1 - layer.compress;  // of this run
  const int64_t from = layer.overlapped ? std::max<int64_t>(0, first - layer.compress) : first;
  auto key = [&](int64_t p, int64_t d) {
    const bool here = p >= first && layer.overlapped;  // the second half of a row is for the row's own entry
    return ring + p % rows * 2 * width + (here ? dim : 0) + d;
  };
  for (int64_t d = 0; d < dim; ++d) {
    float largest = key(from, d)[width], sum = 0, weighed = 0;
    for (int64_t p = from + 1; p <= position; ++p) largest = std::max(largest, key(p, d)[width]);
    for (int64_t p = from; p <= position; ++p) {
      const float weight = std::exp(key(p, d)[width] - largest);
      sum += weight;
      weighed += weight * *key(p, d);
    }
    entry[d] = weighed / sum;
  }
  RmsNorm(entry, compressor.norm.weight.data(), dim, static_cast<float>(config().rms_epsilon), entry);
  const int64_t rope_dim = config().compressed.rope_dim;
  Vector angles(static_cast<size_t>(rope_dim));
  ropes_[0].Angles(first, angles.data(), angles.data() + rope_dim / 2);
  Rope(entry + dim - rope_dim, 1, dim, rope_dim, angles.data(), angles.data() + rope_dim / 2,
       config().rope_interleaved);
}

// One token after the other: an entry is of its sequence alone.
void Decoder::MakeEntries(const Pass& pass, int64_t index) const {
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  const float* normed = pass.workspace.Floats(kNormed, 0);
  int64_t offset = 0;  // in the state
  for (const Compressor* compressor : {&layer.compressed->entries, &layer.compressed->index}) {
    if (compressor->dim == 0) continue;
    const int64_t dim = compressor->dim, width = compressor->kv.weight.rows;
    float* kv = pass.workspace.Floats(kExpertGate, pass.n * width);
    float* gate = pass.workspace.Floats(kExpertUp, pass.n * width);
    float* entry = pass.workspace.Floats(kExpertIn, dim);
    RunLinears({&compressor->kv, &compressor->gate}, normed, pass.n, {kv, gate}, pass.workspace, kPrepared, pass.pool);
    for (int64_t t = 0; t < pass.n; ++t) {
      const Sequence& sequence = *pass.batch[static_cast<size_t>(t)].sequence;
      const int64_t position = pass.positions[static_cast<size_t>(t)];
      Compress(layer.config, *compressor, kv + t * width, gate + t * width, position, sequence.State(index) + offset,
               entry);
      if ((position + 1) % layer.config.compress != 0) continue;
      std::byte* plane = offset == 0 ? sequence.Entries(index) : sequence.IndexKeys(index);
      sequence.Write(plane, position / layer.config.compress, entry, dim);
    }
    offset += RingRows(layer.config) * 2 * width;
  }
}

void Decoder::ChooseEntries(const Pass& pass, int64_t index, const float* low, const float* angles) const {
  const CompressedLayer& layer = *layers_[static_cast<size_t>(index)].compressed;
  const IndexerConfig& x = config().indexer;
  const int64_t n = pass.n, rope_dim = config().compressed.rope_dim, half = rope_dim / 2;
  float* q = pass.workspace.Floats(kIndexQuery, n * x.heads * x.head_dim);
  float* weights = pass.workspace.Floats(kIndexWeights, n * x.heads);
  RunLinears({&layer.index_weights}, pass.workspace.Floats(kNormed, 0), n, {weights}, pass.workspace, kPrepared,
             pass.pool);
  RunLinears({&layer.index_q}, low, n, {q}, pass.workspace, kPrepared, pass.pool);
  const float scale = 1.0f / std::sqrt(static_cast<float>(x.heads * x.head_dim));
  for (int64_t i = 0; i < n * x.heads; ++i) weights[i] *= scale;
  pass.pool.For(n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t)
      Rope(q + t * x.heads * x.head_dim + x.head_dim - rope_dim, x.heads, x.head_dim, rope_dim, angles + t * 2 * half,
           angles + (t * 2 + 1) * half, config().rope_interleaved);
  });
  RankPositions(pass, index, q, weights);
}

// Window and entries of a token are gathered one after the other; all its heads read them.
void Decoder::AttendEntries(const Pass& pass, int64_t index, const float* q, float* out) const {
  const ModelConfig& c = config();
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  const int64_t width = c.n_heads * c.head_dim;
  int64_t most = 0;
  auto entries_of = [&](int64_t t) -> int64_t {
    if (layer.config.compress == 0) return 0;
    if (!SeesAll(pass, index, t)) return c.indexer.top_k;
    return Indexed(layer.config, pass.positions[static_cast<size_t>(t)]);
  };
  auto first_of = [&](int64_t t) { return FirstSeen(layer.config, pass.positions[static_cast<size_t>(t)]); };
  for (int64_t t = 0; t < pass.n; ++t)
    most = std::max(most, pass.positions[static_cast<size_t>(t)] + 1 - first_of(t) + entries_of(t));
  std::byte* gathered = pass.workspace.Bytes(kGathered, pass.pool.threads() * most * c.head_dim * 4);
  float* scores = pass.workspace.Floats(kScores, pass.pool.threads() * most * c.n_heads);
  AttentionOptions options(1.0f / std::sqrt(static_cast<float>(c.head_dim)));
  options.sinks = layer.sinks.data();
  pass.pool.For(pass.n, 1, [&](int64_t begin, int64_t end, int worker) {
    std::byte* rows = gathered + worker * most * c.head_dim * 4;
    for (int64_t t = begin; t < end; ++t) {
      const Sequence& sequence = *pass.batch[static_cast<size_t>(t)].sequence;
      const int64_t bytes = c.head_dim * (sequence.half() ? 2 : 4);
      const int64_t first = first_of(t), window = pass.positions[static_cast<size_t>(t)] + 1 - first;
      const int64_t entries = entries_of(t);
      std::memcpy(rows, sequence.Keys(index) + (first - sequence.base(index)) * bytes,
                  static_cast<size_t>(window * bytes));
      const int32_t* chosen = SeesAll(pass, index, t) ? nullptr : Chosen(pass, t);
      for (int64_t i = 0; i < entries; ++i)
        std::memcpy(rows + (window + i) * bytes, sequence.Entries(index) + (chosen ? chosen[i] : i) * bytes,
                    static_cast<size_t>(bytes));
      CacheView view{rows, sequence.half(), c.head_dim};
      AttendHeads(q + t * width, c.n_heads, view, view, 0, c.head_dim, 0, window + entries - 1, options,
                  scores + worker * most * c.n_heads, out + t * width);
    }
  });
}

float* Decoder::CompressedAttention(const Pass& pass, int64_t index) const {
  const ModelConfig& c = config();
  const CompressedConfig& x = c.compressed;
  const DecoderLayer& layer = layers_[static_cast<size_t>(index)];
  const CompressedLayer& parts = *layer.compressed;
  Workspace& workspace = pass.workspace;
  const int64_t n = pass.n, width = c.n_heads * c.head_dim, half = x.rope_dim / 2, nope = c.head_dim - x.rope_dim;
  const float* normed = workspace.Floats(kNormed, 0);
  float* low = workspace.Floats(kValue, n * x.q_rank);
  float* kv = workspace.Floats(kKey, n * c.head_dim);
  float* q = workspace.Floats(kQuery, n * width);
  RunLinears({&parts.q_a, &parts.kv}, normed, n, {low, kv}, workspace, kPrepared, pass.pool);
  Normalize(low, parts.q_norm, n, low, pass.pool);
  Normalize(kv, parts.kv_norm, n, kv, pass.pool);
  RunLinears({&parts.q_b}, low, n, {q}, workspace, kPrepared, pass.pool);
  const float* angles = workspace.Floats(layer.config.local_rope ? kLocalAngles : kAngles, 0);
  const Vector ones(static_cast<size_t>(c.head_dim), 1.0f);
  const auto epsilon = static_cast<float>(c.rms_epsilon);
  pass.pool.For(n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float *cosine = angles + t * 2 * half, *sine = cosine + half;
      for (int64_t h = 0; h < c.n_heads; ++h) {
        float* head = q + t * width + h * c.head_dim;
        RmsNorm(head, ones.data(), c.head_dim, epsilon, head);
      }
      Rope(q + t * width + nope, c.n_heads, c.head_dim, x.rope_dim, cosine, sine, c.rope_interleaved);
      Rope(kv + t * c.head_dim + nope, 1, c.head_dim, x.rope_dim, cosine, sine, c.rope_interleaved);
      Store(pass, index, t, kv + t * c.head_dim, nullptr);
    }
  });
  if (layer.config.compress > 0) MakeEntries(pass, index);
  if (layer.config.overlapped) ChooseEntries(pass, index, low, angles);
  float* attended = workspace.Floats(kAttended, n * width);
  AttendEntries(pass, index, q, attended);

  // Values were turned as keys: turned back, a value counts by its distance. Then the groups of heads, each by itself.
  const int64_t group = width / x.groups;
  float* in = workspace.Floats(kExpertGate, n * group);
  float* out = workspace.Floats(kExpertUp, n * x.group_rank);
  float* all = workspace.Floats(kExpertOut, n * x.groups * x.group_rank);
  Vector back(static_cast<size_t>(half));
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t i = 0; i < half; ++i) back[static_cast<size_t>(i)] = -angles[(t * 2 + 1) * half + i];
    Rope(attended + t * width + nope, c.n_heads, c.head_dim, x.rope_dim, angles + t * 2 * half, back.data(),
         c.rope_interleaved);
  }
  for (int64_t g = 0; g < x.groups; ++g) {
    for (int64_t t = 0; t < n; ++t)
      std::memcpy(in + t * group, attended + t * width + g * group, static_cast<size_t>(group) * 4);
    RunLinears({&parts.output_a[static_cast<size_t>(g)]}, in, n, {out}, workspace, kPrepared, pass.pool);
    for (int64_t t = 0; t < n; ++t)
      std::memcpy(all + (t * x.groups + g) * x.group_rank, out + t * x.group_rank,
                  static_cast<size_t>(x.group_rank) * 4);
  }
  float* projected = workspace.Floats(kProjected, n * c.hidden);
  RunLinears({&parts.output_b}, all, n, {projected}, workspace, kPrepared, pass.pool);
  return projected;
}

}  // namespace assay
