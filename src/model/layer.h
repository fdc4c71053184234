#pragma once
// One layer: a mixer, then a feed-forward block, and how they stand on the residual.

#include <optional>

#include "model/block/table.h"
#include "model/per_layer_input.h"
#include "model/streams/alt_up.h"
#include "model/streams/hyper_connections.h"
#include "model/streams/laurel.h"

namespace assay {

class Layer {
 public:
  Layer(const BlockContext& context, const WeightReader& reader, BlockTable kinds);
  void Plan(const BatchShape& shape, Arena& arena) const;
  /// residual [n, width of a row (ResidualWidth)], in place.
  void Run(const Pass& pass, float* residual) const;
  void VisitLinears(const LinearVisitor& visit) const;
  /// That it has.
  const Block& block(Place place) const { return *(place == Place::kMixer ? mixer_ : feed_forward_).block; }

 private:
  /// One of the two blocks.
  struct Part {
    BlockPointer block;  // null: none
    bool normed = true;  // reads the norm of the residual; else the residual
    NormWeights norm, post_norm;
    std::optional<HyperConnection> mix;
  };
  struct Scratch {
    Scratch(Arena& arena, const Layer& layer, const BatchShape& shape);
    float *normed, *mixed, *fed;
    float* collapsed;  // of several streams
    std::optional<HyperConnection::Scratch> mix;
    std::optional<AltUp::Scratch> alt_up;
  };
  /// What a block reads: x [n, hidden] itself, or normed, where it puts the norm of x.
  const float* Input(const Pass& pass, const Part& part, const float* x, float* normed) const;
  void RunBlocks(const Pass& pass, const Scratch& scratch, float* residual) const;
  void RunAltUp(const Pass& pass, const Scratch& scratch, float* residual) const;
  void RunStreams(const Pass& pass, const Scratch& scratch, const Part& part, float* residual) const;
  void Add(const Pass& pass, float* x, const NormWeights& post_norm, float* residual) const;

  const ModelConfig& config_;
  Part mixer_, feed_forward_;
  std::optional<AltUp> alt_up_;
  std::optional<Laurel> laurel_;
  std::optional<PerLayerInput> own_input_;
  float scale_ = 1.0f;  // of what leaves the layer
};

/// Floats of a token in the residual: hidden, of each stream.
int64_t ResidualWidth(const ModelConfig& config);

}  // namespace assay
