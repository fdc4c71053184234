#pragma once
// Bytes that running a model takes: what to expect, and what it came to.

#include <cstdint>

#include "model/model.h"

namespace assay {

struct MemoryUse {
  uint64_t weights_mapped = 0;     // the file's own pages: shared, and given back when memory is short
  uint64_t weights_converted = 0;  // planes that another layout needed at load; their originals were let go
  uint64_t kv_cache = 0, scratch = 0;
  uint64_t weights() const { return weights_mapped + weights_converted; }
  uint64_t total() const { return weights() + kv_cache + scratch; }
};

/// What sequences of a model may remember on this machine unless told otherwise: a quarter of the memory that its
/// weights leave, and never less than a sixteenth of it all.
int64_t DefaultCacheBytes(const Model& model);

/// For one sequence of `context` tokens that is read `batch_tokens` (at most kStepTokens) at a time.
MemoryUse PlanMemory(const Model& model, int64_t context, int64_t batch_tokens, int threads);

/// The part of its weights that is in this process's memory now.
MemoryUse ResidentWeights(const Model& model);

}  // namespace assay
