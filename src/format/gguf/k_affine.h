#pragma once
// Q2_K, Q4_K, Q5_K: super-blocks of 256 weights whose sub-blocks have a small integer scale and a small integer
// minimum, both in units of an F16 of the super-block (gguf/blocks.h).
//
// Encoding searches scale and minimum of every sub-block (search.h), then the integers: for each sub-block the
// neighbours of the rounded scale are tried, each with the minimum that least squares gives for it; last, the two F16
// units are refitted to the codes and kept if that leaves less. The weights of the squared error are importance *
// sqrt(mean square + x²), or |x| + root mean square without importance.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowQ2K(const PackedView& view, int64_t row, float* out);
void DecodeRowQ4K(const PackedView& view, int64_t row, float* out);
void DecodeRowQ5K(const PackedView& view, int64_t row, float* out);

void EncodeRowsQ2K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                   float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsQ4K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                   float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsQ5K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                   float global_divisor, std::byte* codes, std::byte* scales);

bool ValidRowQ2K(const PackedView& view, int64_t row);
bool ValidRowQ4K(const PackedView& view, int64_t row);
bool ValidRowQ5K(const PackedView& view, int64_t row);

extern const GridRule kQ2KGrid, kQ4KGrid, kQ5KGrid;

}  // namespace assay
