#pragma once
// NF4 and FP4 as bitsandbytes stores them: the matrix is one flat run of weights cut into blocks of 64 (32 … 4096)
// whatever the rows, two codes a byte with the first in the high nibble, one float32 scale (the block's largest
// magnitude) each; a last short block and an odd last weight are allowed. x = value[code] * scale. Files with double
// quantization keep the scales as in nested_absmax.h; here they are floats.
//
// Codes: x * (1 / scale), in a short last block x / scale, to the nearest value, a midpoint to the lower one. Source:
// bitsandbytes, backends/default/ops.py (quantize_4bit, dequantize_4bit).

#include "format/format.h"
#include "format/grid.h"

namespace assay {

/// With the block size of view.format.
void DecodeRowNf4(const PackedView& view, int64_t row, float* out);
void DecodeRowBnbFp4(const PackedView& view, int64_t row, float* out);
bool ValidRowBnb4(const PackedView& view, int64_t row);

void EncodeNf4Blocks(int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales);
void EncodeBnbFp4Blocks(int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales);

/// Format::encode_rows.
template <int block>
void EncodeRowsNf4(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                   std::byte* scales) {
  EncodeNf4Blocks(block, weights, n_rows * cols, codes, scales);
}
template <int block>
void EncodeRowsBnbFp4(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                      std::byte* scales) {
  EncodeBnbFp4Blocks(block, weights, n_rows * cols, codes, scales);
}

void FitBnb4(const Format& format, const GridInput& in, Grid* grid, SuperGrid*);
Rounded RoundBnb4(const Format& format, const Grid& grid, float x);
void PackBnb4(const Format& format, const GridCodes& in, std::byte* codes, std::byte* scales);
inline constexpr GridRule kBnb4Grid{FitBnb4, RoundBnb4, PackBnb4};

}  // namespace assay
