#include "task/answer_displacement.h"

#include <algorithm>

#include "statistics/divergence.h"

namespace assay {
namespace {

std::vector<KnownToken> Known(const std::vector<TokenLogprob>& step) {
  std::vector<KnownToken> known;
  for (const TokenLogprob& token : step) known.push_back({token.text, token.logprob});
  return known;
}

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

}  // namespace assay
