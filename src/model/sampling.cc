#include "model/sampling.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "kernel/ops.h"

namespace assay {

void Sampler::Penalize(std::span<const int32_t> prompt, std::span<const int32_t> answer) {
  if (options_.repetition_penalty == 1.0) return;
  if (options_.repetition_window > 0) {
    const auto window = static_cast<size_t>(options_.repetition_window);
    answer = answer.last(std::min(answer.size(), window));
    prompt = prompt.last(std::min(prompt.size(), window - answer.size()));
  }
  std::unordered_set<int32_t> seen(prompt.begin(), prompt.end());
  seen.insert(answer.begin(), answer.end());
  auto penalty = static_cast<float>(options_.repetition_penalty);
  for (int32_t id : seen) {
    float& score = changed_[static_cast<size_t>(id)];
    score = score > 0 ? score / penalty : score * penalty;
  }
}

int32_t Sampler::Choose(const float* logits, int64_t vocab, std::span<const int32_t> prompt,
                        std::span<const int32_t> answer) {
  const float* scores = logits;
  if (options_.repetition_penalty != 1.0 || rules_) {
    changed_.assign(logits, logits + vocab);
    Penalize(prompt, answer);
    if (rules_) rules_->Apply(changed_, prompt, answer);
    scores = changed_.data();
  }
  if (options_.temperature <= 0) return static_cast<int32_t>(ArgMax(scores, vocab));

  candidates_.resize(static_cast<size_t>(vocab));
  for (int64_t i = 0; i < vocab; ++i) candidates_[static_cast<size_t>(i)] = {scores[i], static_cast<int32_t>(i)};
  auto better = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  size_t keep = candidates_.size();
  if (options_.top_k > 0) keep = std::min(keep, static_cast<size_t>(options_.top_k));
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(keep), candidates_.end(),
                    better);
  candidates_.resize(keep);

  std::vector<double> weights(keep);
  double total = 0;
  for (size_t i = 0; i < keep; ++i)
    total += weights[i] =
        std::exp((static_cast<double>(candidates_[i].first) - candidates_[0].first) / options_.temperature);
  if (options_.top_p < 1.0) {
    double sum = 0;
    size_t n = 0;
    while (n < keep && (n == 0 || sum < options_.top_p * total)) sum += weights[n++];
    keep = n;
    total = sum;
  }
  if (options_.min_p > 0) {
    size_t n = 0;
    double sum = 0;
    while (n < keep && weights[n] >= options_.min_p * weights[0]) sum += weights[n++];
    keep = std::max<size_t>(1, n);
    total = n ? sum : weights[0];
  }
  double draw = random_.Uniform() * total;
  for (size_t i = 0; i < keep; ++i) {
    draw -= weights[i];
    if (draw < 0) return candidates_[i].second;
  }
  return candidates_[keep - 1].second;
}

}  // namespace assay
