#pragma once
// Entries that stand for a run of positions each: their keys, weighed element by element by a softmax over the run
// (DeepSeek V4).

#include "model/block/rope.h"
#include "model/block/table.h"
#include "model/operations.h"

namespace assay {

/// Of the state: what an entry of `dim` elements that is not full yet remembers, keys and weights of its positions.
int64_t OpenEntryFloats(const LayerConfig& layer, int64_t dim);

class Compressor {
 public:
  /// Entries go into `plane`; what open ones remember lies `offset` floats behind the beginning of the layer's state.
  Compressor(const BlockContext& context, const WeightReader& reader, const std::string& name, int64_t dim, int plane,
             int64_t offset);
  struct Scratch {
    Scratch(Arena& arena, const Compressor& compressor, const BatchShape& shape);
    float *kv, *gate, *entry;
  };
  /// Takes in x [n, hidden].
  void Run(const Pass& pass, const Scratch& scratch, const float* x) const;
  void VisitLinears(const LinearVisitor& visit) const;
  int64_t state_floats() const { return OpenEntryFloats(layer_, dim_); }

 private:
  void Take(const float* kv, const float* gate, int64_t position, float* ring) const;
  void Make(int64_t position, const float* ring, float* entry) const;

  const ModelConfig& config_;
  const RopeTable& rope_;
  int64_t index_;
  LayerConfig layer_;
  int64_t dim_, width_;  // of an entry; of a position: twice that where it is for the next entry, then for its own
  int plane_;
  int64_t offset_;
  Linear kv_, gate_;  // [width, hidden]
  Vector places_;     // [compress, width] added to the gate
  Vector norm_;
};

}  // namespace assay
