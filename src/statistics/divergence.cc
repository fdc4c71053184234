#include "statistics/divergence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace assay {
namespace {

/// log(sum(exp(logits))), stable.
double LogSumExp(std::span<const float> logits, double highest) {
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  return highest + std::log(sum);
}

/// Index of the largest value; the lowest index wins a tie; -1 when a NaN occurs.
int64_t Top(std::span<const float> logits) {
  int64_t best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) return -1;
    if (logits[i] > logits[static_cast<size_t>(best)]) best = static_cast<int64_t>(i);
  }
  return best;
}

}  // namespace

TokenDivergence DivergenceOf(std::span<const float> baseline_logits, std::span<const float> candidate_logits) {
  ASSAY_CHECK(!baseline_logits.empty() && baseline_logits.size() == candidate_logits.size());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const int64_t top_p = Top(baseline_logits), top_q = Top(candidate_logits);
  if (top_p < 0 || top_q < 0) return {kInfinity, false};
  const double high_p = baseline_logits[static_cast<size_t>(top_p)],
               high_q = candidate_logits[static_cast<size_t>(top_q)];
  if (!std::isfinite(high_p) || !std::isfinite(high_q)) return {kInfinity, false};
  const double norm_p = LogSumExp(baseline_logits, high_p), norm_q = LogSumExp(candidate_logits, high_q);
  double kl = 0;
  for (size_t i = 0; i < baseline_logits.size(); ++i) {
    const double log_p = static_cast<double>(baseline_logits[i]) - norm_p;
    const double p = std::exp(log_p);
    if (p == 0) continue;
    kl += p * (log_p - (static_cast<double>(candidate_logits[i]) - norm_q));
  }
  return {std::max(0.0, kl), top_p == top_q};  // rounding may leave -1e-17
}

double LogProbability(std::span<const float> logits, int64_t token) {
  ASSAY_CHECK(token >= 0 && static_cast<size_t>(token) < logits.size());
  const double highest = *std::max_element(logits.begin(), logits.end());
  return static_cast<double>(logits[static_cast<size_t>(token)]) - LogSumExp(logits, highest);
}

double DivergenceAtLeast(std::span<const KnownToken> baseline, std::span<const KnownToken> candidate) {
  // Tokens with one text are one event: tokenizers have some, and which of them is meant is not known.
  std::map<std::string_view, std::pair<double, double>> both;
  for (const KnownToken& token : baseline) both[token.text].first += std::exp(token.logprob);
  for (const KnownToken& token : candidate) both[token.text].second += std::exp(token.logprob);
  double kl = 0, baseline_rest = 1, candidate_rest = 1;
  for (const auto& [text, p] : both) {
    if (!(p.first > 0 && p.second > 0)) continue;
    kl += p.first * std::log(p.first / p.second);
    baseline_rest -= p.first;
    candidate_rest -= p.second;
  }
  // Servers round their logarithms: less than this may be left over of that alone, and is then no divergence.
  constexpr double kRounding = 1e-5;
  baseline_rest = std::max(baseline_rest, kRounding);
  kl += baseline_rest * std::log(baseline_rest / std::max(candidate_rest, kRounding));
  return std::max(kl, 0.0);
}

void DivergenceAccumulator::Add(const TokenDivergence& divergence) {
  values_.push_back(divergence.kl);
  if (divergence.same_top) ++same_top_;
}

DivergenceSummary DivergenceAccumulator::Summary() const {
  DivergenceSummary summary;
  summary.tokens = tokens();
  if (values_.empty()) return summary;
  MeanAccumulator mean;
  for (double value : values_) mean.Add(value);
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  summary.max = sorted.back();
  if (std::isfinite(summary.max)) {
    summary.mean = mean.mean();
    summary.standard_error = mean.standard_error();
  } else {
    summary.mean = summary.standard_error = std::numeric_limits<double>::infinity();
  }
  summary.p50 = SortedQuantile(sorted, 0.5);
  summary.p90 = SortedQuantile(sorted, 0.9);
  summary.p99 = SortedQuantile(sorted, 0.99);
  summary.p999 = SortedQuantile(sorted, 0.999);
  const auto count = static_cast<double>(summary.tokens);
  summary.same_top = static_cast<double>(same_top_) / count;
  if (summary.tokens > 1)
    summary.same_top_standard_error = std::sqrt(summary.same_top * (1 - summary.same_top) / (count - 1));
  return summary;
}

}  // namespace assay
