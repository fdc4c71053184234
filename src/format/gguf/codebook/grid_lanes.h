#pragma once
// Eight weights from a codebook at a time.

#include "format/gguf/codebook/grids.h"
#include "format/vector/vector_codes.h"

namespace assay {

/// A vector of eight, or two of four, as bytes.
inline uint64_t GridBytes(const Grid8& grid) {
  uint64_t bytes;
  std::memcpy(&bytes, grid.data(), sizeof bytes);
  return bytes;
}
inline uint64_t GridBytes(const Grid4& first, const Grid4& second) {
  uint32_t low, high;
  std::memcpy(&low, first.data(), sizeof low);
  std::memcpy(&high, second.data(), sizeof high);
  return low | static_cast<uint64_t>(high) << 32;
}

/// out[j] = ±scale * grid[j], minus where bit j of `signs` is set; the grid's values are not negative.
ASSAY_INLINE void DecodeSigned(float scale, uint64_t grid, uint32_t signs, float* out) {
  const Float8 v = __builtin_convertvector(SpreadLanes<8>(grid), Float8) * scale;
  const Int8Lanes to_top{31, 30, 29, 28, 27, 26, 25, 24};
  const Int8Lanes minus = (Int8Lanes{} + static_cast<int32_t>(signs)) << to_top & INT32_MIN;
  const Float8 signed_v = FromBits(BitsOf(v) ^ minus);
  std::memcpy(out, &signed_v, sizeof signed_v);
}

}  // namespace assay
