#pragma once
// How fast an engine reads and writes.

#include "engine/engine.h"
#include "record/bench_record.h"

namespace assay {

struct SpeedOptions {
  int64_t prompt_tokens = 128, generated_tokens = 32;
  int repetitions = 3;
};

/// Rows "pp<prompt>" and "tg<generated>", as llama-bench names them: a prompt read from an empty cache, and tokens
/// generated one at a time from an empty cache, without sampling. One unmeasured warm-up each. The tokens are arbitrary
/// but fixed.
std::vector<BenchRow> MeasureSpeed(const Model& model, ThreadPool& pool, const SpeedOptions& options,
                                   Progress& progress);

/// Bytes that running needs: weights as they lie in the file, keys and values of one sequence of `context` tokens.
struct PlannedMemory {
  uint64_t weights_bytes = 0, kv_bytes = 0;
};
PlannedMemory PlanMemory(const Model& model, int64_t context);

}  // namespace assay
