#pragma once
// INT4 with one scale per group of 128, 64 or 32 weights along a row, symmetric: compressed-tensors' pack-quantized
// W4A16.
//
// x = (u - 8) * scale, u in 0 … 15; eight u in a little-endian int32 word, the first in the low bits. scale =
// max|group| / 7.5 rounded to bfloat16, as the files of bfloat16 models hold it (2^-7 for a group of zeros); u - 8 = x
// / scale rounded to nearest even and clamped to -8 … 7. Source: compressed-tensors, quantization/utils/helpers.py and
// compressors/pack_quantized/helpers.py.

#include "format/format.h"

namespace assay {

void DecodeRowInt4Group128(const PackedView& view, int64_t row, float* out);
void DecodeRowInt4Group64(const PackedView& view, int64_t row, float* out);
void DecodeRowInt4Group32(const PackedView& view, int64_t row, float* out);
void EncodeRowsInt4Group128(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                            float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsInt4Group64(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                           float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsInt4Group32(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                           float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
/// Any of the group sizes.
bool ValidRowInt4Group(const PackedView& view, int64_t row);

}  // namespace assay
