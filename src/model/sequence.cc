#include "model/sequence.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace assay {
namespace {

int64_t Aligned(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

CachePlan PlanCache(const ModelConfig& config, const CacheFormat& format, int64_t capacity, BlockTable kinds) {
  CachePlan plan;
  auto bytes = [&](int64_t count) {
    const int64_t offset = plan.bytes;
    plan.bytes += Aligned(count);
    return offset;
  };
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const LayerConfig layer = config.Layer(i);
    const BlockKind& kind = KindOf(kinds, Place::kMixer, config, layer);
    LayerCache cache = kind.cache ? kind.cache(config, layer) : LayerCache{};
    for (CachePlane& plane : cache.planes) {
      if (plane.every > 0) {
        plane.rows = capacity / plane.every;
      } else {
        cache.rows = cache.window > 0 ? std::min(capacity, cache.window - 1 + kStepTokens) : capacity;
        plane.rows = cache.rows;
      }
      plane.offset = bytes(plane.rows * format.row_bytes(plane.width));
    }
    cache.state_offset = bytes(cache.state_floats * 4);
    plan.layers.push_back(std::move(cache));
  }
  return plan;
}

CachePlan PlanCache(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity) {
  return PlanCache(config, DefaultCacheFormat(arithmetic), capacity);
}

Sequence::Sequence(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity)
    : Sequence(config, DefaultCacheFormat(arithmetic), capacity) {}

Sequence::Sequence(const ModelConfig& config, const CacheFormat& format, int64_t capacity, BlockTable kinds)
    : format_(&format),
      plan_(PlanCache(config, format, capacity, kinds)),
      capacity_(capacity),
      bases_(plan_.layers.size(), 0) {
  long_rope_ = !config.rope_long_factors.empty() && capacity > config.rope_scaling.original_context;
  for (const LayerCache& layer : plan_.layers) stateful_ = stateful_ || layer.state_floats > 0;
  data_.reset(new std::byte[static_cast<size_t>(plan_.bytes + 64)]);
  Truncate(0);
}

std::byte* Sequence::At(int64_t offset) const {
  auto address = reinterpret_cast<uintptr_t>(data_.get());
  return data_.get() + (64 - address % 64) % 64 + offset;
}

int64_t Sequence::RowBytes(int64_t layer, int plane) const {
  return format_->row_bytes(Plane(layer, plane).width);
}

std::byte* Sequence::Row(int64_t layer, int plane, int64_t row) const {
  return At(Plane(layer, plane).offset) + row * RowBytes(layer, plane);
}

void Sequence::Write(int64_t layer, int plane, int64_t row, const float* x) const {
  format_->write(x, Plane(layer, plane).width, Row(layer, plane, row));
}

CacheView Sequence::View(int64_t layer, int plane) const {
  return format_->view(Row(layer, plane, 0), Plane(layer, plane).width);
}

float* Sequence::State(int64_t layer) const {
  return reinterpret_cast<float*>(At(this->layer(layer).state_offset));
}

int64_t Sequence::Restorable(int64_t n) const {
  n = std::min(n, length_);
  if (n == length_) return n;
  if (stateful_) return 0;
  for (size_t i = 0; i < plan_.layers.size(); ++i)
    if (plan_.layers[i].window > 0 && std::max<int64_t>(0, n - plan_.layers[i].window + 1) < bases_[i]) return 0;
  return n;
}

void Sequence::Truncate(int64_t length) {
  ASSAY_CHECK(length == 0 || Restorable(length) == length);
  if (length == 0) {
    std::fill(bases_.begin(), bases_.end(), 0);
    for (int64_t i = 0; i < static_cast<int64_t>(plan_.layers.size()); ++i)
      std::fill_n(State(i), layer(i).state_floats, 0.0f);
  }
  length_ = length;
}

bool Sequence::Alike(const Sequence& other) const {
  return format_ == other.format_ && long_rope_ == other.long_rope_ && plan_.layers.size() == other.plan_.layers.size();
}

void Sequence::CopyPrefix(const Sequence& other, int64_t n) {
  if (&other == this) return Truncate(n);
  ASSAY_CHECK(other.Restorable(n) == n && n <= capacity_ && Alike(other));
  for (int64_t i = 0; i < static_cast<int64_t>(plan_.layers.size()); ++i) {
    const LayerCache& mine = layer(i);
    ASSAY_CHECK(mine.planes.size() == other.layer(i).planes.size());
    std::copy_n(other.State(i), mine.state_floats, State(i));
    int64_t first = mine.window > 0 ? std::max<int64_t>(0, n - mine.window + 1) : 0;
    if (n - other.base(i) <= mine.rows) first = other.base(i);  // all of it fits
    ASSAY_CHECK(mine.rows == 0 || n - first <= mine.rows);
    bases_[static_cast<size_t>(i)] = first;
    for (int p = 0; p < static_cast<int>(mine.planes.size()); ++p) {
      const int64_t every = mine.planes[static_cast<size_t>(p)].every;
      ASSAY_CHECK(RowBytes(i, p) == other.RowBytes(i, p));
      // Rows [from, from + rows) of theirs become the first of mine.
      const int64_t from = every > 0 ? 0 : first - other.base(i), rows = every > 0 ? n / every : n - first;
      std::memcpy(Row(i, p, 0), other.Row(i, p, from), static_cast<size_t>(rows * RowBytes(i, p)));
    }
  }
  length_ = n;
}

void Sequence::MakeRoom(int64_t end) {
  ASSAY_CHECK(end <= capacity_);
  for (int64_t i = 0; i < static_cast<int64_t>(plan_.layers.size()); ++i) {
    const LayerCache& cache = layer(i);
    if (cache.rows == 0 || end - base(i) <= cache.rows) continue;
    int64_t first = std::max(base(i), length_ - cache.window + 1);  // what position `length_` still sees
    ASSAY_CHECK(cache.window > 0 && end - first <= cache.rows);
    for (int p = 0; p < static_cast<int>(cache.planes.size()); ++p)
      if (cache.planes[static_cast<size_t>(p)].every == 0)
        std::memmove(Row(i, p, 0), Row(i, p, first - base(i)), static_cast<size_t>((length_ - first) * RowBytes(i, p)));
    bases_[static_cast<size_t>(i)] = first;
  }
}

}  // namespace assay
