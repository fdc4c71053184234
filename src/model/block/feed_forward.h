#pragma once
// down · f(gate · x, up · x): a dense feed-forward block, or one expert.

#include <optional>

#include "model/operations.h"

namespace assay {

class FeedForward {
 public:
  /// Its tensors are ffn_gate, ffn_up and ffn_down with `suffix`; without a gate, up alone is activated.
  FeedForward(const ModelConfig& config, const WeightReader& reader, const std::string& suffix, int64_t width,
              bool gated);
  /// Of each token's gate only what is above a bound passes, less it: `deviations` above the mean, over one element
  /// less where `sample`.
  void BoundGate(double deviations, bool sample);
  /// A norm before down, of models that have one.
  void ReadSubNorm(const WeightReader& reader);

  struct Scratch {
    Scratch(Arena& arena, int64_t n, int64_t width) : gate(arena.Floats(n * width)), up(arena.Floats(n * width)) {}
    float *gate, *up;
  };
  /// x [n, hidden] → out [n, hidden].
  void Run(const Pass& pass, const Scratch& scratch, const float* x, int64_t n, float* out) const;
  void VisitLinears(const LinearVisitor& visit) const;

 private:
  const ModelConfig* config_;
  int64_t width_;
  Linear gate_, up_, down_;
  Xielu xielu_;
  struct Bound {
    double deviations;
    bool sample;
  };
  std::optional<Bound> bound_;
  NormWeights sub_norm_;
};

}  // namespace assay
