#include "checkpoint/writer.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "checkpoint/gguf/gguf_types.h"
#include "checkpoint/layout.h"
#include "checkpoint/model_files.h"
#include "checkpoint/writer_base.h"

namespace assay {

constexpr uint64_t kHfShardBytes = 5'000'000'000;  // as the hub's own tools write them

void WriteCursor::Accept(size_t tensor, int64_t row_begin, int64_t n_rows, size_t codes_bytes, size_t scales_bytes) {
  if (tensor == tensor_ + 1 && TensorDone()) {
    ++tensor_;
    row_ = 0;
  }
  ASSAY_CHECK(tensor == tensor_ && tensor < tensors_.size());
  const OutputTensor& out = tensors_[tensor];
  ASSAY_CHECK(row_begin == row_ && n_rows > 0 && n_rows <= out.rows - row_begin);
  bool last = row_begin + n_rows == out.rows;
  const Format& format = *out.format;
  if (format.flat) {
    // Pieces begin at a block; the last one may end inside one.
    ASSAY_CHECK(row_begin * out.cols % std::max(format.block_weights, format.scale_weights) == 0);
    ASSAY_CHECK(last || (row_begin + n_rows) * out.cols % std::max(format.block_weights, format.scale_weights) == 0);
  }
  ASSAY_CHECK(static_cast<int64_t>(codes_bytes) == CodesBytes(format, n_rows, out.cols));
  ASSAY_CHECK(static_cast<int64_t>(scales_bytes) == ScalesBytes(format, n_rows, out.cols));
  row_ += n_rows;
}

void WriteCursor::ContinueAt(size_t tensor, int64_t row) {
  const bool end = tensor == tensors_.size();
  ASSAY_CHECK(end ? row == 0 && tensor > 0 : row >= 0 && row < tensors_[tensor].rows);
  tensor_ = end ? tensor - 1 : tensor;
  row_ = end ? tensors_.back().rows : row;
}

bool WriteCursor::AllDone() const {
  return tensors_.empty() || (tensor_ + 1 == tensors_.size() && TensorDone());
}

std::vector<std::string> WrongTensors(const std::vector<TensorSlot>& slots, const std::vector<OutputTensor>& tensors) {
  std::unordered_map<std::string, bool> places;  // whether it is required, and missing so far
  for (const TensorSlot& slot : slots) places.emplace(slot.name, slot.required);
  std::vector<std::string> out;
  for (const OutputTensor& tensor : tensors) {
    auto place = places.find(tensor.name);
    if (place != places.end())
      place->second = false;
    else if (!IsRopeTable(tensor.name))
      out.push_back(fmt::format("has no place for tensor {}", tensor.name));
  }
  for (const auto& [name, missing] : places)
    if (missing) out.push_back(fmt::format("wants a tensor {}", name));
  std::sort(out.begin(), out.end());
  return out;
}

Container DefaultContainer(const Format& format) {
  return HasGgufType(format) ? Container::kGguf : Container::kHuggingFace;
}

std::unique_ptr<CheckpointWriter> CheckpointWriter::Create(Container container, const std::filesystem::path& out,
                                                           const Checkpoint& source, std::string_view preset,
                                                           const std::vector<OutputTensor>& tensors,
                                                           uint64_t shard_bytes, std::string_view hf_container,
                                                           const OutputRules& rules) {
  if (out.empty()) Fail(ErrorKind::kInvalid, "the output has no name");
  std::vector<Tensor> shapes;
  for (const OutputTensor& tensor : tensors) {
    Tensor shape;
    shape.name = shape.source_name = tensor.name;
    shape.shape = tensor.shape;
    shape.format = tensor.format;
    int64_t elements = 1;
    for (int64_t dim : tensor.shape) elements *= dim;
    ASSAY_CHECK(tensor.format && tensor.rows * tensor.cols == elements && tensor.cols == tensor.shape.back());
    ASSAY_CHECK(!tensor.format->integers || tensor.format == &TableFormat(container));
    if (!FitsColumns(*tensor.format, tensor.cols))
      Fail(ErrorKind::kInvalid, "{}: tensor {}: {} columns do not fit format {}", out.string(), tensor.name,
           tensor.cols, tensor.format->name);
    shapes.push_back(std::move(shape));
  }
  ModelConfig written = source.config();
  if (container == Container::kGguf) written.per_layer_rows = 0;  // TensorOrders::every_token
  CheckTensors(Layout(written), written, shapes, out.string());
  OutputRules guarded = rules;
  for (FileState& file : ModelFiles(source.path())) guarded.sources.push_back(std::move(file));
  if (container == Container::kGguf) return CreateGgufWriter(out, source, preset, tensors, shard_bytes, guarded);
  return CreateHfWriter(out, source, tensors, shard_bytes > 0 ? shard_bytes : kHfShardBytes, hf_container, guarded);
}

}  // namespace assay
