#pragma once
// A model that can be run. Const after Load and shareable; what changes (key-value caches, scratch) is an argument.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/block/block.h"
#include "model/weights.h"

namespace assay {

class Decoder;

/// Scratch that a batch of `n` tokens takes, `wanted` of them with logits, none at a position beyond `context`: of a
/// model that is not loaded. `format`: what its matrices are stored in; empty: unknown, and the plan is for the one
/// that takes most.
WorkspacePlan PlanWorkspace(const ModelConfig& config, Arithmetic arithmetic, std::string_view format, int64_t n,
                            int64_t wanted, int64_t context, int threads);

class Model {
 public:
  /// Tensor by tensor; planes that have to be made are made on `pool`. Throws Error{kCorrupt} for missing or misshapen
  /// tensors, and for what only their bytes say. (Unknown architectures are refused by Checkpoint::Open.)
  static std::shared_ptr<const Model> Load(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options,
                                           ThreadPool& pool);
  /// On threads of its own.
  static std::shared_ptr<const Model> Load(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options);
  /// With kinds of blocks of one's own.
  Model(std::shared_ptr<const Checkpoint> checkpoint, LoadOptions options, BlockTable kinds, ThreadPool& pool);
  ~Model();

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  /// What is run: the engine's, or the maker's under `reference` arithmetic.
  const ModelConfig& config() const {
    return options_.arithmetic == Arithmetic::kReference ? checkpoint_->as_made() : checkpoint_->config();
  }
  Arithmetic arithmetic() const { return options_.arithmetic; }
  const LoadOptions& options() const { return options_; }
  /// What its parts multiply with: the weights in memory, by tensor.
  const LoadedMatrices& matrices() const { return matrices_; }

  /// Runs the tokens, appends their keys and values, and writes one row of logits [vocab] per token that wants them, in
  /// batch order. The bits of a token's logits depend on its own sequence alone.
  void Forward(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, float* logits,
               const LinearHooks* hooks = nullptr) const;

  /// What Forward takes of the workspace for a batch of `n` tokens, `wanted` of them with logits, none at a position
  /// beyond `context`.
  WorkspacePlan PlanWorkspace(int64_t n, int64_t wanted, int64_t context, int threads) const;

  /// The parts, for whoever runs a layer alone: hidden states in, hidden states out.
  const Decoder& decoder() const { return *decoder_; }

  /// "q4_k: avx512-vnni …" per format in use, for --verbose.
  std::vector<std::string> KernelReport() const;

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
  LoadOptions options_;
  LoadedMatrices matrices_;
  std::unique_ptr<const Decoder> decoder_;
};

}  // namespace assay
