// Tensors of a file that hold several of ours, taken apart.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "checkpoint/layout.h"

namespace assay {
namespace {

/// The part's rows, of which `all` are ours, of a plane of the stored tensor.
PlaneSource RowsOf(const PlaneSource& stored, const StoredPlace& place, int64_t all, int64_t row_bytes) {
  if (!stored.there()) return {};
  if (place.run == 0 && stored.mapped) {
    PlaneSource part;
    place.ForRuns(0, 1, all, [&](int64_t, int64_t at, int64_t) { part.mapped = stored.mapped + at * row_bytes; });
    return part;
  }
  return {nullptr, [stored, place, all, row_bytes](int64_t begin, int64_t n, std::byte* out) {
            place.ForRuns(begin, n, all, [&](int64_t row, int64_t at, int64_t count) {
              std::byte* to = out + (row - begin) * row_bytes;
              if (stored.make)
                stored.make(at, count, to);
              else
                std::memcpy(to, stored.mapped + at * row_bytes, static_cast<size_t>(count * row_bytes));
            });
          }};
}

class Splitter {
 public:
  explicit Splitter(std::string_view where) : where_(where) {}

  Tensor Part(const Tensor& stored, const TensorSlot& slot, const StoredPlace& place, StoredValue value) const {
    Tensor out;
    out.name = slot.name;
    out.source_name = stored.source_name;
    out.shape = slot.shape;
    out.format = stored.format;
    out.rows = slot.shape.size() == 2 ? slot.shape[0] : 1;
    out.cols = slot.shape.back();
    out.global_scale = stored.global_scale;
    out.global_divisor = stored.global_divisor;
    out.activation_scale = stored.activation_scale;
    out.column_group = stored.column_group;
    out.stored_as = stored.stored_as;
    out.originals = stored.originals;
    out.rows_at_once = stored.rows_at_once;
    const int64_t ours = out.rows * out.cols, theirs = stored.rows * stored.cols;
    out.stored_bytes = static_cast<uint64_t>(static_cast<double>(stored.stored_bytes) * static_cast<double>(ours) /
                                             static_cast<double>(theirs));
    if (place.turned)
      Turned(stored, place, out);
    else if (place.transposed && IsPlain(*stored.format))  // packed experts (gpt-oss) lie the usual way
      Transposed(stored, place, out);
    else if (slot.shape.size() == 1)
      Elements(stored, place, out);
    else
      Rows(stored, place, out);
    switch (value) {
      case StoredValue::kSame:
        return out;
      case StoredValue::kLessOne:
        return Restored(out, [](float x) { return x + 1.0f; });
      case StoredValue::kLogOfNegative:
        return Restored(out, [](float x) { return -std::exp(x); });
    }
    return out;
  }

 private:
  /// Rows of a matrix: mapped where they follow each other.
  void Rows(const Tensor& stored, const StoredPlace& place, Tensor& out) const {
    const Format& format = *stored.format;
    if (format.flat) {
      if (place.slices > 1 || format.cyclic || !FitsPlace(place, format, out.rows, out.cols))
        Fail(ErrorKind::kUnsupported, "{}: tensor {}: format {} in a tensor that holds several", where_,
             stored.source_name, format.name);
      out.codes = Shifted(stored.codes, place.first, CodesOffset(format, place.first, stored.cols));
      out.scales = Shifted(stored.scales, place.first, ScalesOffset(format, place.first, stored.cols));
      return;
    }
    out.codes = RowsOf(stored.codes, place, out.rows, CodesBytes(format, 1, stored.cols));
    out.scales = RowsOf(stored.scales, place, out.rows, ScalesBytes(format, 1, stored.cols));
    if (place.run > 0) out.originals = stored.Sources();
  }

  /// A plane from a row on.
  static PlaneSource Shifted(const PlaneSource& stored, int64_t first, int64_t offset) {
    if (stored.mapped) return {stored.mapped + offset, nullptr};
    if (!stored.make) return {};
    return {nullptr,
            [make = stored.make, first](int64_t begin, int64_t n, std::byte* out) { make(first + begin, n, out); }};
  }

  const Format& Plain(const Tensor& stored) const {
    if (!IsPlain(*stored.format))
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: expected f32, f16 or bf16, found {}", where_, stored.source_name,
           stored.format->name);
    return *stored.format;
  }

