#include "checkpoint/hf/packing/zero_biases.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "checkpoint/hf/packing/source.h"

namespace assay {
namespace {

constexpr std::string_view kWeight = ".weight", kBias = ".bias";

/// Zeros of either sign.
bool AllZeros(const SafetensorsTensor& tensor) {
  const std::string_view name = PlainFormatOfDtype(tensor.dtype);
  if (name.empty()) return false;
  const Format& format = GetFormat(name);
  const PackedView view =
      ViewOf(format, 1, static_cast<int64_t>(tensor.data.size()) / format.block_bytes, tensor.data.data());
  std::vector<float> values(static_cast<size_t>(view.cols));
  view.format->decode_row(view, 0, values.data());
  return std::all_of(values.begin(), values.end(), [](float x) { return x == 0.0f; });
}

}  // namespace

size_t LeaveZeroBiases(std::span<const TensorSlot> slots, std::vector<SafetensorsFile>& files) {
  std::unordered_map<std::string, int64_t> expected;  // biases that modules could have, and their length
  std::unordered_set<std::string> weights;            // what the class has
  for (const TensorSlot& slot : slots) {
    if (slot.hugging_face.ends_with(kWeight) && slot.shape.size() <= 2)
      expected.emplace(slot.hugging_face.substr(0, slot.hugging_face.size() - kWeight.size()) + std::string(kBias),
                       slot.shape[0]);
    if (slot.required || !slot.hugging_face.ends_with(kBias)) weights.insert(slot.hugging_face);
  }
  size_t n = 0;
  for (SafetensorsFile& file : files)
    n += std::erase_if(file.tensors, [&](const SafetensorsTensor& tensor) {
      if (!tensor.name.ends_with(kBias) || weights.contains(tensor.name)) return false;
      auto found = expected.find(tensor.name);
      return found != expected.end() && tensor.shape == std::vector<int64_t>{found->second} && AllZeros(tensor);
    });
  return n;
}

}  // namespace assay
