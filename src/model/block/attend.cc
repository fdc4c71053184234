#include "model/block/attend.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace assay {

void Store(const Pass& pass, int64_t layer, int plane, ConstRows x) {
  pass.pool.For(pass.n(), 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      Sequence& sequence = pass.sequence(t);
      sequence.Write(layer, plane, pass.position(t) - sequence.base(layer), x[t]);
    }
  });
}

int64_t FirstSeen(const LayerConfig& layer, int64_t position) {
  if (layer.window <= 0) return 0;
  if (layer.chunked) return position / layer.window * layer.window;
  return std::max<int64_t>(0, position - layer.window + 1);
}

float ScoreScale(const ModelConfig& config, const LayerConfig& layer, int64_t dim) {
  const double stated = layer.attention_scale > 0 ? layer.attention_scale : config.attention_scale;
  return stated > 0 ? static_cast<float>(stated) : 1.0f / std::sqrt(static_cast<float>(dim));
}

void GatherRows(const Sequence& sequence, int64_t layer, int plane, std::span<const int32_t> rows, std::byte* to) {
  const int64_t bytes = sequence.RowBytes(layer, plane);
  for (int32_t row : rows) {
    std::memcpy(to, sequence.Row(layer, plane, row), static_cast<size_t>(bytes));
    to += bytes;
  }
}

AttendScratch::AttendScratch(Arena& arena, const BatchShape& shape, const AttendOptions& options) {
  const int64_t window = options.config.window;
  const int64_t span = window > 0 ? std::min(window, shape.context) : shape.context;
  const bool sparse = options.top_k > 0 && span > options.top_k;
  scores_size = options.heads / options.kv_heads * span;
  gathered_size = sparse ? options.top_k * LargestRowBytes(options.head_dim) : 0;
  scores = arena.Floats(scores_size * shape.threads);
  gathered = arena.Take<std::byte>(gathered_size * shape.threads);
}

void Attend(const Pass& pass, const AttendOptions& options, const AttendScratch& scratch, const float* q, float* out) {
  const int64_t kv_heads = options.kv_heads, head_dim = options.head_dim, layer = options.layer;
  const int64_t group = options.heads / kv_heads, width = options.heads * head_dim;
  pass.pool.For(pass.n() * kv_heads, pass.n() == 1 ? 1 : kv_heads, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t t = i / kv_heads, head = i % kv_heads, position = pass.position(t);
      const Sequence& sequence = pass.sequence(t);
      int64_t first = FirstSeen(options.config, position) - sequence.base(layer),
              last = position - sequence.base(layer);
      CacheView keys = sequence.View(layer, options.keys), values = sequence.View(layer, options.values);
      // The rows of what was chosen, one after the other, so that attention is what it is without a choice.
      if (options.top_k > 0 && position + 1 > options.top_k) {
        const int32_t* chosen = pass.shared.chosen + t * options.top_k;
        std::byte* rows = scratch.gathered + worker * scratch.gathered_size;
        GatherRows(sequence, layer, options.keys, {chosen, static_cast<size_t>(options.top_k)}, rows);
        keys = values = sequence.format().view(rows, head_dim);
        first = 0;
        last = options.top_k - 1;
      }
      AttentionOptions scores = options.scores;
      if (scores.sinks) scores.sinks += head * group;
      const int64_t offset = t * width + head * group * head_dim;
      AttendHeads(q + offset, group, keys, values, head * head_dim, head_dim, first, last, scores,
                  scratch.scores + worker * scratch.scores_size, out + offset);
    }
  });
}

}  // namespace assay
