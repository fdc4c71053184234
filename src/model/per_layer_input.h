#pragma once
// What layers take of the tokens themselves (per-layer embeddings of Gemma 3n and 4): each layer has an embedding of
// its own of every token, to which a projection of the token's usual embedding is added; behind its blocks it gates the
// sum by the residual, and adds it.

#include "model/operations.h"

namespace assay {

/// Of all layers.
class PerLayerEmbedding {
 public:
  PerLayerEmbedding(const ModelConfig& config, const WeightReader& reader);
  /// Fills SharedScratch::per_layer. embedded [n, hidden]: the tokens' usual embeddings, scaled.
  void Fill(const Pass& pass, ConstRows embedded) const;
  const Linear& linear() const { return projection_; }

 private:
  const ModelConfig& config_;
  PackedView table_;   // [PerLayerRows, n_layers * per_layer_input]
  Linear projection_;  // [n_layers * per_layer_input, hidden]
  Vector norm_;        // [per_layer_input]
};

/// Of one layer.
class PerLayerInput {
 public:
  PerLayerInput(const ModelConfig& config, const WeightReader& reader, int64_t layer);
  void Plan(const BatchShape& shape, Arena& arena) const { Scratch(arena, *this, shape); }
  /// out [n, hidden]: what is added. x [n, hidden] gates it.
  void Run(const Pass& pass, const float* x, float* out) const;
  void VisitLinears(const LinearVisitor& visit) const;

 private:
  struct Scratch {
    Scratch(Arena& arena, const PerLayerInput& input, const BatchShape& shape)
        : gate(arena.Floats(shape.n * input.config_.per_layer_input)) {}
    float* gate;
  };
  const ModelConfig& config_;
  int64_t layer_;
  Linear gate_, projection_;
  NormWeights norm_;
};

}  // namespace assay
