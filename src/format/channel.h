#pragma once
// FP8 and INT8 with one scale per row (per output channel), as compressed-tensors' FP8_DYNAMIC and W8A8 / W8A16 store
// them.
//
// x = code * scale. scale = max|row| / 448 (E4M3) or / 127.5 (int8), rounded to bfloat16 as in the files of bfloat16
// models, 2^-7 for a row of zeros; codes = x / scale rounded to nearest even and clamped to ±448 or -128 … 127. Any
// number of columns. Source: compressed-tensors, quantization/utils/helpers.py (calculate_qparams) and
// lifecycle/forward_helpers.py (_quantize).

#include "format/format.h"

namespace assay {

void DecodeRowFp8Channel(const PackedView& view, int64_t row, float* out);
void DecodeRowInt8Channel(const PackedView& view, int64_t row, float* out);
void EncodeRowsFp8Channel(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                          float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsInt8Channel(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                           float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
bool ValidRowFp8Channel(const PackedView& view, int64_t row);
bool ValidRowInt8Channel(const PackedView& view, int64_t row);

}  // namespace assay
