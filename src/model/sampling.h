#pragma once
// Choosing the next token from logits.

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "model/logit_rules.h"

namespace assay {

struct SamplerOptions {
  double temperature = 0.0;  // 0: greedy
  int64_t top_k = 0;         // 0: off
  double top_p = 1.0, min_p = 0.0, repetition_penalty = 1.0;
  int64_t repetition_window = 0;  // last tokens that the penalty looks at; 0: all
  uint64_t seed = 0;
};

/// One request's sampler: its own generator, so that an answer does not depend on what else is generated.
/// Order (that of transformers): repetition penalty (Keskar et al. 2019: positive logits divided, negative multiplied,
/// over prompt and answer, or their last tokens), what the model's file forbids, temperature, top-k, top-p, min-p,
/// draw. Ties go to the lower id.
class Sampler {
 public:
  /// `rules` is borrowed, null for none.
  explicit Sampler(const SamplerOptions& options, const LogitRules* rules = nullptr)
      : options_(options), rules_(rules && rules->any() ? rules : nullptr), random_(options.seed) {}
  /// `prompt` and `answer`: the ids so far. logits [vocab] are not changed.
  int32_t Choose(const float* logits, int64_t vocab, std::span<const int32_t> prompt, std::span<const int32_t> answer);

 private:
  void Penalize(std::span<const int32_t> prompt, std::span<const int32_t> answer);

  SamplerOptions options_;
  const LogitRules* rules_;
  Random random_;
  std::vector<float> changed_;  // scores, where they are not the logits
  std::vector<std::pair<float, int32_t>> candidates_;
};

}  // namespace assay
