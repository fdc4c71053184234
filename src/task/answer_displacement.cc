#include "task/answer_displacement.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "statistics/divergence.h"

namespace assay {
namespace {

std::vector<KnownToken> Known(const std::vector<TokenLogprob>& step) {
  std::vector<KnownToken> known;
  for (const TokenLogprob& token : step) known.push_back({token.text, token.logprob});
  return known;
}

constexpr double kAboveOne = 1e-3;  // rounding of logarithms

/// A list of which every token is known by its id, which stands for its text.
class KnownIds {
 public:
  explicit KnownIds(const std::vector<TokenLogprob>& step) {
    double sum = 0;
    names_.reserve(step.size());
    for (const TokenLogprob& token : step) {
      sum += std::exp(static_cast<double>(token.logprob));
      names_.push_back(std::to_string(token.id));
      known_.push_back({names_.back(), token.logprob});
    }
    if (!(sum <= 1 + kAboveOne))
      Fail(ErrorKind::kInvalid,
           "the most likely tokens have probabilities that add up to {:.3f}: expected logarithms of probabilities",
           sum);
  }
  const std::vector<KnownToken>& tokens() const { return known_; }

 private:
  std::vector<std::string> names_;
  std::vector<KnownToken> known_;
};

}  // namespace

Displacement DisplacementOfAnswers(const std::string& id, const Answer& baseline, const Answer& candidate) {
  Displacement moved;
  moved.id = id;
  const auto &of_baseline = baseline.top_logprobs, &of_candidate = candidate.top_logprobs;
  const size_t steps = std::min(of_baseline.size(), of_candidate.size());
  double sum = 0;
  int64_t same = 0;
  for (size_t i = 0; i < steps; ++i) {
    const std::vector<TokenLogprob>&base = of_baseline[i], &other = of_candidate[i];
    if (base.empty() || other.empty()) break;
    const double kl = DivergenceAtLeast(Known(base), Known(other));
    sum += kl;
    moved.max_kl = std::max(moved.max_kl, kl);
    const auto known = static_cast<int64_t>(std::min(base.size(), other.size()));
    moved.known_tokens = moved.tokens == 0 ? known : std::min(moved.known_tokens, known);
    ++moved.tokens;
    // Greedy answers take the most likely token.
    if (base[0].text != other[0].text) {
      moved.first_divergence = static_cast<int64_t>(i);
      break;
    }
    ++same;
  }
  if (moved.tokens == 0) return moved;
  if (moved.first_divergence < 0 && of_baseline.size() != of_candidate.size())
    moved.first_divergence = static_cast<int64_t>(steps);  // one of them ended there
  moved.mean_kl = sum / static_cast<double>(moved.tokens);
  moved.same_top = static_cast<double>(same) / static_cast<double>(moved.tokens);
  return moved;
}

Displacement DisplacementAlong(const std::string& id, const ForcedPredictions& baseline,
                               const ForcedPredictions& candidate, std::span<const int32_t> baseline_ids,
                               std::span<const int32_t> candidate_ids) {
  ASSAY_CHECK(!baseline.steps.empty() && baseline.steps.size() == candidate.steps.size());
  Displacement moved;
  moved.id = id;
  moved.whole_answer = true;
  moved.tokens = std::ssize(baseline.steps);
  moved.known_tokens = INT64_MAX;
  const auto steps = static_cast<double>(moved.tokens);
  double same = 0;
  for (size_t i = 0; i < baseline.steps.size(); ++i) {
    const std::vector<TokenLogprob>&base = baseline.steps[i], &other = candidate.steps[i];
    ASSAY_CHECK(!base.empty() && !other.empty());
    const double kl = DivergenceAtLeast(KnownIds(base).tokens(), KnownIds(other).tokens());
    moved.mean_kl += kl / steps;
    moved.max_kl = std::max(moved.max_kl, kl);
    moved.known_tokens = std::min(moved.known_tokens, std::min(std::ssize(base), std::ssize(other)));
    same += base[0].id == other[0].id;
  }
  moved.same_top = same / steps;
  const auto parted =
      std::mismatch(baseline_ids.begin(), baseline_ids.end(), candidate_ids.begin(), candidate_ids.end());
  if (!candidate_ids.empty() && (parted.first != baseline_ids.end() || parted.second != candidate_ids.end()))
    moved.first_divergence = parted.first - baseline_ids.begin();
  return moved;
}

}  // namespace assay
