#pragma once
// What every kind of block can do, and what it is given while a batch passes through.

#include <functional>
#include <span>
#include <vector>

#include "model/arena.h"
#include "model/linear.h"
#include "model/sequence.h"
#include "system/threads.h"

namespace assay {

/// One token of a batch. Tokens of one sequence stand together and in order, the first at position sequence->length().
struct BatchToken {
  int32_t id = 0;
  Sequence* sequence = nullptr;
  bool want_logits = false;
};

/// What scratch depends on.
struct BatchShape {
  /// `context`: no position beyond it. It is rounded up, so that scratch does not grow with every token.
  BatchShape(int64_t tokens, int64_t wanted, int64_t context, int threads);
  int64_t n;        // tokens
  int64_t wanted;   // of them with logits
  int64_t context;  // no position beyond it
  int threads;
};

/// Scratch that all blocks of a pass read.
struct SharedScratch {
  SharedScratch(Arena& arena, const ModelConfig& config, const BatchShape& shape, int64_t prepared_bytes);
  float* angles;        // [n, 2, rotary_dim / 2] cosines and sines of each position
  float* local_angles;  // [n, 2, its rotary_dim / 2] the same for layers with local_rope; null: there are none
  float* per_layer;     // [n, n_layers, per_layer_input] what layers take of the tokens themselves; null: nothing
  int32_t* chosen;      // [n, top_k] what the last indexer chose, where a token does not see all (indexer.h)
  std::byte* prepared;  // activations as kernels read them
  int64_t prepared_bytes;
};

/// One batch on its way through the layers.
struct Pass {
  std::span<const BatchToken> batch;
  std::vector<int64_t> positions;  // [n]
  BatchShape shape;
  Arena& arena;
  SharedScratch shared;
  ThreadPool& pool;
  const LinearHooks* hooks = nullptr;

  int64_t n() const { return shape.n; }
  int64_t position(int64_t t) const { return positions[static_cast<size_t>(t)]; }
  const BatchToken& token(int64_t t) const { return batch[static_cast<size_t>(t)]; }
  Sequence& sequence(int64_t t) const { return *token(t).sequence; }
};

using LinearVisitor = std::function<void(const Linear&)>;

/// A mixer or a feed-forward block of one layer. Const after load.
class Block {
 public:
  virtual ~Block() = default;
  /// Takes from the arena what Run takes.
  virtual void Plan(const BatchShape& shape, Arena& arena) const = 0;
  /// x [n, hidden] → out [n, hidden], which is not x. Reads and writes its layer's part of the sequences.
  virtual void Run(const Pass& pass, const float* x, float* out) const = 0;
  virtual void VisitLinears(const LinearVisitor& visit) const = 0;
};

}  // namespace assay
