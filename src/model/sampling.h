#pragma once
// Choosing the next token from logits.

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"

namespace assay {

struct SamplerOptions {
  double temperature = 0.0;  // 0: greedy
  int64_t top_k = 0;         // 0: off
  double top_p = 1.0, min_p = 0.0, repetition_penalty = 1.0;
  uint64_t seed = 0;
};

/// One request's sampler: its own generator, so that an answer does not depend on what else is generated.
/// Order (that of transformers): repetition penalty (Keskar et al. 2019: positive logits divided, negative multiplied,
/// over prompt and answer), temperature, top-k, top-p, min-p, draw. Ties go to the lower id.
class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}
  /// `seen`: ids of prompt and answer so far. logits [vocab] are not changed.
  int32_t Choose(const float* logits, int64_t vocab, std::span<const int32_t> prompt, std::span<const int32_t> answer);

 private:
  SamplerOptions options_;
  Random random_;
  std::vector<float> penalized_;
  std::vector<std::pair<float, int32_t>> candidates_;
};

}  // namespace assay
