#pragma once
// Manifold-constrained hyper-connections (Xie et al. 2026; DeepSeek V4): instead of one residual, a few streams. A
// small projection of all of them says per token how a block's input is put together from the streams, how its output
// goes back to each, and how the streams mix: by a matrix whose rows and columns add up to 1.
//
// A residual is [n, streams, hidden].

#include "model/operations.h"

namespace assay {

/// What stands before and behind a block, or (a head) before the output.
class HyperConnection {
 public:
  /// NAME_fn, NAME_base and NAME_scale.
  HyperConnection(const ModelConfig& config, const WeightReader& reader, const std::string& name, bool head);

  struct Scratch {
    Scratch(Arena& arena, const HyperConnection& mix, int64_t n);
    float *normed, *mixes;
  };
  /// out [n, hidden]: the streams put together. Keeps what Return needs in the scratch.
  void Collapse(const Pass& pass, const Scratch& scratch, const float* residual, int64_t n, float* out) const;
  /// Mixes the streams, and adds x [n, hidden] to each.
  void Return(const Pass& pass, const Scratch& scratch, const float* x, float* residual) const;
  const Linear& linear() const { return fn_; }

 private:
  void Weigh(float* mixes) const;
  const ModelConfig& config_;
  bool head_;
  Linear fn_;  // [outputs, streams * hidden]
  Vector base_, scale_, ones_;
};

/// All streams begin as the embedding: the first n rows [n, hidden] become [n, streams, hidden].
void SpreadStreams(const ModelConfig& config, int64_t n, float* residual);

}  // namespace assay
