#pragma once
// How a model's file wants its answers chosen: generation_config.json of a folder, general.sampling.* of a GGUF. Every
// key that transformers' GenerationConfig or llama.cpp reads is in one of the tables of generation_files.cc: it is
// applied, it cannot change an answer here, or it is told as not applied.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace assay {

struct GenerationConfig {
  double temperature = 0.0;  // 0: greedy
  double top_p = 1.0, min_p = 0.0;
  int64_t top_k = 0;                                  // 0: off
  double repetition_penalty = 1.0;                    // applied to greedy answers, too
  int64_t penalty_window = 0;                         // last tokens that it looks at; 0: all
  int64_t max_new_tokens = 0, min_new_tokens = 0;     // 0: none stated
  int64_t no_repeat_ngram = 0;                        // no run of so many tokens occurs twice; 0: off
  std::vector<int32_t> suppressed, suppressed_first;  // tokens never chosen, never chosen first
  std::vector<std::vector<int32_t>> banned;           // sequences that never appear
  std::vector<std::string> stop;                      // texts that end an answer
  std::vector<std::string> unapplied;                 // what else the file states, for people
};
ASSAY_FIELDS(GenerationConfig, temperature, top_p, min_p, top_k, repetition_penalty, penalty_window, max_new_tokens,
             min_new_tokens, no_repeat_ngram, suppressed, suppressed_first, banned, stop, unapplied)

/// What becomes of a key of generation_config.json; for tests.
enum class GenerationKey { kUnknown, kApplied, kHarmless, kTold };
GenerationKey GenerationKeyKind(std::string_view name);

}  // namespace assay
