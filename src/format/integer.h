#pragma once
// Integers of 2 to 8 bits with a scale, or a scale and a zero, per matrix, row, group of columns or block of rows and
// columns: compressed-tensors' int- and pack-quantized, GPTQ, AWQ and HQQ once their containers are unpacked.
//
// Codes: for 2 … 7 bits u = 0 … 2^bits - 1 in one little-endian bit stream per row (weight i holds the bits i * bits …
// of it; 4 bits: the even weight in the low nibble); for 8 bits one two's complement byte q = u - 128.
//   symmetric   x = (u - 2^(bits - 1)) * scale (8 bits: q * scale)
//   asymmetric  x = (u - zero) * scale (8 bits: (q - zero) * scale); the plane holds ScaleAndZero
//
// Encoding is compressed-tensors' rule. Symmetric: scale = max|group| / ((2^bits - 1) / 2). Asymmetric, over a range
// that is made to include 0: scale = (max - min) / (2^bits - 1), zero = -2^(bits - 1) - min / scale clamped, to nearest
// even (as a signed code). The scale is rounded to bfloat16, as files of bfloat16 models hold it (2^-7 in place of 0),
// before anything is divided by it. Code = x / scale + zero, clamped, to nearest even. Source: compressed-tensors,
// quantization/utils/helpers.py (calculate_qparams), lifecycle/forward_helpers.py
// (_quantize), compressors/pack_quantized/helpers.py.

#include <cstdint>

#include "format/format.h"
#include "format/grid.h"

namespace assay {

/// What one scale (and zero) covers: `rows` rows (1, or 128 of a block) times `columns` columns (0: the whole matrix,
/// through the global scale; -1: a row).
struct IntegerShape {
  int bits;
  int columns;
  int rows = 1;
  bool asymmetric = false;
};

/// Format::decode_row of every integer format: what view.format states, with view.column_group.
void DecodeRowInteger(const PackedView& view, int64_t row, float* out);
bool ValidRowInteger(const PackedView& view, int64_t row);
/// Format::encode_rows with the shape said.
void EncodeRowsInteger(IntegerShape shape, const float* weights, int64_t n_rows, int64_t cols, float scale,
                       std::byte* codes, std::byte* scales);
/// scale = max|matrix| / ((2^bits - 1) / 2), rounded to bfloat16.
void ChooseGlobalInteger(int bits, const MatrixStatistics& statistics, float* global_scale, float* global_divisor);

/// Also of the cyclic formats.
void FitInteger(const Format& format, const GridInput& in, Grid* grid, SuperGrid*);
Rounded RoundInteger(const Format& format, const Grid& grid, float x);
inline constexpr GridRule kIntegerGrid{FitInteger, RoundInteger, PackPlanes};

}  // namespace assay
