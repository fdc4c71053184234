#pragma once
// NVFP4: E2M1 codes, two a byte with the first in the low nibble, an E4M3 scale per 16 weights along a row and one
// float of the whole matrix: x = code * (scale * global_scale / global_divisor), where compressed-tensors uses the
// divisor (2688 / max|matrix|; 2688 = 448 * 6) and ModelOpt the scale.
//
// scale = max|group| / 6 brought to the matrix's units and rounded to E4M3, 0.125 where that gives zero; codes = x /
// (scale / divisor) to nearest even, saturating. Source: compressed-tensors, quantization/utils/helpers.py and
// compressors/nvfp4.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowNvfp4(const PackedView& view, int64_t row, float* out);
void EncodeRowsNvfp4(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                     float global_divisor, std::byte* codes, std::byte* scales);
bool ValidRowNvfp4(const PackedView& view, int64_t row);
/// global_divisor = 2688 / abs_max (1 where that is not finite); global_scale stays 1.
void ChooseGlobalNvfp4(const MatrixStatistics& statistics, float* global_scale, float* global_divisor);

/// NVFP4 in either layout: this one or GGUF's, whose blocks hold their scales. Codes and scales are the same.
bool IsNvfp4(const Format& format);
/// Row `row` of one layout as a row of another (or the same). The scale of the whole matrix stays what it is. False
/// when a scale has a sign or is no number, which GGUF's layout cannot say.
bool RepackNvfp4Row(const PackedView& from, int64_t row, const Format& to, std::byte* codes, std::byte* scales);

void FitNvfp4(const Format& format, const GridInput& in, Grid* grid, SuperGrid*);
Rounded RoundNvfp4(const Format& format, const Grid& grid, float x);
inline constexpr GridRule kNvfp4Grid{FitNvfp4, RoundNvfp4, PackPlanes};

}  // namespace assay
