#pragma once
// FP8 E4M3 with a scale per matrix, per row (output channel) or per block of 128 x 128: compressed-tensors' FP8,
// FP8_DYNAMIC and FP8_BLOCK, ModelOpt's FP8, DeepSeek's weight_scale_inv.
//
// x = code * scale. scale = max|group| / 448, rounded to bfloat16 as in the files of bfloat16 models (2^-7 for a group
// of zeros); code = x / scale clamped to ±448, to nearest even. Any number of columns and rows: blocks at the end may
// be smaller. The scales of blocks are held expanded, one per row and 128 columns. Source: compressed-tensors,
// quantization/utils/helpers.py (calculate_qparams) and lifecycle/forward_helpers.py (_quantize); DeepSeek-V3,
// inference/kernel.py (weight_dequant).

#include "format/format.h"
#include "format/grid.h"

namespace assay {

inline constexpr int kFp8Block = 128;

/// Whatever view.format says.
void DecodeRowFp8(const PackedView& view, int64_t row, float* out);
bool ValidRowFp8(const PackedView& view, int64_t row);
void EncodeRowsFp8Tensor(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                         float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsFp8Channel(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                          float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsFp8Block(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                        float global_divisor, std::byte* codes, std::byte* scales);
void ChooseGlobalFp8(const MatrixStatistics& statistics, float* global_scale, float* global_divisor);

void FitFp8(const Format& format, const GridInput& in, Grid* grid, SuperGrid*);
Rounded RoundFp8(const Format& format, const Grid& grid, float x);
inline constexpr GridRule kFp8Grid{FitFp8, RoundFp8, PackPlanes};

}  // namespace assay
