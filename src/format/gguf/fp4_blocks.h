#pragma once
// MXFP4 and NVFP4 as GGUF lays them out: scales inside the block, nibbles split in halves (format/gguf/blocks.h). The
// numbers are those of the formats of this name in safetensors (format/fp4_group.h); NVFP4's scale of the whole matrix
// is a tensor apart in GGUF: decoding multiplies by global_scale / global_divisor, encoding divides by it.
//
// Without importance the encoders follow the reference rules: MXFP4's exponent is that of the largest magnitude less 2;
// NVFP4's scale is the largest magnitude / 6, rounded to E4M3 half up (at most 7 units where subnormal, 448 from 256
// on); halves between two codes go to the smaller magnitude. With importance the neighbouring scales are tried and the
// one that leaves the smallest weighted squared error is taken. With a scale of the matrix, which the reference has
// not, NVFP4 without importance follows the rule of format/nvfp4.h.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowGgufMxfp4(const PackedView& view, int64_t row, float* out);
void DecodeRowGgufNvfp4(const PackedView& view, int64_t row, float* out);

void EncodeRowsGgufMxfp4(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                         float global_scale, float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsGgufNvfp4(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                         float global_scale, float global_divisor, std::byte* codes, std::byte* scales);

/// global_scale = abs_max / 2688 as Model-Optimizer has it, so that the block scales use E4M3's whole range (1 where
/// that is no normal number); the divisor stays 1.
void ChooseGlobalGgufNvfp4(const MatrixStatistics& statistics, float* global_scale, float* global_divisor);

bool ValidRowGgufMxfp4(const PackedView& view, int64_t row);
bool ValidRowGgufNvfp4(const PackedView& view, int64_t row);

extern const GridRule kGgufMxfp4Grid, kGgufNvfp4Grid;

}  // namespace assay
