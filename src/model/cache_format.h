#pragma once
// How rows of keys and values are kept: one row of a table per format, which says all that a cache needs to know of it.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernel/linear.h"
#include "kernel/ops.h"

namespace assay {

struct CacheFormat {
  std::string_view name;
  /// Of a row of `width` elements.
  int64_t (*row_bytes)(int64_t width);
  /// Puts x [width] into a row.
  void (*write)(const float* x, int64_t width, std::byte* row);
  /// Rows of `width` elements, one after the other, as attention reads them.
  CacheView (*view)(const std::byte* rows, int64_t width);
};

std::span<const CacheFormat> CacheFormats();

/// Half precision in deployed arithmetic (what the engines use by default), float32 in reference arithmetic.
const CacheFormat& DefaultCacheFormat(Arithmetic arithmetic);

/// Bytes of a row in the largest of the formats: scratch serves sequences of any.
int64_t LargestRowBytes(int64_t width);

}  // namespace assay
