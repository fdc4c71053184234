#pragma once
// The most likely tokens of a prediction.

#include <cstdint>
#include <vector>

#include "task/backend.h"
#include "text/tokenizer.h"

namespace assay {

/// The `k` <= `vocab` most likely of `logits` [vocab], best first; the lowest id wins a tie. `normalizer`: log of the
/// sum of their exponentials.
std::vector<TokenLogprob> TopLogprobs(const Tokenizer& tokenizer, const float* logits, int64_t vocab, int64_t k,
                                      double normalizer);

}  // namespace assay
