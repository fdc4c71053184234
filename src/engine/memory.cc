#include "engine/memory.h"

#include <algorithm>

#include "system/file.h"
#include "system/machine.h"

namespace assay {
namespace {

template <typename Count>
MemoryUse SumOfPlanes(const Model& model, Count count) {
  MemoryUse use;
  auto add = [&](uint64_t& sum, const std::byte* data, int64_t bytes) {
    if (data && bytes > 0) sum += count(std::span(data, static_cast<size_t>(bytes)));
  };
  for (const Tensor& tensor : model.checkpoint().tensors()) {
    add(use.weights_mapped, tensor.codes.mapped, tensor.codes_bytes());
    add(use.weights_mapped, tensor.scales.mapped, tensor.scales_bytes());
  }
  for (const auto& [name, matrix] : model.matrices()) {
    if (!matrix.made) continue;
    add(use.weights_converted, matrix.made->codes.get(), static_cast<int64_t>(matrix.made->codes_bytes));
    add(use.weights_converted, matrix.made->scales.get(), static_cast<int64_t>(matrix.made->scales_bytes));
  }
  return use;
}

}  // namespace

int64_t DefaultCacheBytes(const Model& model) {
  const auto all = static_cast<int64_t>(MemoryLimitBytes());
  const auto weights =
      static_cast<int64_t>(SumOfPlanes(model, [](std::span<const std::byte> plane) { return plane.size(); }).weights());
  return std::max((all - weights) / 4, all / 16);
}

MemoryUse PlanMemory(const Model& model, int64_t context, int64_t batch_tokens, int threads) {
  MemoryUse plan = SumOfPlanes(model, [](std::span<const std::byte> plane) { return plane.size(); });
  plan.kv_cache = static_cast<uint64_t>(PlanCache(model.config(), model.arithmetic(), context).bytes);
  plan.scratch = static_cast<uint64_t>(
      model.PlanWorkspace(std::min({batch_tokens, context, kStepTokens}), 1, context, threads).bytes());
  return plan;
}

MemoryUse ResidentWeights(const Model& model) {
  return SumOfPlanes(model, ResidentBytes);
}

}  // namespace assay
