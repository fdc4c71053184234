#pragma once
// How far one model's predictions lie from another's on the same tokens.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "record/run_record.h"
#include "statistics/divergence.h"
#include "task/backend.h"

namespace assay {

struct PerplexityOptions {
  int64_t context = 512;  // tokens per chunk
  int64_t chunks = 0;     // at most; 0: all
};

/// The protocol of llama.cpp's perplexity tool, so that figures are comparable: the text is tokenized as plain text,
/// cut into chunks of `context` tokens that do not overlap, a chunk's first token is replaced by BOS where the model
/// adds one, and the second half of each chunk is scored.
struct PerplexityResult {
  double perplexity = 0, mean_nll = 0;
  double standard_error = 0;  // of mean_nll, over chunks (tokens of a text are not independent)
  int64_t chunks = 0, scored_tokens = 0, text_tokens = 0;
  std::vector<double> chunk_nll;  // mean of each chunk
  bool against = false;           // the members below are set
  double base_perplexity = 0;
  int64_t not_numbers = 0, base_not_numbers = 0;  // scored tokens whose prediction is NaN or infinite
  DivergenceSummary divergence;                   // from the base, over the scored positions
};

/// Logits of a baseline kept between comparisons, up to a budget, so that it runs once and not once per candidate.
class LogitCache {
 public:
  explicit LogitCache(uint64_t budget_bytes) : budget_(budget_bytes) {}
  const std::vector<float>* Find(const std::string& key) const;
  void Put(const std::string& key, std::vector<float> logits);

 private:
  uint64_t budget_, used_ = 0;
  std::map<std::string, std::vector<float>> rows_;
};

/// The text's tokens. Throws Error{kInvalid} when they are fewer than two chunks', or the chunks longer than the
/// model's context.
std::vector<int32_t> PerplexityTokens(const Scorer& scorer, std::string_view text, const PerplexityOptions& options);

/// `base` null: perplexity alone. Throws as PerplexityTokens does, and when the vocabularies differ.
PerplexityResult MeasurePerplexity(Scorer& scorer, Scorer* base, LogitCache* base_logits, std::string_view text,
                                   const PerplexityOptions& options, Progress& progress);

/// Follows the baseline's answer (prompt and answer ids, teacher forced) with both models.
Displacement MeasureDisplacement(Scorer& candidate, Scorer& base, LogitCache* base_logits, const std::string& id,
                                 std::span<const int32_t> prompt, std::span<const int32_t> baseline_answer,
                                 std::span<const int32_t> candidate_answer, Progress& progress);

}  // namespace assay
