#pragma once
// Every supported architecture: an embedding, a stack of layers (block/), a head, wired as the configuration says.

#include <span>
#include <vector>

#include "model/block/rope.h"
#include "model/layer.h"

namespace assay {

/// What layers hand on beside the residual. Who runs them one by one keeps one for each batch.
struct Carried {
  std::vector<int32_t> chosen;  // SharedScratch::chosen
};

class Decoder {
 public:
  /// Of a reader without a checkpoint: shapes alone, for Plan. `config` outlives it.
  Decoder(const ModelConfig& config, const WeightReader& reader, BlockTable kinds);
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  WorkspacePlan Plan(const BatchShape& shape) const;
  void VisitLinears(const LinearVisitor& visit) const;

  /// Runs the tokens, appends what their layers keep, and writes one row of logits [vocab] per token that wants them.
  /// At most kStepTokens tokens of each sequence.
  void Run(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, const LinearHooks* hooks,
           float* logits) const;

  // The same in parts. residual: [n, residual_width()].
  int64_t residual_width() const { return ResidualWidth(config_); }
  void Embed(std::span<const BatchToken> batch, ThreadPool& pool, float* residual) const;
  void RunLayer(int64_t index, std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool,
                const LinearHooks* hooks, Carried& carried, float* residual) const;
  /// One of its blocks without norm and residual: x [n, hidden] → out [n, hidden].
  void RunBlock(int64_t index, Place place, std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool,
                const LinearHooks* hooks, Carried& carried, const float* x, float* out) const;
  /// Logits of the rows of tokens that want them.
  void RunHead(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, const LinearHooks* hooks,
               const float* residual, float* logits) const;
  /// The sequences have taken in the batch: after all of its layers.
  static void Advance(std::span<const BatchToken> batch);

 private:
  struct HeadScratch {
    HeadScratch(Arena& arena, const Decoder& decoder, const BatchShape& shape);
    float *last, *collapsed, *normed;  // of the tokens that want logits
    float* projected;                  // of AltUp's streams
    std::optional<HyperConnection::Scratch> mix;
  };
  Pass Begin(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, const LinearHooks* hooks,
             Arena& arena) const;
  SharedScratch Shared(Arena& arena, const BatchShape& shape) const;
  void Embed(std::span<const BatchToken> batch, const std::vector<int64_t>& positions, ThreadPool& pool,
             float* residual) const;
  void Head(const Pass& pass, const float* residual, float* logits) const;

  const ModelConfig& config_;
  RopeAngles ropes_;
  PackedView embedding_, positions_;  // [vocab, hidden], [context, hidden]
  std::optional<PerLayerEmbedding> per_layer_;
  std::vector<Layer> layers_;
  NormWeights output_norm_;
  std::optional<HyperConnection> output_mix_;
  std::optional<OtherStreams> spread_, collapse_;  // of AltUp: before the first layer, and behind the last
  Linear output_;
  int64_t prepared_bytes_ = 0;  // of a token, as the widest linear layer reads it; the output apart
};

}  // namespace assay
