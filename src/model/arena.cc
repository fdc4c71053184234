#include "model/arena.h"

#include <algorithm>

#include "base/error.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASSAY_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ASSAY_ASAN 1
#endif
#ifdef ASSAY_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace assay {
namespace {

constexpr int64_t kAlignment = 64;

// One allocation holds all pieces: AddressSanitizer is told where each ends.
#ifdef ASSAY_ASAN
constexpr int64_t kGuard = kAlignment;
void Mark(std::byte* piece, int64_t bytes, int64_t with_guard) {
  __asan_unpoison_memory_region(piece, static_cast<size_t>(bytes));
  __asan_poison_memory_region(piece + bytes, static_cast<size_t>(with_guard - bytes));
}
void Clear(std::byte* memory, int64_t bytes) {
  __asan_unpoison_memory_region(memory, static_cast<size_t>(bytes));
}
#else
constexpr int64_t kGuard = 0;
void Mark(std::byte*, int64_t, int64_t) {}
void Clear(std::byte*, int64_t) {}
#endif

}  // namespace

std::byte* Arena::TakeBytes(int64_t bytes) {
  const int64_t begin = used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment + kGuard;
  peak_ = std::max(peak_, used_);
  if (!data_) return nullptr;
  ASSAY_CHECK(used_ <= size_);
  Mark(data_ + begin, bytes, used_ - begin);
  return data_ + begin;
}

Workspace::~Workspace() {
  if (data_) Clear(data_.get(), size_ + kAlignment);
}

Arena Workspace::Reserve(const WorkspacePlan& plan) {
  if (data_) Clear(data_.get(), size_ + kAlignment);
  if (size_ < plan.bytes()) {
    data_.reset();
    data_.reset(new std::byte[static_cast<size_t>(plan.bytes() + kAlignment)]);
    size_ = plan.bytes();
  }
  const auto address = reinterpret_cast<uintptr_t>(data_.get());
  return {data_.get() + (kAlignment - address % kAlignment) % kAlignment, size_};
}

}  // namespace assay
