#pragma once
// The work that one check may spend on an answer, in steps of some 20 nanoseconds. A stranger writes the answer:
// whatever the check is, the sum of all its searches and comparisons is bounded, and a check that reaches the bound is
// undecided.

#include <cstdint>

namespace assay {

inline constexpr uint64_t kMaxCheckSteps = 20'000'000;

struct Work {
  uint64_t left = kMaxCheckSteps;

  /// False when that uses up what is left, or more; then nothing is left.
  bool Take(uint64_t steps) {
    if (steps > left) left = 0;
    left -= left ? steps : 0;
    return left > 0;
  }
};

}  // namespace assay
