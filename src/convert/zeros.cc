#include "convert/zeros.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/error.h"

namespace assay {

void RequireZeros(const HfContainer& container, const Format& format, int64_t rows, int64_t cols,
                  const std::string& tensor, ThreadPool& pool,
                  const std::function<void(int64_t row, std::byte* codes, std::byte* scales)>& make) {
  std::mutex mutex;
  int64_t first = rows;
  std::string reason;
  pool.For(rows, std::max<int64_t>(1, 16384 / cols), [&](int64_t begin, int64_t end, int) {
    std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, 1, cols)));
    std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, 1, cols)));
    for (int64_t row = begin; row < end; ++row) {
      make(row, codes.data(), scales.data());
      for (size_t at = 0; at < scales.size(); at += sizeof(ScaleAndZero)) {
        ScaleAndZero entry;
        std::memcpy(&entry, scales.data() + at, sizeof entry);
        std::string why = container.WhyNotZero(format, entry.zero);
        if (why.empty()) continue;
        std::lock_guard lock(mutex);
        if (row < first) {
          first = row;
          reason = std::move(why);
        }
        return;
      }
    }
  });
  if (first < rows) Fail(ErrorKind::kUnsupported, "tensor {}: row {}: {}", tensor, first, reason);
}

}  // namespace assay
