#include "model/logit_rules.h"

#include <algorithm>
#include <limits>

namespace assay {
namespace {

void Forbid(std::span<float> scores, int32_t id) {
  if (id >= 0 && static_cast<size_t>(id) < scores.size())
    scores[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
}

}  // namespace

LogitRules::LogitRules(const GenerationConfig& generation, std::vector<int32_t> stop_tokens)
    : suppressed_(generation.suppressed),
      suppressed_first_(generation.suppressed_first),
      stop_tokens_(std::move(stop_tokens)),
      banned_(generation.banned),
      min_new_tokens_(static_cast<size_t>(generation.min_new_tokens)),
      no_repeat_ngram_(static_cast<size_t>(generation.no_repeat_ngram)),
      any_(!suppressed_.empty() || !suppressed_first_.empty() || !banned_.empty() || min_new_tokens_ > 0 ||
           no_repeat_ngram_ > 0) {
  // An end is not a word that can be banned.
  std::erase_if(banned_, [&](const std::vector<int32_t>& word) {
    return word.size() == 1 && std::find(stop_tokens_.begin(), stop_tokens_.end(), word[0]) != stop_tokens_.end();
  });
}

void LogitRules::ForbidRepeats(std::span<float> scores, std::span<const int32_t> seen) const {
  const size_t n = no_repeat_ngram_;
  if (n == 0 || seen.size() + 1 < n) return;
  const std::span<const int32_t> end = seen.last(n - 1);
  for (size_t i = 0; i + n <= seen.size(); ++i)
    if (std::equal(end.begin(), end.end(), seen.begin() + static_cast<std::ptrdiff_t>(i)))
      Forbid(scores, seen[i + n - 1]);
}

void LogitRules::Apply(std::span<float> scores, std::span<const int32_t> prompt,
                       std::span<const int32_t> answer) const {
  if (no_repeat_ngram_ > 0 || !banned_.empty()) {
    std::vector<int32_t> seen(prompt.begin(), prompt.end());
    seen.insert(seen.end(), answer.begin(), answer.end());
    ForbidRepeats(scores, seen);
    for (const std::vector<int32_t>& word : banned_) {
      const size_t before = word.size() - 1;
      if (before <= seen.size() &&
          std::equal(word.begin(), word.end() - 1, seen.end() - static_cast<std::ptrdiff_t>(before)))
        Forbid(scores, word.back());
    }
  }
  if (answer.size() < min_new_tokens_)
    for (int32_t id : stop_tokens_) Forbid(scores, id);
  for (int32_t id : suppressed_) Forbid(scores, id);
  if (answer.empty())
    for (int32_t id : suppressed_first_) Forbid(scores, id);
}

}  // namespace assay
