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

/// Tokens a second, of a short look before long work: for estimates, not for records.
struct SpeedGlimpse {
  double read = 0;     // of a prompt
  double score = 0;    // of a text whose every token is predicted
  double written = 0;  // by `together` sequences at once
  int together = 1;
};

/// A few tokens of each, until it took some tenths of a second. `longest`: no more than so many of one sequence.
SpeedGlimpse GlimpseSpeed(const Model& model, ThreadPool& pool, int together, int64_t longest, Progress& progress);

}  // namespace assay
