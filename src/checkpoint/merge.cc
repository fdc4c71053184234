// The reverse of split.cc: our tensors laid into the tensors that a container has.

#include <unordered_map>

#include "base/error.h"
#include "checkpoint/layout.h"
#include "checkpoint/writer_base.h"

namespace assay {
namespace {

int64_t Elements(const std::vector<int64_t>& shape) {
  int64_t n = 1;
  for (int64_t dim : shape) n *= dim;
  return n;
}

}  // namespace

MergePlan PlanMerge(const Layout& layout, Container container, const std::vector<OutputTensor>& outputs,
                    std::string_view where) {
  const bool hf = container == Container::kHuggingFace;
  MergePlan plan;
  std::unordered_map<std::string, size_t> at;
  std::vector<int64_t> filled;
  for (const OutputTensor& output : outputs) {
    const TensorSlot* found = layout.Find(output.name);
    if (!found) {  // tensors without a slot (rope_freqs.weight) are stored as they are
      plan.parts.push_back({plan.stored.size(), {}});
      plan.stored.push_back(output);
      filled.push_back(output.rows * output.cols);
      continue;
    }
    const StoredPlace& place = hf ? found->in_hf : found->in_gguf;
    auto [index, fresh] = at.emplace(place.name, plan.stored.size());
    if (fresh) {
      OutputTensor stored = output;
      stored.name = place.name;
      stored.shape = place.ShapeAround(std::move(stored.shape));
      stored.cols = stored.shape.back();
      stored.rows = Elements(stored.shape) / stored.cols;
      plan.stored.push_back(std::move(stored));
      filled.push_back(0);
    }
    const OutputTensor& stored = plan.stored[index->second];
    if (stored.format != output.format)
      Fail(ErrorKind::kInvalid, "{}: tensor {}: all its parts have one format, but {} is {} and others are {}", where,
           stored.name, output.name, output.format->name, stored.format->name);
    if (place.transposed && output.format->block_weights != 1)
      Fail(ErrorKind::kUnsupported, "{}: tensor {} is stored [in, out], which {} cannot be", where, stored.name,
           output.format->name);
    filled[index->second] += output.rows * output.cols;
    plan.parts.push_back({index->second, place});
  }
  for (size_t i = 0; i < plan.stored.size(); ++i)
    if (filled[i] != Elements(plan.stored[i].shape))
      Fail(ErrorKind::kInvalid, "{}: tensor {}: {} of {} elements are there", where, plan.stored[i].name, filled[i],
           Elements(plan.stored[i].shape));
  return plan;
}

}  // namespace assay
