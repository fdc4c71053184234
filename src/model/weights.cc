#include "model/weights.h"

#include "base/error.h"
#include "describe/slots.h"
#include "system/machine.h"

namespace assay {

WeightReader WeightReader::OfLayer(int64_t layer) const {
  WeightReader reader = *this;
  reader.prefix_ = fmt::format("blk.{}.", layer);
  reader.layer_ = layer;
  return reader;
}

bool WeightReader::Has(const std::string& name) const {
  return checkpoint_ && checkpoint_->Find(prefix_ + name) != nullptr;
}

const Tensor& WeightReader::Get(const std::string& name, const std::vector<int64_t>& shape) const {
  const Tensor& tensor = checkpoint_->Get(prefix_ + name);
  if (tensor.shape != shape)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected shape {} from the configuration, found {}",
         checkpoint_->path().string(), tensor.source_name, ShapeText(shape), ShapeText(tensor.shape));
  return tensor;
}

PackedView WeightReader::ReadMatrix(const std::string& name, int64_t rows, int64_t cols) const {
  if (checkpoint_) {
    auto [found, fresh] = matrices_->try_emplace(prefix_ + name);
    if (fresh) found->second = Get(name, {rows, cols}).Load(*pool_);
    return found->second.view;
  }
  PackedView view;
  view.format = format_;
  view.rows = rows;
  view.cols = cols;
  return view;
}

Vector WeightReader::ReadVector(const std::string& name, int64_t n) const {
  if (!checkpoint_) return {};
  const LoadedTensor loaded = Get(name, {n}).Load(*pool_);
  Vector out(static_cast<size_t>(n));
  loaded.view.format->decode_row(loaded.view, 0, out.data());
  return out;
}

Vector WeightReader::ReadOptionalVector(const std::string& name, int64_t n) const {
  return Has(name) ? ReadVector(name, n) : Vector{};
}

Vector WeightReader::ReadTable(const std::string& name, int64_t rows, int64_t cols) const {
  if (!checkpoint_) return {};
  const LoadedTensor loaded = Get(name, {rows, cols}).Load(*pool_);
  const PackedView& view = loaded.view;
  Vector out(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) view.format->decode_row(view, r, out.data() + r * cols);
  return out;
}

NormWeights WeightReader::ReadNorm(const std::string& name, int64_t n) const {
  return {ReadOptionalVector(name + ".weight", n), ReadOptionalVector(name + ".bias", n)};
}

const LinearKernel& WeightReader::Kernel(const PackedView& weight) const {
  if (weight.format) return ChooseLinear(*weight.format, options_.arithmetic, Cpu(), options_.kernel);
  const LinearKernel* largest = nullptr;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.arithmetic != options_.arithmetic) continue;
    if (!largest || kernel.activation_bytes(weight.cols) > largest->activation_bytes(weight.cols)) largest = &kernel;
  }
  ASSAY_CHECK(largest != nullptr);
  return *largest;
}

Linear WeightReader::ReadLinear(const std::string& name, int64_t out, int64_t in) const {
  Linear linear;
  linear.name = prefix_ + name;
  linear.layer = layer_;
  linear.weight = ReadMatrix(name + ".weight", out, in);
  linear.kernel = &Kernel(linear.weight);
  linear.bias = ReadOptionalVector(name + ".bias", out);
  return linear;
}

}  // namespace assay
