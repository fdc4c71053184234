#pragma once
// Activations as the GGUF types multiply them: blocks of 8-bit integers. The rules are those of the formats' reference
// encoders, so a kernel's own vector version is tested against these.

#include "format/gguf_blocks.h"

namespace assay {

/// x [cols], cols a multiple of 32; d = max|x| / 127 as F16, codes by the unrounded d, half away from zero.
void EncodeRowQ8_0(const float* x, int64_t cols, BlockQ8_0* out);
/// The same codes; s = d * sum(q) with the unrounded d.
void EncodeRowQ8_1(const float* x, int64_t cols, BlockQ8_1* out);
/// cols a multiple of 256; d = -(value of largest magnitude) / 127, so that this value becomes -127; codes to nearest
/// even.
void EncodeRowQ8K(const float* x, int64_t cols, BlockQ8K* out);

}  // namespace assay
