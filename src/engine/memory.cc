#include "engine/memory.h"

#include <algorithm>

#include "system/file.h"

namespace assay {
namespace {

template <typename Count>
MemoryUse SumOfPlanes(const Checkpoint& checkpoint, Count count) {
  MemoryUse use;
  auto add = [&](const std::byte* data, int64_t bytes) {
    const std::span<const std::byte> plane(data, static_cast<size_t>(bytes));
    if (!plane.empty()) (IsMapped(plane) ? use.weights_mapped : use.weights_converted) += count(plane);
  };
  for (const Tensor& tensor : checkpoint.tensors()) {
    const PackedView& view = tensor.view;
    add(view.codes, CodesBytes(*view.format, view.rows, view.cols));
    if (view.scales) add(view.scales, ScalesBytes(*view.format, view.rows, view.cols));
  }
  return use;
}

}  // namespace

MemoryUse PlanMemory(const Model& model, int64_t context, int64_t batch_tokens, int threads) {
  MemoryUse plan = SumOfPlanes(model.checkpoint(), [](std::span<const std::byte> plane) { return plane.size(); });
  plan.kv_cache = static_cast<uint64_t>(PlanCache(model.config(), model.arithmetic(), context).bytes);
  plan.scratch = static_cast<uint64_t>(
      model.PlanWorkspace(std::min({batch_tokens, context, kStepTokens}), 1, context, threads).bytes());
  return plan;
}

MemoryUse ResidentWeights(const Checkpoint& checkpoint) {
  return SumOfPlanes(checkpoint, ResidentBytes);
}

}  // namespace assay
