#pragma once
// Q3_K, Q6_K: super-blocks of 256 weights whose sub-blocks of 16 have a signed integer scale in units of an F16
// (gguf/blocks.h).
//
// Encoding searches the scale of every sub-block (search.h), then tries the neighbours of the rounded integer, then
// refits the unit. The weights of the squared error are importance * sqrt(mean square + x²), or |x| + share * root mean
// square without importance.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowQ3K(const PackedView& view, int64_t row, float* out);
void DecodeRowQ6K(const PackedView& view, int64_t row, float* out);

void EncodeRowsQ3K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                   float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsQ6K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                   float global_divisor, std::byte* codes, std::byte* scales);

bool ValidRowQ3K(const PackedView& view, int64_t row);
bool ValidRowQ6K(const PackedView& view, int64_t row);

extern const GridRule kQ3KGrid, kQ6KGrid;

}  // namespace assay
