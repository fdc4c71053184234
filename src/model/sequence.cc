#include "model/sequence.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernel/ops.h"

namespace assay {
namespace {

int64_t Aligned(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

CachePlan PlanCache(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity) {
  const int64_t element = arithmetic == Arithmetic::kDeployed ? 2 : 4;
  CachePlan plan;
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const LayerConfig layer = config.Layer(i);
    LayerCache cache;
    cache.offset = plan.bytes;
    if (layer.recurrent) {
      const DeltaConfig& d = config.delta;
      int64_t channels = 2 * d.key_heads * d.key_dim + d.value_heads * d.value_dim;
      cache.state_bytes = 4 * (d.value_heads * d.key_dim * d.value_dim + channels * (d.kernel - 1));
      plan.bytes += Aligned(cache.state_bytes);
    } else {
      cache.window = layer.window;
      cache.rows = layer.window > 0 ? std::min(capacity, layer.window - 1 + kStepTokens) : capacity;
      if (config.latent.kv_rank > 0) {  // values are the beginning of the keys
        cache.key_width = config.latent.kv_rank + config.latent.rope_dim;
      } else {
        cache.key_width = cache.value_width = config.n_kv_heads * config.head_dim;
      }
      if (config.indexer.heads > 0 && !layer.shared_index) cache.index_width = config.indexer.head_dim;
      auto plane = [&](int64_t width) {
        const int64_t offset = plan.bytes;
        plan.bytes += Aligned(cache.rows * width * element);
        return offset;
      };
      plane(cache.key_width);
      cache.value_offset = plane(cache.value_width);
      cache.index_offset = plane(cache.index_width);
    }
    plan.layers.push_back(cache);
  }
  return plan;
}

Sequence::Sequence(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity)
    : plan_(PlanCache(config, arithmetic, capacity)),
      capacity_(capacity),
      half_(arithmetic == Arithmetic::kDeployed),
      bases_(plan_.layers.size(), 0) {
  long_rope_ = !config.rope_long_factors.empty() && capacity > config.rope_scaling.original_context;
  for (const LayerCache& layer : plan_.layers) recurrent_ = recurrent_ || layer.state_bytes > 0;
  data_.reset(new std::byte[static_cast<size_t>(plan_.bytes + 64)]);
  Truncate(0);
}

std::byte* Sequence::Keys(int64_t layer) const {
  auto address = reinterpret_cast<uintptr_t>(data_.get());
  return data_.get() + (64 - address % 64) % 64 + plan_.layers[static_cast<size_t>(layer)].offset;
}

std::byte* Sequence::Values(int64_t layer) const {
  const LayerCache& cache = plan_.layers[static_cast<size_t>(layer)];
  return Keys(layer) + (cache.value_offset - cache.offset);
}

std::byte* Sequence::IndexKeys(int64_t layer) const {
  const LayerCache& cache = plan_.layers[static_cast<size_t>(layer)];
  return Keys(layer) + (cache.index_offset - cache.offset);
}

void Sequence::Write(int64_t layer, std::byte* plane, int64_t position, const float* x, int64_t width) const {
  const int64_t row = position - base(layer);
  if (half_)
    ToHalf(x, width, reinterpret_cast<uint16_t*>(plane) + row * width);
  else
    std::memcpy(reinterpret_cast<float*>(plane) + row * width, x, static_cast<size_t>(width) * 4);
}

int64_t Sequence::Restorable(int64_t n) const {
  n = std::min(n, length_);
  if (n == length_) return n;
  if (recurrent_) return 0;
  for (size_t i = 0; i < plan_.layers.size(); ++i)
    if (plan_.layers[i].window > 0 && std::max<int64_t>(0, n - plan_.layers[i].window + 1) < bases_[i]) return 0;
  return n;
}

void Sequence::Truncate(int64_t length) {
  ASSAY_CHECK(length == 0 || Restorable(length) == length);
  if (length == 0) {
    std::fill(bases_.begin(), bases_.end(), 0);
    for (size_t i = 0; i < plan_.layers.size(); ++i)
      if (plan_.layers[i].state_bytes > 0)
        std::memset(Keys(static_cast<int64_t>(i)), 0, static_cast<size_t>(plan_.layers[i].state_bytes));
  }
  length_ = length;
}

bool Sequence::Alike(const Sequence& other) const {
  return half_ == other.half_ && long_rope_ == other.long_rope_ && plan_.layers.size() == other.plan_.layers.size();
}

void Sequence::CopyPrefix(const Sequence& other, int64_t n) {
  if (&other == this) return Truncate(n);
  ASSAY_CHECK(other.Restorable(n) == n && n <= capacity_ && Alike(other));
  const int64_t element = half_ ? 2 : 4;
  for (size_t i = 0; i < plan_.layers.size(); ++i) {
    const LayerCache& mine = plan_.layers[i];
    const LayerCache& theirs = other.plan_.layers[i];
    auto index = static_cast<int64_t>(i);
    if (mine.state_bytes > 0) {
      std::memcpy(Keys(index), other.Keys(index), static_cast<size_t>(mine.state_bytes));
      continue;
    }
    int64_t first = mine.window > 0 ? std::max<int64_t>(0, n - mine.window + 1) : 0;
    if (n - other.bases_[i] <= mine.rows) first = other.bases_[i];  // all of it fits
    bases_[i] = first;
    auto copy = [&](std::byte* to, const std::byte* from, int64_t width) {
      std::memcpy(to, from + (first - other.bases_[i]) * width * element,
                  static_cast<size_t>((n - first) * width * element));
    };
    ASSAY_CHECK(n - first <= mine.rows && mine.key_width == theirs.key_width);
    copy(Keys(index), other.Keys(index), mine.key_width);
    if (mine.value_width > 0) copy(Values(index), other.Values(index), mine.value_width);
    if (mine.index_width > 0) copy(IndexKeys(index), other.IndexKeys(index), mine.index_width);
  }
  length_ = n;
}

void Sequence::MakeRoom(int64_t end) {
  ASSAY_CHECK(end <= capacity_);
  const int64_t element = half_ ? 2 : 4;
  for (size_t i = 0; i < plan_.layers.size(); ++i) {
    const LayerCache& cache = plan_.layers[i];
    if (cache.state_bytes > 0 || end - bases_[i] <= cache.rows) continue;
    int64_t first = std::max(bases_[i], length_ - cache.window + 1);  // what position `length_` still sees
    ASSAY_CHECK(cache.window > 0 && end - first <= cache.rows);
    auto move = [&](std::byte* plane, int64_t width) {
      std::memmove(plane, plane + (first - bases_[i]) * width * element,
                   static_cast<size_t>((length_ - first) * width * element));
    };
    auto index = static_cast<int64_t>(i);
    move(Keys(index), cache.key_width);
    if (cache.value_width > 0) move(Values(index), cache.value_width);
    if (cache.index_width > 0) move(IndexKeys(index), cache.index_width);
    bases_[i] = first;
  }
}

}  // namespace assay
