#pragma once
// A tensor of a checkpoint: what headers and small tensors say of it, and its planes for whoever asks.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/format.h"
#include "system/threads.h"

namespace assay {

/// Writes rows [begin, begin + n) of one plane, as the format lays them, to `out`; of a flat format whole blocks. On
/// any thread. Throws Error{kCorrupt} for what only the bytes say.
using RowMaker = std::function<void(int64_t begin, int64_t n, std::byte* out)>;

/// Where one plane of a tensor comes from. Neither: its format has no such plane.
struct PlaneSource {
  const std::byte* mapped = nullptr;  // the file's own bytes
  RowMaker make;                      // the file keeps it in another order or width

  bool there() const { return mapped != nullptr || make != nullptr; }
};

/// Planes that were made.
struct MadePlanes {
  std::unique_ptr<std::byte[]> codes, scales;
  size_t codes_bytes = 0, scales_bytes = 0;
};

/// A tensor with its planes. Those that are mapped, and the column groups, belong to the checkpoint, which must outlive
/// it.
struct LoadedTensor {
  PackedView view;
  std::shared_ptr<const MadePlanes> made;  // null: all is mapped
};

struct Tensor {
  std::string name;            // canonical
  std::string source_name;     // as the file calls it (Hugging Face: the module's weight)
  std::vector<int64_t> shape;  // mathematical order: [out, in], or [n]
  const Format* format = nullptr;
  int64_t rows = 0, cols = 0;                                                 // vectors: 1, n
  float global_scale = 1.0f, global_divisor = 1.0f, activation_scale = 0.0f;  // of PackedView
  std::shared_ptr<const std::vector<int32_t>> column_group;                   // [cols], of PackedView; null: in order
  uint64_t stored_bytes = 0;                                                  // in the file, scales included
  std::string stored_as;  // where the weights are decoded: what the file has ("exl3 mcg 3-bit"); else empty
  PlaneSource codes, scales;
  int64_t rows_at_once = 1;                           // that are made together for little more than one
  std::vector<std::span<const std::byte>> originals;  // what is read of the file to make planes, once

  /// What the file has, for people.
  std::string_view format_name() const { return stored_as.empty() ? format->name : std::string_view(stored_as); }
  /// Sets all that a view has; its planes are borrowed.
  void Borrow(const PackedView& view);
  /// Whether a plane has to be made.
  bool made() const { return codes.make != nullptr || scales.make != nullptr; }
  /// Bytes of the file: originals and mapped planes.
  std::vector<std::span<const std::byte>> Sources() const;
  /// What its planes take in memory, mapped or made.
  int64_t codes_bytes() const { return CodesBytes(*format, rows, cols); }
  int64_t scales_bytes() const { return scales.there() ? ScalesBytes(*format, rows, cols) : 0; }

  /// The planes. Mapped ones cost nothing; others are made on the pool, unless somebody holds them already, and are
  /// gone when nobody does. Throws Error{kCorrupt} naming the file and its tensor.
  LoadedTensor Load(ThreadPool& pool) const;
  /// Rows [begin, begin + n) as a matrix of their own, on the calling thread; of a flat format whole blocks.
  LoadedTensor LoadRows(int64_t begin, int64_t n) const;

 private:
  /// Who holds the planes now. Copies of a tensor share them.
  struct Held {
    std::mutex mutex;
    std::weak_ptr<const MadePlanes> planes;
  };
  PackedView View() const;
  std::shared_ptr<Held> held_ = std::make_shared<Held>();
};

/// The tensor as float32, each decoded row changed: for values that no packed format holds.
Tensor Decoded(const Tensor& base, std::function<void(float* row)> change);

/// Bytes in front of row `row` in a plane.
int64_t CodesOffset(const Format& format, int64_t row, int64_t cols);
int64_t ScalesOffset(const Format& format, int64_t row, int64_t cols);

}  // namespace assay
