#pragma once
// The verdict rule over the pairs of a comparison.

#include <memory>

#include "evidence/comparison.h"

namespace assay {

/// Judges comparisons, one after the other. Groups with the same outcomes have the same figures, some of which are
/// work: they are kept.
class Jury {
 public:
  /// `only_verdicts`: without bounds and planning figures, which take most of the time and decide nothing (every drop
  /// stays between -1 and 1); for simulations.
  explicit Jury(bool only_verdicts = false);
  ~Jury();
  /// Fills `all` and `slices` from pairs, comparable, margin and level.
  void JudgeGroups(Comparison& comparison);

 private:
  class Figures;
  std::unique_ptr<Figures> figures_;
  bool only_verdicts_;
};

}  // namespace assay
