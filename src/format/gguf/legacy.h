#pragma once
// Q8_0, Q4_0, Q4_1, Q5_0, Q5_1: blocks of 32 weights with an F16 scale and, for the _1 types, an F16 minimum
// (gguf/blocks.h).
//
// Without importance the encoders follow the formats' reference rule bit for bit: the value of largest magnitude (or
// the range) sets the scale, codes are rounded by the unrounded scale. With importance, scale and minimum are searched
// (search.h) with the weights importance * sqrt(mean square of the row + x²); Q8_0 has no search.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowQ8_0(const PackedView& view, int64_t row, float* out);
void DecodeRowQ4_0(const PackedView& view, int64_t row, float* out);
void DecodeRowQ4_1(const PackedView& view, int64_t row, float* out);
void DecodeRowQ5_0(const PackedView& view, int64_t row, float* out);
void DecodeRowQ5_1(const PackedView& view, int64_t row, float* out);

void EncodeRowsQ8_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsQ4_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsQ4_1(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsQ5_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsQ5_1(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);

bool ValidRowQ8_0(const PackedView& view, int64_t row);
bool ValidRowQ4_0(const PackedView& view, int64_t row);
bool ValidRowQ4_1(const PackedView& view, int64_t row);
bool ValidRowQ5_0(const PackedView& view, int64_t row);
bool ValidRowQ5_1(const PackedView& view, int64_t row);

/// The grid rules of Q8_0 and of the others.
extern const GridRule kQ8_0Grid, kQ4_0Grid, kQ4_1Grid, kQ5_0Grid, kQ5_1Grid;

}  // namespace assay
