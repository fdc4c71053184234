#include "model/page_pool.h"

#include <new>

namespace assay {
namespace {

constexpr std::align_val_t kAlignment{64};

}  // namespace

Page PagePool::Take(int64_t bytes) const {
  Page page(static_cast<std::byte*>(::operator new(static_cast<size_t>(bytes), kAlignment)),
            [pages = pages_](std::byte* data) {
              ::operator delete(data, kAlignment);
              --*pages;
            });
  ++*pages_;
  return page;
}

}  // namespace assay
