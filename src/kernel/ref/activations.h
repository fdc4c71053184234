#pragma once
// What deployed arithmetic does to activations, written out plainly: each function rounds one token x [cols] as its
// ActivationKind says and gives the values back as float32. These are the oracle of the packed activations of the fast
// kernels, and with MultiplyDecoded the path of any format that has no kernel of its own.
//
// A block (or token) that holds a NaN or an infinity becomes NaN as a whole, so that a broken computation shows in the
// output.

#include <cstddef>
#include <cstdint>

#include "format/format.h"

namespace assay::ref {

/// Bytes of one token of float32 values, padded with zeros to whole cache lines.
int64_t FloatActivationBytes(int64_t cols);

/// The kinds with a calibrated scale (kInt8Static, kFp8Static, kNvfp4) are passed on as they are: RoundStatic knows the
/// scale.
template <ActivationKind kind>
void Prepare(const float* x, int64_t cols, std::byte* out);

/// Rounds n values of one token (n a multiple of 16 for kNvfp4) by the calibrated `scale` of these kinds; by the scale
/// of the values given when it is 0. In place.
void RoundStatic(ActivationKind kind, float scale, int64_t n, float* x);
constexpr bool IsStatic(ActivationKind kind) {
  return kind == ActivationKind::kInt8Static || kind == ActivationKind::kFp8Static || kind == ActivationKind::kNvfp4;
}

/// Codes of one block as ggml's quantize_row_* make them, for the tests of the fast kernels. x, q: 32 or 256 values.
/// Return the scale.
float QuantizeQ8_0(const float* x, int8_t* q);  // scale rounded to half
float QuantizeQ8K(const float* x, int8_t* q);
/// Symmetric dynamic token of compressed-tensors: scale = amax / 127.5, codes clamped to -128 … 127.
float QuantizeInt8Token(const float* x, int64_t n, int8_t* q);

}  // namespace assay::ref
