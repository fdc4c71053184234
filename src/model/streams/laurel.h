#pragma once
// Learned augmented residual (Menghani et al. 2024, arXiv 2411.07501; Gemma 3n): beside attention stands a projection
// of low rank, normed, of what attention reads; with that it joins the residual.

#include "model/operations.h"

namespace assay {

class Laurel {
 public:
  Laurel(const ModelConfig& config, const WeightReader& reader);
  void Plan(const BatchShape& shape, Arena& arena) const { arena.Floats(shape.n * left_.weight.rows); }
  /// x [n, hidden] → out [n, hidden], which is not x.
  void Run(const Pass& pass, const float* x, float* out) const;
  void VisitLinears(const LinearVisitor& visit) const;

 private:
  const ModelConfig& config_;
  Linear left_, right_;  // [rank, hidden], [hidden, rank]
  NormWeights norm_;
};

}  // namespace assay
