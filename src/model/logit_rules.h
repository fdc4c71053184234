#pragma once
// What a model's file forbids its answers (GenerationConfig), as transformers' processors of the same names do.

#include <cstdint>
#include <span>
#include <vector>

#include "describe/generation_config.h"

namespace assay {

class LogitRules {  // const: may be shared by threads
 public:
  /// `stop_tokens`: what min_new_tokens holds back.
  LogitRules(const GenerationConfig& generation, std::vector<int32_t> stop_tokens);
  /// False: Apply changes nothing.
  bool any() const { return any_; }
  /// Gives what is forbidden next a score of minus infinity. scores [vocab].
  void Apply(std::span<float> scores, std::span<const int32_t> prompt, std::span<const int32_t> answer) const;

 private:
  void ForbidRepeats(std::span<float> scores, std::span<const int32_t> seen) const;

  std::vector<int32_t> suppressed_, suppressed_first_, stop_tokens_;
  std::vector<std::vector<int32_t>> banned_;
  size_t min_new_tokens_, no_repeat_ngram_;
  bool any_;
};

}  // namespace assay
