#pragma once
// Ternary weights with one scale of the matrix: BitNet b1.58. Codes are the value plus one, two bits each.
//
// `ternary`: a dense little-endian stream along the row, weight i in bits 2 (i mod 4) … of byte i / 4; x = (code - 1) *
// global_scale / global_divisor. Files of BitLinear hold the divisor (1 / mean|W|), AutoBitLinear the scale; the row
// packing of both is PackBitnet. `i2_s`: the same values as bitnet.cpp's x86 files lay them: 128 weights in 32
// bytes, weight j in byte j mod 32 at bit 6 - 2 (j / 32).
//
// Encoding: scale = mean|W| (at least 1e-5), code = W / scale to nearest even, clamped to ±1: absmean. Source: Ma et
// al., "The Era of 1-bit LLMs", 2024; transformers, integrations/bitnet.py; BitNet, src/ggml-bitnet-mad.cpp.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

inline constexpr int kI2sBlock = 128;

void DecodeRowTernary(const PackedView& view, int64_t row, float* out);
void DecodeRowI2s(const PackedView& view, int64_t row, float* out);
void EncodeRowsTernary(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                       float global_divisor, std::byte* codes, std::byte* scales);
void EncodeRowsI2s(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                   float global_divisor, std::byte* codes, std::byte* scales);
/// Refuses code 3, which stands for nothing.
bool ValidRowTernary(const PackedView& view, int64_t row);
/// global_divisor = 1 / mean|W|, as BitLinear computes it; global_scale stays 1.
void ChooseGlobalTernary(const MatrixStatistics& statistics, float* global_scale, float* global_divisor);

/// Hugging Face's packing of a [rows, cols] matrix of ternary codes into uint8 [ceil(rows / 4), cols]: row i * R + r of
/// the matrix, R = ceil(rows / 4), lies in bits 2 i … of packed row r. `codes`: the plane of `ternary`.
void PackBitnet(const std::byte* codes, int64_t rows, int64_t cols, std::byte* packed);
/// Rows [begin, begin + n) of the matrix.
void UnpackBitnet(const std::byte* packed, int64_t rows, int64_t cols, int64_t begin, int64_t n, std::byte* codes);

void FitTernary(const Format& format, const GridInput& in, Grid* grid, SuperGrid*);
Rounded RoundTernary(const Format& format, const Grid& grid, float x);
void PackI2s(const Format& format, const GridCodes& in, std::byte* codes, std::byte* scales);
inline constexpr GridRule kTernaryGrid{FitTernary, RoundTernary, PackPlanes};
inline constexpr GridRule kI2sGrid{FitTernary, RoundTernary, PackI2s};

}  // namespace assay
