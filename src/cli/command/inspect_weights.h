#pragma once
// The parts of `assay inspect` that read the weights: errors, histogram, outliers.

#include <string>

#include "checkpoint/checkpoint.h"
#include "cli/command.h"

namespace assay {

/// Per-tensor error against `base`, worst first; `limit` rows on the terminal (0: all), all of them in JSON.
int InspectErrors(const Checkpoint& checkpoint, const Checkpoint& base, int limit, const CommonFlags& flags);
/// `tensor` is a canonical or a source name.
int InspectHistogram(const Checkpoint& checkpoint, const std::string& tensor, int bins, const CommonFlags& flags);
/// Matrices with the heaviest tails first.
int InspectOutliers(const Checkpoint& checkpoint, int limit, const CommonFlags& flags);

}  // namespace assay
