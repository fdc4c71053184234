#pragma once
// IQ4_XS: super-blocks of 256 weights, 8 sub-blocks of 32 indices into IQ4_NL's table with a signed 6-bit scale each,
// in units of an F16 (format/gguf/blocks.h).
//
// Encoding searches the scale of every sub-block (format/gguf/iq4_search.h), then tries the neighbours of the rounded
// integer, then refits the unit, as in the K-quants.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowIq4Xs(const PackedView& view, int64_t row, float* out);
void EncodeRowsIq4Xs(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                     float global_divisor, std::byte* codes, std::byte* scales);
bool ValidRowIq4Xs(const PackedView& view, int64_t row);

extern const GridRule kIq4XsGrid;

}  // namespace assay
