#pragma once
// NF4 as bitsandbytes stores it, without double quantization: the matrix is one flat run of weights cut into blocks of
// 64 whatever the rows, two codes a byte with the first in the high nibble, one float32 scale (the block's largest
// magnitude) each; a last short block and an odd last weight are allowed. x = kNf4Values[code] * scale. Codes: x * (1 /
// scale), in a short last block x / scale, to the nearest value, a midpoint to the lower one. Source: bitsandbytes,
// backends/default/ops.py (quantize_4bit, dequantize_4bit).

#include "format/format.h"

namespace assay {

void DecodeRowNf4(const PackedView& view, int64_t row, float* out);
void EncodeRowsNf4(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                   float global_divisor, std::byte* codes, std::byte* scales);
bool ValidRowNf4(const PackedView& view, int64_t row);

}  // namespace assay
