// Tensors of a file that hold several of ours, taken apart.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer_base.h"

namespace assay {
namespace {

class Splitter {
 public:
  Splitter(SplitPlanes& planes, std::string_view where) : planes_(planes), where_(where) {}

  Tensor Part(const Tensor& stored, const TensorSlot& slot, const StoredPlace& place, StoredValue value) {
    const PackedView& all = stored.view;
    Tensor out;
    out.name = slot.name;
    out.source_name = stored.source_name;
    out.shape = slot.shape;
    out.view = all;
    out.view.rows = slot.shape.size() == 2 ? slot.shape[0] : 1;
    out.view.cols = slot.shape.back();
    int64_t ours = out.view.rows * out.view.cols, theirs = all.rows * all.cols;
    out.stored_bytes = static_cast<uint64_t>(static_cast<double>(stored.stored_bytes) * static_cast<double>(ours) /
                                             static_cast<double>(theirs));
    if (place.turned)
      Turned(stored, place, out);
    else if (place.transposed && IsPlain(*all.format))  // packed experts (gpt-oss) lie the usual way
      Transposed(stored, slot, place, out);
    else if (slot.shape.size() == 1)
      Elements(stored, slot, place, out);
    else
      Rows(stored, slot, place, out);
    if (value != StoredValue::kSame) Restore(value, out);
    return out;
  }

 private:
  std::byte* Keep(int64_t bytes) {
    return planes_.bytes.emplace_back(static_cast<size_t>(std::max<int64_t>(1, bytes))).data();
  }

  /// Rows of a matrix: a view where they follow each other.
  void Rows(const Tensor& stored, const TensorSlot& slot, const StoredPlace& place, Tensor& out) {
    const PackedView& all = stored.view;
    const Format& format = *all.format;
    int64_t per_slice = place.rows > 0 ? place.rows : slot.shape[0], base = place.slice * per_slice;
    if (format.flat) {
      if (place.slices > 1 || !FitsPlace(place, format, out.view.rows, out.view.cols))
        Fail(ErrorKind::kUnsupported, "{}: tensor {}: format {} in a tensor that holds several", where_,
             stored.source_name, format.name);
      out.view.codes = all.codes + CodesOffset(format, place.first, all.cols);
      if (all.scales) out.view.scales = all.scales + ScalesOffset(format, place.first, all.cols);
      return;
    }
    int64_t code_bytes = CodesBytes(format, 1, all.cols), scale_bytes = ScalesBytes(format, 1, all.cols);
    if (place.run == 0) {
      out.view.codes = all.codes + (base + place.first) * code_bytes;
      if (all.scales) out.view.scales = all.scales + (base + place.first) * scale_bytes;
      return;
    }
    std::byte* codes = Keep(out.view.rows * code_bytes);
    std::byte* scales = all.scales ? Keep(out.view.rows * scale_bytes) : nullptr;
    for (int64_t r = 0; r < out.view.rows; ++r) {
      int64_t from = base + place.Row(r);
      std::memcpy(codes + r * code_bytes, all.codes + from * code_bytes, static_cast<size_t>(code_bytes));
      if (scales)
        std::memcpy(scales + r * scale_bytes, all.scales + from * scale_bytes, static_cast<size_t>(scale_bytes));
    }
    out.view.codes = codes;
    out.view.scales = scales;
  }

  const Format& Plain(const Tensor& stored) {
    const Format& format = *stored.view.format;
    if (!IsPlain(format))
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: expected f32, f16 or bf16, found {}", where_, stored.source_name,
           format.name);
    return format;
  }

  /// Elements of a vector, or of a matrix with a row per expert.
  void Elements(const Tensor& stored, const TensorSlot& slot, const StoredPlace& place, Tensor& out) {
    int64_t size = Plain(stored).block_bytes, n = slot.shape[0];
    int64_t base = place.slice * (place.rows > 0 ? place.rows : n);
    if (place.run == 0) {
      out.view.codes = stored.view.codes + (base + place.first) * size;
      return;
    }
    std::byte* codes = Keep(n * size);
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(codes + i * size, stored.view.codes + (base + place.Row(i)) * size, static_cast<size_t>(size));
    out.view.codes = codes;
  }

