#include "model/arena.h"

#include <algorithm>

#include "base/error.h"

namespace assay {
namespace {

constexpr int64_t kAlignment = 64;

}  // namespace

std::byte* Arena::TakeBytes(int64_t bytes) {
  const int64_t begin = used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  peak_ = std::max(peak_, used_);
  if (!data_) return nullptr;
  ASSAY_CHECK(used_ <= size_);
  return data_ + begin;
}

Arena Workspace::Reserve(const WorkspacePlan& plan) {
  if (size_ < plan.bytes()) {
    data_.reset();
    data_.reset(new std::byte[static_cast<size_t>(plan.bytes() + kAlignment)]);
    size_ = plan.bytes();
  }
  const auto address = reinterpret_cast<uintptr_t>(data_.get());
  return {data_.get() + (kAlignment - address % kAlignment) % kAlignment, size_};
}

}  // namespace assay
