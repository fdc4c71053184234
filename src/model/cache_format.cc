#include "model/cache_format.h"

#include <algorithm>
#include <cstring>

namespace assay {
namespace {

constexpr CacheFormat kFormats[] = {
    {"f32", [](int64_t width) { return width * 4; },
     [](const float* x, int64_t width, std::byte* row) { std::memcpy(row, x, static_cast<size_t>(width) * 4); },
     [](const std::byte* rows, int64_t width) {
       return CacheView{rows, false, width};
     }},
    {"f16", [](int64_t width) { return width * 2; },
     [](const float* x, int64_t width, std::byte* row) { ToHalf(x, width, reinterpret_cast<uint16_t*>(row)); },
     [](const std::byte* rows, int64_t width) {
       return CacheView{rows, true, width};
     }},
};

}  // namespace

std::span<const CacheFormat> CacheFormats() {
  return kFormats;
}

const CacheFormat& DefaultCacheFormat(Arithmetic arithmetic) {
  return kFormats[arithmetic == Arithmetic::kDeployed ? 1 : 0];
}

int64_t LargestRowBytes(int64_t width) {
  int64_t largest = 0;
  for (const CacheFormat& format : kFormats) largest = std::max(largest, format.row_bytes(width));
  return largest;
}

}  // namespace assay
