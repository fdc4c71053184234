#pragma once
// A check in one sentence for whoever decides, and what to do where nothing can be shipped. Advice (evidence/advice.h)
// says the same with its figures.

#include <span>
#include <string>
#include <vector>

#include "evidence/comparison.h"

namespace assay {

/// "Ship q4_k_m: 31% of the size of bf16, and none of the 47 answers that were right is lost."
std::string Headline(const CheckRecord& record, std::span<const Comparison> comparisons);

/// Whole sentences, most useful first; empty where a candidate is recommended.
std::vector<std::string> NextSteps(const CheckRecord& record, std::span<const Comparison> comparisons);

}  // namespace assay
