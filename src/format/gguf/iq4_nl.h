#pragma once
// IQ4_NL: blocks of 32 four-bit indices into a table of 16 unevenly spaced integers, with an F16 scale (gguf/blocks.h).
//
// Encoding tries step sizes that put the value of largest magnitude at either end of the table or beside it, refits the
// scale by weighted least squares and keeps the best; weights of the squared error as in the K-quants.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

/// Source: the type's documented table, docs/formats/gguf.md.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

void DecodeRowIq4Nl(const PackedView& view, int64_t row, float* out);
void EncodeRowsIq4Nl(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                     float global_divisor, std::byte* codes, std::byte* scales);
bool ValidRowIq4Nl(const PackedView& view, int64_t row);

extern const GridRule kIq4NlGrid;

}  // namespace assay
