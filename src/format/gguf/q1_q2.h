#pragma once
// Q1_0, Q2_0: one or two bits a weight with an F16 scale for 128 or 64 (format/gguf/blocks.h). Meant for models that
// were trained for them.
//
// Q1_0 keeps signs; the scale that leaves the smallest squared error is the mean magnitude, which is the reference's
// rule too (weighted by importance where there is one). Q2_0 has the levels -d, 0, d, 2d, and d may be negative; d is
// searched (search.h), and the reference's rule (d is the largest magnitude) is kept where it is no worse.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowQ1_0(const PackedView& view, int64_t row, float* out);
void DecodeRowQ2_0(const PackedView& view, int64_t row, float* out);

void EncodeRowsQ1_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsQ2_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);

bool ValidRowQ1_0(const PackedView& view, int64_t row);
bool ValidRowQ2_0(const PackedView& view, int64_t row);

extern const GridRule kQ1_0Grid, kQ2_0Grid;

}  // namespace assay
