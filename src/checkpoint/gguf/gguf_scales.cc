#include "checkpoint/gguf/gguf_scales.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "checkpoint/layout.h"
#include "format/nvfp4.h"

namespace assay {
namespace {

constexpr std::string_view kWeight = ".weight", kScale = ".scale", kInputScale = ".input_scale";

std::string Replaced(std::string_view name, std::string_view end, std::string_view by) {
  return std::string(name.substr(0, name.size() - end.size())) + std::string(by);
}

const GgufTensor* FindTensor(const std::vector<GgufFile>& files, std::string_view name) {
  for (const GgufFile& file : files)
    if (const GgufTensor* tensor = file.FindTensor(name)) return tensor;
  return nullptr;
}

}  // namespace

std::string GgufScaleName(std::string_view weight) {
  return Replaced(weight, kWeight, kScale);
}
std::string GgufInputScaleName(std::string_view weight) {
  return Replaced(weight, kWeight, kInputScale);
}

bool GgufScales::Take(const GgufFile& file, const GgufTensor& tensor, const std::vector<GgufFile>& files) {
  const bool input = tensor.name.ends_with(kInputScale);
  if (!input && !tensor.name.ends_with(kScale)) return false;
  const std::string weight = Replaced(tensor.name, input ? kInputScale : kScale, kWeight);
  const GgufTensor* matrix = FindTensor(files, weight);
  if (!matrix || !IsNvfp4(*matrix->format)) return false;
  const int64_t slices = matrix->shape.size() == 3 ? matrix->shape[0] : 1;
  if (tensor.format != &F32Format() || tensor.rows != 1 || tensor.cols != slices)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected [{}] of f32, found {} {}", file.where, tensor.name, slices,
         ShapeText(tensor.shape), tensor.format->name);
  std::vector<float> values(static_cast<size_t>(slices));
  std::memcpy(values.data(), tensor.data, values.size() * sizeof(float));
  for (float value : values)
    if (!std::isfinite(value) || (input && !(value > 0.0f)))
      Fail(ErrorKind::kCorrupt, "{}: tensor {} holds {}", file.where, tensor.name, value);
  (input ? input_scales_ : scales_)[weight] = {file.where, std::move(values)};
  return true;
}

void GgufScales::Apply(const Layout& layout, std::vector<Tensor>& tensors) const {
  if (scales_.empty() && input_scales_.empty()) return;
  for (Tensor& tensor : tensors) {
    const TensorSlot* slot = layout.Find(tensor.name);
    auto value = [&](const std::map<std::string, Found>& all, float& out) {
      auto found = all.find(tensor.source_name);
      if (found == all.end() || !slot) return;
      const auto slice = static_cast<size_t>(slot->in_gguf.slice);
      if (slice >= found->second.values.size())
        Fail(ErrorKind::kCorrupt, "{}: tensor {}: {} scales, expected one for part {}", found->second.where,
             tensor.source_name, found->second.values.size(), slice);
      out = found->second.values[slice];
    };
    if (!IsNvfp4(*tensor.format)) continue;
    value(scales_, tensor.global_scale);
    value(input_scales_, tensor.activation_scale);
    // A product that overflows would make infinite weights.
    if (!std::isfinite(tensor.global_scale * 448.0f * 6.0f))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: a scale of {}", scales_.at(tensor.source_name).where,
           tensor.source_name, tensor.global_scale);
  }
}

}  // namespace assay
