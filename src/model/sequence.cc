#include "model/sequence.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace assay {
namespace {

int64_t Aligned(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

int64_t PagesOf(int64_t positions) {
  return (positions + kPagePositions - 1) / kPagePositions;
}

}  // namespace

CachePlan PlanCache(const ModelConfig& config, const CacheFormat& format, int64_t capacity, BlockTable kinds) {
  CachePlan plan;
  auto add = [](int64_t& sum, int64_t count) {
    const int64_t offset = sum;
    sum += Aligned(count);
    return offset;
  };
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const LayerConfig layer = config.Layer(i);
    const BlockKind& kind = KindOf(kinds, Place::kMixer, config, layer);
    LayerCache cache = kind.cache ? kind.cache(config, layer) : LayerCache{};
    for (CachePlane& plane : cache.planes) {
      const int64_t every = std::max<int64_t>(1, plane.every);
      plane.paged = (plane.every > 0 || cache.window <= 0) && kPagePositions % every == 0;
      int64_t rows = capacity / every;
      if (plane.every == 0) {
        if (cache.window > 0) rows = std::min(capacity, cache.window - 1 + kStepTokens);
        cache.rows = rows;
      }
      plane.rows = plane.paged ? kPagePositions / every : rows;
      plane.offset = add(plane.paged ? plan.page_bytes : plan.fixed_bytes, plane.rows * format.row_bytes(plane.width));
    }
    cache.state_offset = add(plan.fixed_bytes, cache.state_floats * 4);
    plan.layers.push_back(std::move(cache));
  }
  plan.pages = plan.page_bytes > 0 ? PagesOf(capacity) : 0;
  plan.bytes = plan.fixed_bytes + plan.pages * plan.page_bytes;
  return plan;
}

CachePlan PlanCache(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity) {
  return PlanCache(config, DefaultCacheFormat(arithmetic), capacity);
}

Sequence::Sequence(const ModelConfig& config, Arithmetic arithmetic, int64_t capacity, PagePool pool)
    : Sequence(config, DefaultCacheFormat(arithmetic), capacity, BlockKinds(), std::move(pool)) {}

Sequence::Sequence(const ModelConfig& config, const CacheFormat& format, int64_t capacity, BlockTable kinds,
                   PagePool pool)
    : format_(&format),
      plan_(PlanCache(config, format, capacity, kinds)),
      capacity_(capacity),
      bases_(plan_.layers.size(), 0),
      pool_(std::move(pool)) {
  long_rope_ = !config.rope_long_factors.empty() && capacity > config.rope_scaling.original_context;
  for (const LayerCache& layer : plan_.layers) stateful_ = stateful_ || layer.state_floats > 0;
  data_.reset(new std::byte[static_cast<size_t>(plan_.fixed_bytes + 64)]);
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
  const CachePlane& in = Plane(layer, plane);
  if (!in.paged) return At(in.offset) + row * RowBytes(layer, plane);
  return page_data_[static_cast<size_t>(row / in.rows)] + in.offset + row % in.rows * RowBytes(layer, plane);
}

int64_t Sequence::Together(int64_t layer, int plane, int64_t row, int64_t end) const {
  const CachePlane& in = Plane(layer, plane);
  return in.paged ? std::min(end - row, in.rows - row % in.rows) : end - row;
}

void Sequence::Write(int64_t layer, int plane, int64_t row, const float* x) const {
  format_->write(x, Plane(layer, plane).width, Row(layer, plane, row));
}

CacheView Sequence::View(int64_t layer, int plane) const {
  const CachePlane& in = Plane(layer, plane);
  if (!in.paged) return format_->view(At(in.offset), in.width);
  CacheView view = format_->view(nullptr, in.width);
  view.pages = page_data_.data();
  view.offset = in.offset;
  view.page_shift = std::countr_zero(static_cast<uint64_t>(in.rows));
  return view;
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
  pages_.resize(std::min(pages_.size(), static_cast<size_t>(PagesOf(length))));
  page_data_.resize(pages_.size());
  owns_last_ = false;  // others may have taken over what is forgotten here
  length_ = length;
}

