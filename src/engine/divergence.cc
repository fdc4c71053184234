#include "engine/divergence.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "system/threads.h"

namespace assay {
namespace {

void RequireSameVocabulary(const Scorer& a, const Scorer& b) {
  if (a.vocabulary() != b.vocabulary())
    Fail(ErrorKind::kInvalid, "{} has {} tokens, {} has {}: their predictions cannot be compared", a.name(),
         a.vocabulary(), b.name(), b.vocabulary());
}

// The base's logits for positions [first, ids.size()), from the cache or computed.
std::vector<float> BaseLogits(Scorer& base, LogitCache* cache, const std::string& key, std::span<const int32_t> ids,
                              int64_t first, Progress& progress) {
  if (cache)
    if (const std::vector<float>* found = cache->Find(key)) return *found;
  std::vector<float> rows;
  int64_t vocab = base.vocabulary();
  rows.reserve(static_cast<size_t>((static_cast<int64_t>(ids.size()) - first) * vocab));
  base.Score(
      ids, first,
      [&](int64_t, int64_t count, const float* logits) { rows.insert(rows.end(), logits, logits + count * vocab); },
      progress);
  if (cache) cache->Put(key, rows);
  return rows;
}

std::span<const float> Row(const float* logits, int64_t index, int64_t vocab) {
  return {logits + index * vocab, static_cast<size_t>(vocab)};
}

}  // namespace

const std::vector<float>* LogitCache::Find(const std::string& key) const {
  auto it = rows_.find(key);
  return it == rows_.end() ? nullptr : &it->second;
}

void LogitCache::Put(const std::string& key, std::vector<float> logits) {
  uint64_t size = logits.size() * sizeof(float);
  if (used_ + size > budget_) return;
  used_ += size;
  rows_.emplace(key, std::move(logits));
}

std::vector<int32_t> PerplexityTokens(const Scorer& scorer, std::string_view text, const PerplexityOptions& options) {
  if (options.context < 4 || options.context > scorer.context())
    Fail(ErrorKind::kInvalid, "--context {}: expected 4 to {} (the model's context)", options.context,
         scorer.context());
  std::vector<int32_t> ids = scorer.TextTokens(text);
  if (static_cast<int64_t>(ids.size()) < 2 * options.context)
    Fail(ErrorKind::kInvalid, "the text has {} tokens; perplexity at a context of {} needs at least {}", ids.size(),
         options.context, 2 * options.context);
  return ids;
}

PerplexityResult MeasurePerplexity(Scorer& scorer, Scorer* base, LogitCache* base_logits, std::string_view text,
                                   const PerplexityOptions& options, Progress& progress) {
  if (base) RequireSameVocabulary(scorer, *base);
  const std::vector<int32_t> ids = PerplexityTokens(scorer, text, options);
  const int64_t context = options.context;
  PerplexityResult result;
  result.text_tokens = static_cast<int64_t>(ids.size());
  int64_t chunks = result.text_tokens / context;
  if (options.chunks > 0) chunks = std::min(chunks, options.chunks);
  const std::vector<int32_t> beginning = scorer.Beginning();
  int64_t vocab = scorer.vocabulary(), first = context / 2;

  progress.Begin("perplexity", static_cast<uint64_t>(chunks * context * (base ? 2 : 1)), "tokens");
  double total = 0, base_total = 0;
  DivergenceAccumulator accumulator;
  for (int64_t c = 0; c < chunks; ++c) {
    std::vector<int32_t> chunk(ids.begin() + c * context, ids.begin() + (c + 1) * context);
    std::copy_n(beginning.begin(), std::min(std::ssize(beginning), first), chunk.begin());
    int64_t scored = context - 1 - first;
    std::vector<float> base_rows;
    if (base) {
      base_rows = BaseLogits(*base, base_logits, fmt::format("text {} {}", c, context), chunk, first, progress);
    }
    std::vector<double> nll(static_cast<size_t>(scored)), base_nll(nll.size());
    std::vector<TokenDivergence> divergence(nll.size());
    scorer.Score(
        chunk, first,
        [&](int64_t position, int64_t count, const float* logits) {
          scorer.pool().For(count, 4, [&](int64_t begin, int64_t end, int) {
            for (int64_t i = begin; i < end; ++i) {
              int64_t at = position + i - first;
              if (at >= scored) continue;
              int32_t target = chunk[static_cast<size_t>(position + i + 1)];
              auto row = Row(logits, i, vocab);
              nll[static_cast<size_t>(at)] = -LogProbability(row, target);
              if (!base) continue;
              auto base_row = Row(base_rows.data(), at, vocab);
              base_nll[static_cast<size_t>(at)] = -LogProbability(base_row, target);
              divergence[static_cast<size_t>(at)] = DivergenceOf(base_row, row);
            }
          });
        },
        progress);
    double sum = 0;
    for (size_t i = 0; i < nll.size(); ++i) {
      sum += nll[i];
      result.not_numbers += !std::isfinite(nll[i]);
      result.base_not_numbers += base && !std::isfinite(base_nll[i]);
      base_total += base_nll[i];
      if (base) accumulator.Add(divergence[i]);
    }
    total += sum;
    result.chunk_nll.push_back(sum / static_cast<double>(scored));
    result.scored_tokens += scored;
  }
  progress.End();
  result.chunks = chunks;
  result.mean_nll = total / static_cast<double>(result.scored_tokens);
  result.perplexity = std::exp(result.mean_nll);
  if (chunks > 1) {
    double variance = 0;
    for (double nll : result.chunk_nll) variance += (nll - result.mean_nll) * (nll - result.mean_nll);
    result.standard_error = std::sqrt(variance / static_cast<double>(chunks - 1) / static_cast<double>(chunks));
  }
  if (base) {
    result.against = true;
    result.base_perplexity = std::exp(base_total / static_cast<double>(result.scored_tokens));
    result.divergence = accumulator.Summary();
  }
  return result;
}

Displacement MeasureDisplacement(Scorer& candidate, Scorer& base, LogitCache* base_logits, const std::string& id,
                                 std::span<const int32_t> prompt, std::span<const int32_t> baseline_answer,
                                 std::span<const int32_t> candidate_answer, Progress& progress) {
  RequireSameVocabulary(candidate, base);
  Displacement result;
  result.id = id;
  size_t common = 0, shorter = std::min(baseline_answer.size(), candidate_answer.size());
  while (common < shorter && baseline_answer[common] == candidate_answer[common]) ++common;
  bool equal = common == baseline_answer.size() && common == candidate_answer.size();
  result.first_divergence = equal ? -1 : static_cast<int64_t>(common);
  if (prompt.empty()) return result;
  // The prediction of answer token i is made at position prompt + i - 1; the end of the answer is a prediction too.
  std::vector<int32_t> ids(prompt.begin(), prompt.end());
  ids.insert(ids.end(), baseline_answer.begin(), baseline_answer.end());
  if (static_cast<int64_t>(ids.size()) > candidate.context()) ids.resize(static_cast<size_t>(candidate.context()));
  int64_t first = static_cast<int64_t>(prompt.size()) - 1, vocab = base.vocabulary();
  std::vector<float> rows = BaseLogits(base, base_logits, "example " + id, ids, first, progress);
  int64_t scored = static_cast<int64_t>(ids.size()) - first;
  std::vector<TokenDivergence> divergence(static_cast<size_t>(scored));
  candidate.Score(
      ids, first,
      [&](int64_t position, int64_t count, const float* logits) {
        candidate.pool().For(count, 4, [&](int64_t begin, int64_t end, int) {
          for (int64_t i = begin; i < end; ++i) {
            int64_t at = position + i - first;
            divergence[static_cast<size_t>(at)] = DivergenceOf(Row(rows.data(), at, vocab), Row(logits, i, vocab));
          }
        });
      },
      progress);
  double same = 0;
  for (const TokenDivergence& d : divergence) {
    result.mean_kl += d.kl / static_cast<double>(scored);
    result.max_kl = std::max(result.max_kl, d.kl);
    same += d.same_top;
  }
  result.tokens = scored;
  result.same_top = same / static_cast<double>(scored);
  return result;
}

}  // namespace assay
