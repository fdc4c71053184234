#pragma once
// The verdict rule over the pairs of a comparison.

#include <memory>

#include "evidence/comparison.h"

namespace assay {

/// Judges comparisons, one after the other. Groups with the same outcomes have the same figures, some of which are
/// work: they are kept.
class Jury {
 public:
  Jury();
  ~Jury();
  /// Fills `all` and `slices` from pairs, comparable, margin and level.
  void JudgeGroups(Comparison& comparison);

 private:
  class Figures;
  std::unique_ptr<Figures> figures_;
};

}  // namespace assay
