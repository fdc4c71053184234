#pragma once
// LLM.int8 of bitsandbytes: int8 codes and a float32 statistic per row, SCB = max|row|: x = (code * SCB) * (1 / 127).
// Codes: x * (127 * (1 / SCB)) to nearest even; a row of zeros has SCB 0. Activations are int8 per token, but for
// values from 6.0 up, which stay 16-bit. Source: bitsandbytes, backends/default/ops.py (int8_vectorwise_quant), _ops.py
// (int8_vectorwise_dequant); Dettmers et al., "LLM.int8()", 2022.

#include "format/format.h"
#include "format/grid.h"

namespace assay {

void DecodeRowLlmInt8(const PackedView& view, int64_t row, float* out);
void EncodeRowsLlmInt8(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float global_scale,
                       float global_divisor, std::byte* codes, std::byte* scales);
bool ValidRowLlmInt8(const PackedView& view, int64_t row);

void FitLlmInt8(const Format& format, const GridInput& in, Grid* grid, SuperGrid*);
Rounded RoundLlmInt8(const Format& format, const Grid& grid, float x);
inline constexpr GridRule kLlmInt8Grid{FitLlmInt8, RoundLlmInt8, PackPlanes};

}  // namespace assay
