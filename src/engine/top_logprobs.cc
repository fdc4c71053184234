#include "engine/top_logprobs.h"

#include <algorithm>
#include <numeric>

namespace assay {

std::vector<TokenLogprob> TopLogprobs(const Tokenizer& tokenizer, const float* logits, int64_t vocab, int64_t k,
                                      double normalizer) {
  std::vector<int32_t> ids(static_cast<size_t>(vocab));
  std::iota(ids.begin(), ids.end(), 0);
  std::partial_sort(ids.begin(), ids.begin() + k, ids.end(),
                    [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  std::vector<TokenLogprob> top;
  for (int64_t i = 0; i < k; ++i) {
    const int32_t id = ids[static_cast<size_t>(i)];
    top.push_back({id, tokenizer.TokenBytes(id), static_cast<float>(logits[id] - normalizer)});
  }
  return top;
}

}  // namespace assay
