#pragma once
// A model that can be run. Const after Load and shareable; what changes (key-value caches, scratch) is an argument.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "kernel/linear.h"
#include "model/sequence.h"
#include "system/threads.h"

namespace assay {

/// One token of a batch. Tokens of one sequence stand together and in order, the first at position sequence->length().
struct BatchToken {
  TokenId id = 0;
  Sequence* sequence = nullptr;
  bool want_logits = false;
};

/// How large each slot of a Workspace becomes.
class WorkspacePlan {
 public:
  void Floats(int slot, int64_t count) { Bytes(slot, count * 4); }
  void Bytes(int slot, int64_t count);
  int64_t bytes() const;

 private:
  friend class Workspace;
  static constexpr int kSlots = 32;
  int64_t sizes_[kSlots] = {};
};

/// Scratch of Forward; grows to the largest batch seen and is then reused.
class Workspace {
 public:
  void Reserve(const WorkspacePlan& plan);
  /// 64-byte aligned; slots are independent buffers.
  float* Floats(int slot, int64_t count);
  std::byte* Bytes(int slot, int64_t count);
  int64_t bytes() const;

 private:
  struct Buffer {
    std::unique_ptr<std::byte[]> data;
    int64_t size = 0;
  };
  Buffer buffers_[WorkspacePlan::kSlots];
};

struct LoadOptions {
  Arithmetic arithmetic = Arithmetic::kDeployed;
  std::string kernel;  // force a linear kernel by name
};

class Model {
 public:
  /// Throws Error{kCorrupt} for missing or misshapen tensors. (Unknown architectures are refused by Checkpoint::Open.)
  static std::shared_ptr<const Model> Load(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options);
  virtual ~Model() = default;

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  /// What is run: the engine's, or the maker's under `reference` arithmetic.
  const ModelConfig& config() const {
    return options_.arithmetic == Arithmetic::kReference ? checkpoint_->as_made() : checkpoint_->config();
  }
  Arithmetic arithmetic() const { return options_.arithmetic; }
  const LoadOptions& options() const { return options_; }

  /// Runs the tokens, appends their keys and values, and writes one row of logits [vocab] per token that wants them, in
  /// batch order. The bits of a token's logits depend on its own sequence alone.
  void Forward(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, float* logits) const;

  /// What Forward takes of the workspace for a batch of `n` tokens, `wanted` of them with logits, none at a position
  /// beyond `context`.
  virtual WorkspacePlan PlanWorkspace(int64_t n, int64_t wanted, int64_t context, int threads) const = 0;

  /// "q4_k: avx512-vnni …" per format in use, for --verbose.
  virtual std::vector<std::string> KernelReport() const = 0;

 protected:
  Model(std::shared_ptr<const Checkpoint> checkpoint, LoadOptions options);
  /// A batch with at most kStepTokens tokens of each sequence.
  virtual void Step(std::span<const BatchToken> batch, Workspace& workspace, ThreadPool& pool, float* logits) const = 0;
  std::shared_ptr<const Checkpoint> checkpoint_;
  LoadOptions options_;
};

}  // namespace assay
