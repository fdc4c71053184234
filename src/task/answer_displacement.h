#pragma once
// How far two models lie apart, of greedy answers with the most likely tokens at each step: what servers tell.

#include <string>

#include "record/run_record.h"
#include "task/backend.h"

namespace assay {

/// Of two greedy answers to one prompt, as far as both began alike and at the step where they part: there both models
/// saw the same. Divergences are lower bounds (DivergenceAtLeast), `tokens` the steps compared. Nothing compared where
/// an answer has no top_logprobs.
Displacement DisplacementOfAnswers(const std::string& id, const Answer& baseline, const Answer& candidate);

}  // namespace assay
