#pragma once
// How far one next-token distribution lies from another.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "statistics/summary.h"

namespace assay {

struct TokenDivergence {
  double kl = 0;         // KL(baseline || candidate), nats, over the full vocabulary; never below 0
  bool same_top = true;  // the same most likely token; the lowest id wins a tie
};

/// From raw logits [vocabulary] of both; sizes equal and not zero. -inf means impossible. A NaN, or a token that the
/// baseline allows and the candidate forbids, gives kl = +inf.
TokenDivergence DivergenceOf(std::span<const float> baseline_logits, std::span<const float> candidate_logits);

/// log(softmax(logits))[token], natural, in double.
double LogProbability(std::span<const float> logits, int64_t token);

/// One token of a distribution of which only the most likely are known.
struct KnownToken {
  std::string_view text;
  double logprob = 0;  // natural
};
/// KL(baseline || candidate) in nats from below: of the distributions over the tokens that both lists name, and all
/// others as one. No coarser view of two distributions is further apart than they are (data processing inequality).
double DivergenceAtLeast(std::span<const KnownToken> baseline, std::span<const KnownToken> candidate);

struct DivergenceSummary {
  int64_t tokens = 0;
  double mean = 0, standard_error = 0, max = 0;      // of KL, nats
  double p50 = 0, p90 = 0, p99 = 0, p999 = 0;        // percentiles of KL
  double same_top = 1, same_top_standard_error = 0;  // share of positions
};

/// Collects positions; keeps 8 bytes each.
class DivergenceAccumulator {
 public:
  void Add(const TokenDivergence& divergence);
  int64_t tokens() const { return static_cast<int64_t>(values_.size()); }
  /// All zero (same_top 1) when nothing was added.
  DivergenceSummary Summary() const;

 private:
  std::vector<double> values_;
  int64_t same_top_ = 0;
};

}  // namespace assay
