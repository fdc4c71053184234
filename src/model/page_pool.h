#pragma once
// Memory that sequences have in common, in pages. A page is given back when the last that holds it lets go.

#include <cstddef>
#include <cstdint>
#include <memory>

namespace assay {

/// 64-byte aligned, not cleared. Whoever holds one that others hold, too, may only add rows behind those it shares.
using Page = std::shared_ptr<std::byte>;

/// Counts what it handed out. Copies are the same pool. Not safe for use by several threads at once.
class PagePool {
 public:
  Page Take(int64_t bytes) const;
  /// Pages that somebody holds, each once.
  int64_t pages() const { return *pages_; }

 private:
  std::shared_ptr<int64_t> pages_ = std::make_shared<int64_t>(0);
};

}  // namespace assay
