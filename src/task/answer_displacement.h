#pragma once
// How far two models lie apart, by the most likely tokens at each step: what servers tell.

#include <cstdint>
#include <span>
#include <string>

#include "record/run_record.h"
#include "task/backend.h"

namespace assay {

/// Of two greedy answers to one prompt, as far as both began alike and at the step where they part: there both models
/// saw the same. Divergences are lower bounds (DivergenceAtLeast), `tokens` the steps compared. Nothing compared where
/// an answer has no top_logprobs.
Displacement DisplacementOfAnswers(const std::string& id, const Answer& baseline, const Answer& candidate);

/// Along the baseline's whole answer, which both were led along; `baseline_ids` and `candidate_ids` are the answers
/// that they gave themselves (empty: not known). Tokens are told apart by their ids: both models have one tokenizer.
/// Throws Error{kInvalid} where what is told are no logarithms of probabilities.
Displacement DisplacementAlong(const std::string& id, const ForcedPredictions& baseline,
                               const ForcedPredictions& candidate, std::span<const int32_t> baseline_ids,
                               std::span<const int32_t> candidate_ids);

}  // namespace assay
