#pragma once
// Q8_K as a format of weights: blocks of 256 int8 with a float32 scale. GGUF means it for activations; some files hold
// weights in it all the same. d = -(value of largest magnitude) / 127, so that this value becomes -127; codes to
// nearest even.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowQ8K(const PackedView& view, int64_t row, float* out);
void EncodeRowsQ8K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                   float global_divisor, std::byte* codes, std::byte* scales);
bool ValidRowQ8K(const PackedView& view, int64_t row);

extern const GridRule kQ8KGrid;

}  // namespace assay
