#pragma once
// IQ2_XXS, IQ2_XS, IQ2_S: super-blocks of 256 weights; every 8 weights are a vector of a codebook of magnitudes
// (grids.h) with their signs, every 16 or 32 have a 4-bit scale (format/gguf/blocks.h).

#include "format/format.h"

namespace assay {

void DecodeRowIq2Xxs(const PackedView& view, int64_t row, float* out);
void DecodeRowIq2Xs(const PackedView& view, int64_t row, float* out);
void DecodeRowIq2S(const PackedView& view, int64_t row, float* out);

void EncodeRowsIq2Xxs(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                      float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsIq2Xs(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                     float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsIq2S(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                    float global_divisor, std::byte* codes, std::byte* scales);

bool ValidRowIq2Xxs(const PackedView& view, int64_t row);
bool ValidRowIq2Xs(const PackedView& view, int64_t row);
bool ValidRowIq2S(const PackedView& view, int64_t row);

}  // namespace assay
