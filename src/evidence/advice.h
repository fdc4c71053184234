#pragma once
// The sentence that says what to do.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evidence/comparison.h"

namespace assay {

/// Candidates from the largest file to the smallest (or as given, where the record says so or sizes tie). The walk goes
/// on while a candidate holds and none of its slices cracks. Taking the smallest that holds would be a selection: of
/// twelve that are all worse by the margin it ships one in a third of runs.
struct Walk {
  std::vector<size_t> order;  // all candidates
  size_t held = 0;            // how many of them, from the first on, hold
  /// Index of the candidate to ship: the last that holds.
  std::optional<size_t> recommended() const { return held ? std::optional<size_t>(order[held - 1]) : std::nullopt; }
};
Walk WalkDown(const CheckRecord& record, std::span<const Comparison> comparisons);

/// The first sentence says what is known: a slice that cracks comes first, else the recommendation with what a slice
/// may still hide.
std::string Advice(const CheckRecord& record, std::span<const Comparison> comparisons);

}  // namespace assay
