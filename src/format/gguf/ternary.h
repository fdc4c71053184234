#pragma once
// TQ1_0, TQ2_0: weights -d, 0, d with one F16 scale for 256 (format/gguf/blocks.h). Meant for models that were trained
// ternary; they come back exactly.
//
// Encoding finds the scale that leaves the smallest (weighted) squared error: the weights that do not become 0 are the
// k of largest magnitude, and every k is tried. The reference takes the largest magnitude as the scale; that one is
// kept where it is no worse.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowTq1_0(const PackedView& view, int64_t row, float* out);
void DecodeRowTq2_0(const PackedView& view, int64_t row, float* out);

void EncodeRowsTq1_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                     float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsTq2_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                     float global_divisor, std::byte* codes, std::byte* scales);

bool ValidRowTq1_0(const PackedView& view, int64_t row);
bool ValidRowTq2_0(const PackedView& view, int64_t row);

extern const GridRule kTq1_0Grid, kTq2_0Grid;

}  // namespace assay
