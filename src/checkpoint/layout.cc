#include "checkpoint/layout.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/error.h"

namespace assay {

void CheckTensors(const Layout& layout, const ModelConfig& config, const std::vector<Tensor>& tensors,
                  std::string_view where) {
  std::unordered_map<std::string_view, const Tensor*> by_name;
  for (const Tensor& tensor : tensors) by_name.emplace(tensor.name, &tensor);
  for (const TensorSlot& slot : layout.slots()) {
    auto found = by_name.find(slot.name);
    if (found == by_name.end()) {
      if (slot.required)
        Fail(ErrorKind::kCorrupt, "{}: tensor {} {} is missing (the configuration says {} layers)", where, slot.name,
             ShapeText(slot.shape), config.n_layers);
      continue;
    }
    if (found->second->shape != slot.shape)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: the configuration expects shape {}, found {}", where,
           found->second->source_name, ShapeText(slot.shape), ShapeText(found->second->shape));
    if (slot.integers != found->second->format->integers)
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected {}, found {}", where, found->second->source_name,
           slot.integers ? "integers" : "weights", found->second->format->name);
    if (slot.shape.size() == 1) {
      const Format& format = *found->second->format;
      if (!IsPlain(format))
        Fail(ErrorKind::kUnsupported, "{}: tensor {}: norms and biases are expected in f32, f16 or bf16, found {}",
             where, found->second->source_name, format.name);
    }
  }
  for (const Tensor& tensor : tensors) {
    if (layout.Find(tensor.name) || IsRopeTable(tensor.name)) continue;
    Fail(ErrorKind::kUnsupported, "{}: tensor {} {} has no place in the {} architecture with {} layers", where,
         tensor.source_name, ShapeText(tensor.shape), config.architecture, config.n_layers);
  }
}

void CheckTables(const ModelConfig& config, const std::vector<Tensor>& tensors, std::string_view where) {
  for (const Tensor& tensor : tensors) {
    if (!tensor.format->integers) continue;
    const LoadedTensor table = tensor.LoadRows(0, tensor.rows);
    const PackedView& view = table.view;
    std::vector<float> row(static_cast<size_t>(view.cols));
    for (int64_t r = 0; r < view.rows; ++r) {
      view.format->decode_row(view, r, row.data());
      for (float id : row)
        if (!(id >= 0 && id < static_cast<float>(config.experts.count)))
          Fail(ErrorKind::kCorrupt, "{}: tensor {}: row {} names expert {} of {}", where, tensor.source_name, r, id,
               config.experts.count);
    }
  }
}

bool FitsPlace(const StoredPlace& place, const Format& format, int64_t rows, int64_t cols) {
  if (place.whole()) return true;
  if (place.turned) return false;
  int64_t step = format.block_rows;  // rows that are whole blocks together
  if (format.flat) {
    const int64_t block = std::max<int64_t>(format.block_weights, format.scale_weights);
    step = block / std::gcd(block, cols);
    if (place.run > 0) return false;
  }
  return rows % step == 0 && place.first % step == 0 && place.run % step == 0 && place.stride % step == 0;
}

const Format& TableFormat(Container container) {
  const int bits = container == Container::kGguf ? 32 : 64;
  for (const Format& table : IntegerTables())
    if (table.bits == bits) return table;
  Fail(ErrorKind::kUnsupported, "there is no table of {}-bit integers", bits);
}

void DecodeInOrder(const PackedView& view, const TensorOrder& order, int64_t row, float* out) {
  const int64_t from = order.rows.empty() ? row : order.rows[static_cast<size_t>(row)];
  if (order.cols.empty()) return view.format->decode_row(view, from, out);
  std::vector<float> all(order.cols.size());
  view.format->decode_row(view, from, all.data());
  for (size_t i = 0; i < all.size(); ++i) out[i] = all[static_cast<size_t>(order.cols[i])];
  if (order.factors.empty()) return;
  const float factor = order.factors[order.factors.size() == 1 ? 0 : static_cast<size_t>(row)];
  for (size_t i = 0; i < all.size(); ++i) out[i] *= factor;
}

}  // namespace assay
