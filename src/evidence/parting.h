#pragma once
// Where two models' answers part: what is known of servers that tell no log-probabilities.

#include <string>

#include "evidence/comparison.h"

namespace assay {

/// How many of the first answers are the same, and where the others begin to differ; empty where none was answered by
/// both.
std::string PartingText(const Comparison& comparison);

}  // namespace assay
