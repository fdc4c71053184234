#pragma once
// How fast an engine reads and writes, and in how much memory.

#include "engine/engine.h"
#include "engine/memory.h"
#include "record/bench_record.h"

namespace assay {

struct SpeedOptions {
  int64_t prompt_tokens = 128, generated_tokens = 32;
  int repetitions = 3;
};

/// Rows "pp<prompt>" and "tg<generated>", as llama-bench names them: a prompt read from an empty cache, and tokens
/// generated one at a time from an empty cache, without sampling. One unmeasured warm-up each. The tokens are arbitrary
/// but fixed.
/// `used` (may be null) tells the memory that this took.
std::vector<BenchRow> MeasureSpeed(const Model& model, ThreadPool& pool, const SpeedOptions& options,
                                   Progress& progress, MemoryUse* used = nullptr);

}  // namespace assay