bool Sequence::Alike(const Sequence& other) const {
  return format_ == other.format_ && long_rope_ == other.long_rope_ && plan_.layers.size() == other.plan_.layers.size();
}

void Sequence::CopyPrefix(const Sequence& other, int64_t n) {
  if (&other == this) return Truncate(n);
  ASSAY_CHECK(other.Restorable(n) == n && n <= capacity_ && Alike(other));
  pages_.assign(other.pages_.begin(), other.pages_.begin() + (plan_.page_bytes > 0 ? PagesOf(n) : 0));
  page_data_.assign(other.page_data_.begin(), other.page_data_.begin() + std::ssize(pages_));
  owns_last_ = false;
  for (int64_t i = 0; i < static_cast<int64_t>(plan_.layers.size()); ++i) {
    const LayerCache& mine = layer(i);
    ASSAY_CHECK(mine.planes.size() == other.layer(i).planes.size());
    std::copy_n(other.State(i), mine.state_floats, State(i));
    int64_t first = mine.window > 0 ? std::max<int64_t>(0, n - mine.window + 1) : 0;
    if (n - other.base(i) <= mine.rows) first = other.base(i);  // all of it fits
    ASSAY_CHECK(mine.rows == 0 || n - first <= mine.rows);
    bases_[static_cast<size_t>(i)] = first;
    for (int p = 0; p < static_cast<int>(mine.planes.size()); ++p) {
      ASSAY_CHECK(RowBytes(i, p) == other.RowBytes(i, p));
      if (Plane(i, p).paged) continue;
      const int64_t every = Plane(i, p).every;
      // Rows [from, from + rows) of theirs become the first of mine.
      const int64_t from = every > 0 ? 0 : first - other.base(i), rows = every > 0 ? n / every : n - first;
      std::memcpy(Row(i, p, 0), other.Row(i, p, from), static_cast<size_t>(rows * RowBytes(i, p)));
    }
  }
  length_ = n;
}

int64_t Sequence::PagesToTake(int64_t end) const {
  if (end <= length_ || plan_.page_bytes == 0) return 0;
  const bool copies = length_ % kPagePositions != 0 && !owns_last_;
  return PagesOf(end) - std::ssize(pages_) + (copies ? 1 : 0);
}

void Sequence::PutPage(size_t index, Page page) {
  pages_.resize(std::max(pages_.size(), index + 1));
  page_data_.resize(pages_.size());
  page_data_[index] = page.get();
  pages_[index] = std::move(page);
}

// Rows that others read stay as they are. A page that is not full is copied before rows are added to it, unless it is
// this sequence that filled it so far: what others hold of it ends where they took it over.
void Sequence::MakePages(int64_t end) {
  if (plan_.page_bytes == 0 || end <= length_) return;
  const auto last = static_cast<size_t>(length_ / kPagePositions);
  if (length_ % kPagePositions != 0 && !owns_last_ && pages_[last].use_count() > 1) {
    Page page = pool_.Take(plan_.page_bytes);
    for (const LayerCache& layer : plan_.layers)
      for (const CachePlane& plane : layer.planes) {
        if (!plane.paged) continue;
        const int64_t rows = length_ % kPagePositions / (kPagePositions / plane.rows);
        std::memcpy(page.get() + plane.offset, page_data_[last] + plane.offset,
                    static_cast<size_t>(rows * format_->row_bytes(plane.width)));
      }
    PutPage(last, std::move(page));
  }
  while (std::ssize(pages_) < PagesOf(end)) PutPage(pages_.size(), pool_.Take(plan_.page_bytes));
  owns_last_ = true;
}

void Sequence::MakeRoom(int64_t end) {
  ASSAY_CHECK(end <= capacity_);
  MakePages(end);
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
