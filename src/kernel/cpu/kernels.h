#pragma once
// The linear kernels of each instruction set: LinearKernel::multiply, prepare and activation_bytes. table.cc says which
// runs where.

#include <cstddef>
#include <cstdint>

#include "format/format.h"

namespace assay {

#define ASSAY_MULTIPLY(name)                                                                              \
  void name(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin, \
            int64_t row_end, float* y, int64_t y_stride)
#define ASSAY_PREPARE(name) void name(const float* x, int64_t cols, std::byte* out)

// Formats with 16-bit activations (and FP8 ones), over float32 or bfloat16 cells.
#define ASSAY_CELL_KERNELS              \
  ASSAY_MULTIPLY(MultiplyBf16);         \
  ASSAY_MULTIPLY(MultiplyAnyAsBf16);    \
  ASSAY_MULTIPLY(MultiplyInt8Channel);  \
  ASSAY_MULTIPLY(MultiplyFp8Channel);   \
  ASSAY_MULTIPLY(MultiplyInt4G128);     \
  ASSAY_MULTIPLY(MultiplyInt4G64);      \
  ASSAY_MULTIPLY(MultiplyInt4G32);      \
  ASSAY_MULTIPLY(MultiplyNf4);          \
  ASSAY_MULTIPLY(MultiplyNvfp4);        \
  ASSAY_MULTIPLY(MultiplyMxfp4);        \
  ASSAY_MULTIPLY(MultiplyFp8ChannelA8); \
  ASSAY_PREPARE(PrepareBf16);           \
  ASSAY_PREPARE(PrepareFp8);            \
  int64_t Fp8TokenBytes(int64_t cols)

#define ASSAY_FLOAT_KERNELS    \
  ASSAY_CELL_KERNELS;          \
  ASSAY_MULTIPLY(MultiplyF32); \
  ASSAY_MULTIPLY(MultiplyF16); \
  ASSAY_MULTIPLY(MultiplyAny); \
  ASSAY_PREPARE(PrepareFloat); \
  ASSAY_PREPARE(PrepareF16)

#define ASSAY_INTEGER_KERNELS      \
  ASSAY_MULTIPLY(MultiplyQ4_0);    \
  ASSAY_MULTIPLY(MultiplyQ4_1);    \
  ASSAY_MULTIPLY(MultiplyQ5_0);    \
  ASSAY_MULTIPLY(MultiplyQ5_1);    \
  ASSAY_MULTIPLY(MultiplyQ8_0);    \
  ASSAY_MULTIPLY(MultiplyIq4Nl);   \
  ASSAY_MULTIPLY(MultiplyQ2K);     \
  ASSAY_MULTIPLY(MultiplyQ3K);     \
  ASSAY_MULTIPLY(MultiplyQ4K);     \
  ASSAY_MULTIPLY(MultiplyQ5K);     \
  ASSAY_MULTIPLY(MultiplyQ6K);     \
  ASSAY_MULTIPLY(MultiplyInt8A8);  \
  ASSAY_PREPARE(PrepareQ8);        \
  ASSAY_PREPARE(PrepareQ8K);       \
  ASSAY_PREPARE(PrepareInt8);      \
  int64_t Int8Bytes(int64_t cols); \
  int64_t Q8Bytes(int64_t cols);   \
  int64_t Q8KBytes(int64_t cols)

namespace avx2 {
ASSAY_FLOAT_KERNELS;
ASSAY_INTEGER_KERNELS;
}  // namespace avx2
namespace avx512 {
ASSAY_FLOAT_KERNELS;
}

namespace avx512bf16 {
ASSAY_CELL_KERNELS;
int64_t Bf16Bytes(int64_t cols);
}  // namespace avx512bf16
namespace avx512vnni {
ASSAY_INTEGER_KERNELS;
}

}  // namespace assay