  /// Elements of a vector, or of a matrix with a row per expert.
  void Elements(const Tensor& stored, const StoredPlace& place, Tensor& out) const {
    const int64_t size = Plain(stored).block_bytes, n = out.cols;
    if (stored.codes.mapped && place.run == 0) {
      out.codes = RowsOf(stored.codes, place, n, size);
      return;
    }
    out.codes.make = [stored, place, size, n](int64_t, int64_t, std::byte* to) {
      const LoadedTensor all = stored.LoadRows(0, stored.rows);
      place.ForRuns(0, n, n, [&](int64_t element, int64_t at, int64_t count) {
        std::memcpy(to + element * size, all.view.codes + at * size, static_cast<size_t>(count * size));
      });
    };
  }

  /// The file has [slices, in, out of all parts].
  void Transposed(const Tensor& stored, const StoredPlace& place, Tensor& out) const {
    const int64_t size = Plain(stored).block_bytes, rows = out.rows, cols = out.cols;
    const int64_t width = place.rows > 0 ? place.rows : rows;
    out.originals = stored.Sources();
    out.rows_at_once = stored.made() ? rows : 1;
    out.codes = {nullptr, [stored, place, size, cols, width](int64_t begin, int64_t n, std::byte* to) {
                   const LoadedTensor slice = stored.LoadRows(place.slice * cols, cols);
                   for (int64_t c = 0; c < cols; ++c)
                     for (int64_t r = 0; r < n; ++r)
                       std::memcpy(to + (r * cols + c) * size,
                                   slice.view.codes + (c * width + place.Row(begin + r)) * size,
                                   static_cast<size_t>(size));
                 }};
  }

  /// Decoded, for what is packed along the rows is not packed along the columns.
  void Turned(const Tensor& stored, const StoredPlace& place, Tensor& out) const {
    Tensor turned;
    turned.name = out.name;
    turned.source_name = out.source_name;
    turned.shape = out.shape;
    turned.stored_bytes = out.stored_bytes;
    turned.stored_as = out.stored_as;
    turned.originals = stored.Sources();
    turned.Borrow(ViewOf(F32Format(), out.rows, out.cols, nullptr));
    turned.rows_at_once = out.rows;  // each needs all the rows that become columns
    turned.codes.make = [stored, first = place.first, cols = out.cols](int64_t begin, int64_t n, std::byte* to) {
      const LoadedTensor rows = stored.LoadRows(first, cols);
      std::vector<float> row(static_cast<size_t>(stored.cols));
      for (int64_t c = 0; c < cols; ++c) {
        rows.view.format->decode_row(rows.view, c, row.data());
        for (int64_t r = 0; r < n; ++r)
          std::memcpy(to + (r * cols + c) * 4, &row[static_cast<size_t>(begin + r)], sizeof(float));
      }
    };
    out = std::move(turned);
  }

  /// Values that the file stores otherwise; they become float32.
  static Tensor Restored(const Tensor& stored, float (*restore)(float)) {
    return Decoded(stored,
                   [restore, cols = stored.cols](float* row) { std::transform(row, row + cols, row, restore); });
  }

  std::string_view where_;
};

}  // namespace

void SplitStored(const Layout& layout, Container container, std::vector<Tensor>& tensors, std::string_view where) {
  const bool hf = container == Container::kHuggingFace;
  std::unordered_map<std::string_view, std::vector<const TensorSlot*>> parts;
  for (const TensorSlot& slot : layout.slots()) {
    const StoredPlace& place = hf ? slot.in_hf : slot.in_gguf;
    if (place.whole() && place.name == (hf ? slot.hugging_face : slot.name) &&
        !(hf && slot.hf_value != StoredValue::kSame))
      continue;
    parts[place.name].push_back(&slot);
  }
  if (parts.empty()) return;
  const Splitter splitter(where);
  std::vector<Tensor> out;
  for (Tensor& stored : tensors) {
    auto found = parts.find(stored.source_name);
    if (found == parts.end()) {
      out.push_back(std::move(stored));
      continue;
    }
    int64_t expected = 0, stored_elements = 1;
    for (int64_t dim : stored.shape) stored_elements *= dim;
    for (const TensorSlot* slot : found->second) {
      int64_t n = 1;
      for (int64_t dim : slot->shape) n *= dim;
      expected += n;
    }
    const TensorSlot& first = *found->second.front();
    bool same_cols = first.in_hf.transposed || (hf && first.in_hf.turned) || first.shape.size() == 1 ||
                     stored.cols == first.shape.back();
    if (expected != stored_elements || !same_cols)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: the configuration expects {} elements in rows of {}, found shape {}",
           where, stored.source_name, expected, first.shape.back(), ShapeText(stored.shape));
    for (const TensorSlot* slot : found->second)
      out.push_back(
          splitter.Part(stored, *slot, hf ? slot->in_hf : slot->in_gguf, hf ? slot->hf_value : StoredValue::kSame));
  }
  tensors = std::move(out);
}

}  // namespace assay
