#pragma once
// IQ1_S, IQ1_M: super-blocks of 256 weights; every 8 weights are a ternary vector of a codebook (grids.h), shifted by
// an eighth up or down and scaled by a 3-bit scale (format/gguf/blocks.h).

#include "format/format.h"

namespace assay {

void DecodeRowIq1S(const PackedView& view, int64_t row, float* out);
void DecodeRowIq1M(const PackedView& view, int64_t row, float* out);

void EncodeRowsIq1S(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsIq1M(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);

bool ValidRowIq1S(const PackedView& view, int64_t row);
bool ValidRowIq1M(const PackedView& view, int64_t row);

}  // namespace assay