  /// The file has [slices, in, out of all parts].
  void Transposed(const Tensor& stored, const TensorSlot& slot, const StoredPlace& place, Tensor& out) {
    int64_t size = Plain(stored).block_bytes, rows = slot.shape[0], cols = slot.shape[1];
    int64_t width = place.rows > 0 ? place.rows : rows;
    const std::byte* from = stored.view.codes + place.slice * cols * width * size;
    std::byte* to = Keep(rows * cols * size);
    for (int64_t c = 0; c < cols; ++c)
      for (int64_t r = 0; r < rows; ++r)
        std::memcpy(to + (r * cols + c) * size, from + (c * width + place.Row(r)) * size, static_cast<size_t>(size));
    out.view.codes = to;
  }

  /// Decoded, for what is packed along the rows is not packed along the columns.
  void Turned(const Tensor& stored, const StoredPlace& place, Tensor& out) {
    const int64_t rows = out.view.rows, cols = out.view.cols;
    std::byte* plane = Keep(rows * cols * 4);
    std::vector<float> row(static_cast<size_t>(rows));
    for (int64_t c = 0; c < cols; ++c) {
      stored.view.format->decode_row(stored.view, place.first + c, row.data());
      for (int64_t r = 0; r < rows; ++r)
        std::memcpy(plane + (r * cols + c) * 4, &row[static_cast<size_t>(r)], sizeof(float));
    }
    out.view = PackedView{};
    out.view.format = &F32Format();
    out.view.rows = rows;
    out.view.cols = cols;
    out.view.codes = plane;
  }

  /// Values that the file stores otherwise; they become float32.
  void Restore(StoredValue value, Tensor& tensor) {
    const PackedView& view = tensor.view;
    std::byte* plane = Keep(view.rows * view.cols * 4);
    std::vector<float> row(static_cast<size_t>(view.cols));
    for (int64_t r = 0; r < view.rows; ++r) {
      view.format->decode_row(view, r, row.data());
      for (float& x : row) x = value == StoredValue::kLessOne ? x + 1.0f : -std::exp(x);
      std::memcpy(plane + r * view.cols * 4, row.data(), row.size() * 4);
    }
    tensor.view.format = &F32Format();
    tensor.view.codes = plane;
    tensor.view.scales = nullptr;
  }

  SplitPlanes& planes_;
  std::string_view where_;
};

}  // namespace

void SplitStored(const ModelConfig& config, Container container, std::vector<Tensor>& tensors, SplitPlanes& planes,
                 std::string_view where) {
  const bool hf = container == Container::kHuggingFace;
  std::unordered_map<std::string, std::vector<TensorSlot>> slots;
  for (TensorSlot& slot : TensorSlots(config)) {
    const StoredPlace& place = hf ? slot.in_hf : slot.in_gguf;
    if (place.whole() && place.name == (hf ? slot.hugging_face : slot.name) &&
        !(hf && slot.hf_value != StoredValue::kSame))
      continue;
    slots[place.name].push_back(std::move(slot));
  }
  if (slots.empty()) return;
  Splitter splitter(planes, where);
  std::vector<Tensor> out;
  for (Tensor& stored : tensors) {
    auto found = slots.find(stored.source_name);
    if (found == slots.end()) {
      out.push_back(std::move(stored));
      continue;
    }
    int64_t expected = 0, stored_elements = 1;
    for (int64_t dim : stored.shape) stored_elements *= dim;
    for (const TensorSlot& slot : found->second) {
      int64_t n = 1;
      for (int64_t dim : slot.shape) n *= dim;
      expected += n;
    }
    bool same_cols = found->second[0].in_hf.transposed || (hf && found->second[0].in_hf.turned) ||
                     found->second[0].shape.size() == 1 || stored.view.cols == found->second[0].shape.back();
    if (expected != stored_elements || !same_cols)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: the configuration expects {} elements in rows of {}, found shape {}",
           where, stored.source_name, expected, found->second[0].shape.back(), ShapeText(stored.shape));
    for (const TensorSlot& slot : found->second)
      out.push_back(
          splitter.Part(stored, slot, hf ? slot.in_hf : slot.in_gguf, hf ? slot.hf_value : StoredValue::kSame));
  }
  tensors = std::move(out);
}

}  // namespace assay
