#pragma once
// The verdict rule over the pairs of a comparison.

#include "evidence/comparison.h"

namespace assay {

/// Fills `all` and `slices` from pairs, comparable and margin.
void JudgeGroups(Comparison& comparison);

}  // namespace assay
