#pragma once
// Alternating updates (Baykal et al. 2023, arXiv 2301.13310; Gemma 3n): of a few residual streams a layer computes one.
// What the layer is told of the others is a prediction, linear in all streams with weights that a router makes of the
// computed one; what it computes corrects the prediction of each.
//
// A residual is [n, streams, hidden].

#include "model/operations.h"

namespace assay {

/// Of a layer.
class AltUp {
 public:
  AltUp(const ModelConfig& config, const WeightReader& reader);

  struct Scratch {
    Scratch(Arena& arena, const ModelConfig& config, const BatchShape& shape)
        : routed(arena.Floats(shape.n * config.alt_up.streams)),
          weights(arena.Floats(shape.n * config.alt_up.streams * config.alt_up.streams)) {}
    float *routed, *weights;
  };
  /// The streams become their predictions; computed [n, hidden]: that of the computed one. normed [n, hidden]: scratch.
  void Predict(const Pass& pass, const Scratch& scratch, float* residual, float* normed, float* computed) const;
  /// Corrects the predictions by what the layer computed. normed [n, hidden]: scratch.
  void Correct(const Pass& pass, const Scratch& scratch, const float* computed, float* normed, float* residual) const;
  /// out [n, hidden]: the computed stream, scaled.
  void Show(const Pass& pass, const float* residual, float* out) const;
  /// To all streams but the first.
  void AddToOthers(const Pass& pass, const float* x, float* residual) const;
  void VisitLinears(const LinearVisitor& visit) const;

 private:
  void Route(const Pass& pass, const Scratch& scratch, const float* x, float* normed) const;
  int64_t width() const { return config_.alt_up.streams * config_.hidden; }
  const ModelConfig& config_;
  Vector norm_;     // of the router, over the hidden size
  Linear router_;   // [streams, hidden]
  Linear predict_;  // [streams * streams, streams]
  Linear correct_;  // [streams, streams]
  Vector scale_;    // [hidden]; empty: none
};

/// All streams but the first, projected: where they begin and where they end.
class OtherStreams {
 public:
  /// NAME.0, NAME.1, …
  OtherStreams(const ModelConfig& config, const WeightReader& reader, const std::string& name);
  /// They become projections of the first, as long as it.
  void Spread(const Pass& pass, float* residual) const;
  /// out [n, hidden]: the mean of the first and of the projections of the others, as long as it. projected [n, hidden]:
  /// scratch.
  void Collapse(const Pass& pass, const float* residual, int64_t n, float* projected, float* out) const;
  void VisitLinears(const LinearVisitor& visit) const;

 private:
  const ModelConfig& config_;
  std::vector<Linear> projections_;  // [hidden, hidden]
};

}  // namespace assay
