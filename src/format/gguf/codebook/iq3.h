#pragma once
// IQ3_XXS, IQ3_S: super-blocks of 256 weights; every 4 weights are a vector of a codebook of magnitudes (grids.h)
// with their signs, every 32 have a 4-bit scale (format/gguf/blocks.h).

#include "format/format.h"

namespace assay {

void DecodeRowIq3Xxs(const PackedView& view, int64_t row, float* out);
void DecodeRowIq3S(const PackedView& view, int64_t row, float* out);

void EncodeRowsIq3Xxs(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                      float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsIq3S(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);

bool ValidRowIq3Xxs(const PackedView& view, int64_t row);
bool ValidRowIq3S(const PackedView& view, int64_t row);

}  // namespace assay
