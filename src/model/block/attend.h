#pragma once
// Keys and values into the cache, and attention to them.

#include "model/operations.h"

namespace assay {

/// Takes x [n, width of the plane] into a plane that has a row for each position.
void Store(const Pass& pass, int64_t layer, int plane, ConstRows x);

/// The first position that `position` sees.
int64_t FirstSeen(const LayerConfig& layer, int64_t position);

/// Attention of one layer to planes of its cache that have a row for each position.
struct AttendOptions {
  int64_t layer;  // its index
  const LayerConfig& config;
  int keys, values;                   // planes
  int64_t heads, kv_heads, head_dim;  // heads / kv_heads query heads share one of kv_heads
  AttentionOptions scores{1.0f};      // sinks: [heads]
  int64_t top_k = 0;                  // a token that sees more sees those in SharedScratch::chosen; 0: all
};

struct AttendScratch {
  AttendScratch(Arena& arena, const BatchShape& shape, const AttendOptions& options);
  int64_t scores_size, gathered_size;  // of a thread
  float* scores;
  std::byte* gathered;
};

/// q, out [n, heads * head_dim].
void Attend(const Pass& pass, const AttendOptions& options, const AttendScratch& scratch, const float* q, float* out);

/// Rows of a plane, one after the other.
void GatherRows(const Sequence& sequence, int64_t layer, int plane, std::span<const int32_t> rows, std::byte* to);

/// On query · key: what the layer says, then the model, then 1 / sqrt(dim).
float ScoreScale(const ModelConfig& config, const LayerConfig& layer, int64_t dim);

}  // namespace assay
