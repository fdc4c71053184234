#pragma once
// What a model remembers of one sequence: keys and values of each attention layer, the state of each recurrent one.
// Layers with a window keep the window and the room of one step; recurrent states have a fixed size; compressed entries
// stand for many positions each.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "describe/model_config.h"
#include "kernel/linear.h"

namespace assay {

/// Most tokens of one sequence that a step takes; longer ones are cut (Model::Forward), with the same result.
constexpr int64_t kStepTokens = 512;

/// The memory of one layer. Rows of keys and values lie one after the other; the first row is that of position `base`.
struct LayerCache {
  int64_t rows = 0;                        // positions there is room for
  int64_t key_width = 0, value_width = 0;  // elements of a position
  int64_t compress = 0;                    // positions of a compressed entry; 0: there are none
  int64_t entry_width = 0;                 // elements of one
  int64_t index_width = 0;                 // of the key by which an indexer finds a position, or an entry
  int64_t state_bytes = 0;                 // recurrent layers, open entries: float32, whatever the arithmetic
  int64_t window = 0;                      // rows needed behind a position, itself included; 0: all
  int64_t offset = 0;                      // bytes from the beginning
  int64_t value_offset = 0, entry_offset = 0, index_offset = 0, state_offset = 0;
};

/// The plan of a sequence of `capacity` positions; `bytes` in all.
struct CachePlan {
  std::vector<LayerCache> layers;
  int64_t bytes = 0;
};
CachePlan PlanCache(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity);

/// Half precision in deployed arithmetic (what the engines use by default), float32 in reference arithmetic.
class Sequence {
 public:
  Sequence(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity);
  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  bool half() const { return half_; }
  /// The second set of rotation factors is in use (longrope): the capacity exceeds the original context.
  bool long_rope() const { return long_rope_; }
  int64_t bytes() const { return plan_.bytes; }

  /// The largest m <= n to which Truncate can go back, and of which CopyPrefix can take a copy: what a window has left
  /// behind and what a recurrent state has taken in cannot be undone.
  int64_t Restorable(int64_t n) const;
  /// Forgets everything from position `length` on; `length` is restorable, or 0.
  void Truncate(int64_t length);
  /// True when CopyPrefix from `other` is possible at all.
  bool Alike(const Sequence& other) const;
  /// Takes over the first n positions of another sequence of the same model; n is restorable there, and fits.
  void CopyPrefix(const Sequence& other, int64_t n);

  // For models.
  const LayerCache& layer(int64_t i) const { return plan_.layers[static_cast<size_t>(i)]; }
  /// Keys (values) of position p begin p - base rows behind this.
  std::byte* Keys(int64_t layer) const;
  std::byte* Values(int64_t layer) const;
  /// Compressed entries; the keys of an indexer. They are never moved.
  std::byte* Entries(int64_t layer) const;
  std::byte* IndexKeys(int64_t layer) const;
  /// Puts x [width] into a row of a plane.
  void Write(std::byte* plane, int64_t row, const float* x, int64_t width) const;
  float* State(int64_t layer) const;
  int64_t base(int64_t layer) const { return bases_[static_cast<size_t>(layer)]; }
  /// Makes room for positions up to `end` in all layers, moving windows to the front where they are full.
  void MakeRoom(int64_t end);
  void set_length(int64_t length) { length_ = length; }

 private:
  std::byte* At(int64_t offset) const;
  CachePlan plan_;
  int64_t capacity_, length_ = 0;
  bool half_, long_rope_ = false, recurrent_ = false;
  std::vector<int64_t> bases_;
  std::unique_ptr<std::byte[]> data_;
};

}  // namespace assay
