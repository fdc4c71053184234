#pragma once
// The scalar linear kernel: decode, multiply, add.

#include <cstddef>
#include <cstdint>

#include "format/format.h"

namespace assay::ref {

/// LinearKernel::multiply over float32 activations (FloatActivationBytes) for any format. Every sum runs over eight
/// lanes (column modulo 8) within 1024 columns, the lanes are added pairwise, and the pieces of 1024 one after the
/// other.
void MultiplyDecoded(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                     int64_t row_end, float* y, int64_t y_stride);

/// The same with weights rounded to bfloat16, as engines with 16-bit matrix products multiply.
void MultiplyDecodedAsBf16(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                           int64_t row_end, float* y, int64_t y_stride);

/// MultiplyDecoded for formats whose activations have a calibrated scale (PackedView::activation_scale): rounds them on
/// the way. Without a calibrated scale every 1024 columns of a token have their own.
void MultiplyStatic(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                    int64_t row_end, float* y, int64_t y_stride);

}  // namespace assay::ref
