#pragma once
// What a model remembers of one sequence. Every layer keeps planes of rows (keys, values …) and a state of fixed size;
// which, its kind of block says (block/table.h). Rows of all positions are kept in pages, which sequences that begin
// alike have in common; what has a fixed size (states; windows, with the room of one step) every sequence has for
// itself.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/block/table.h"
#include "model/cache_format.h"
#include "model/page_pool.h"

namespace assay {

/// Most tokens of one sequence that a step takes; longer ones are cut (Model::Forward), with the same result.
constexpr int64_t kStepTokens = 512;
/// Positions of a page: it holds their rows in all planes that grow.
constexpr int64_t kPagePositions = 256;

/// The plan of a sequence of `capacity` positions.
struct CachePlan {
  std::vector<LayerCache> layers;
  int64_t fixed_bytes = 0;  // taken at the beginning
  int64_t page_bytes = 0;   // of a page; 0: no plane grows
  int64_t pages = 0;        // for all positions
  int64_t bytes = 0;        // in all
};
CachePlan PlanCache(const ModelConfig& config, const CacheFormat& format, int64_t capacity,
                    BlockTable kinds = BlockKinds());
/// In the default format of an arithmetic.
CachePlan PlanCache(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity);

class Sequence {
 public:
  /// Pages are taken from `pool` as they are needed.
  Sequence(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity, PagePool pool = {});
  Sequence(const ModelConfig& config, const CacheFormat& format, int64_t capacity, BlockTable kinds = BlockKinds(),
           PagePool pool = {});
  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  const CacheFormat& format() const { return *format_; }
  /// The second set of rotation factors is in use (longrope): the capacity exceeds the original context.
  bool long_rope() const { return long_rope_; }
  const CachePlan& plan() const { return plan_; }
  /// That it holds now, pages that others hold, too, among them.
  int64_t bytes() const { return plan_.fixed_bytes + static_cast<int64_t>(pages_.size()) * plan_.page_bytes; }
  const std::vector<Page>& pages() const { return pages_; }
  /// Pages that it will take for positions up to `end`.
  int64_t PagesToTake(int64_t end) const;

  /// The largest m <= n to which Truncate can go back, and of which CopyPrefix can take a copy: what a window has left
  /// behind and what a state has taken in cannot be undone.
  int64_t Restorable(int64_t n) const;
  /// Forgets everything from position `length` on; `length` is restorable, or 0.
  void Truncate(int64_t length);
  /// True when CopyPrefix from `other` is possible at all.
  bool Alike(const Sequence& other) const;
  /// Takes over the first n positions of another sequence of the same model; n is restorable there, and fits. Pages are
  /// shared; of the last, if it is not full, a copy is made when this sequence goes on. What has a fixed size is
  /// copied.
  void CopyPrefix(const Sequence& other, int64_t n);

  // For blocks.
  const LayerCache& layer(int64_t i) const { return plan_.layers[static_cast<size_t>(i)]; }
  /// Row r of a plane. In planes of every position, position p is in row p - base(layer); in others, positions
  /// [r * every, (r + 1) * every) have row r.
  std::byte* Row(int64_t layer, int plane, int64_t row) const;
  /// Bytes from one row to the next, where they stand together.
  int64_t RowBytes(int64_t layer, int plane) const;
  /// Rows of [row, end) that stand one after the other from `row` on.
  int64_t Together(int64_t layer, int plane, int64_t row, int64_t end) const;
  /// Puts x into a row.
  void Write(int64_t layer, int plane, int64_t row, const float* x) const;
  /// All rows, as attention reads them; until the next MakeRoom.
  CacheView View(int64_t layer, int plane) const;
  float* State(int64_t layer) const;
  int64_t base(int64_t layer) const { return bases_[static_cast<size_t>(layer)]; }
  /// Makes room for positions up to `end` in all layers, moving windows to the front where they are full.
  void MakeRoom(int64_t end);
  void set_length(int64_t length) { length_ = length; }

 private:
  const CachePlane& Plane(int64_t layer, int plane) const {
    return this->layer(layer).planes[static_cast<size_t>(plane)];
  }
  std::byte* At(int64_t offset) const;
  void MakePages(int64_t end);
  void PutPage(size_t index, Page page);
  const CacheFormat* format_;
  CachePlan plan_;
  int64_t capacity_, length_ = 0;
  bool long_rope_ = false, stateful_ = false;
  std::vector<int64_t> bases_;
  std::unique_ptr<std::byte[]> data_;  // what has a fixed size
  PagePool pool_;
  std::vector<Page> pages_;
  std::vector<std::byte*> page_data_;  // of pages_
  bool owns_last_ = false;             // this sequence filled the last page, as far as it is full
};

}  // namespace assay
