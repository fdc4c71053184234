#include "kernel/ref/linear_ref.h"

#include <algorithm>

#include "kernel/ref/activations.h"
#include "kernel/ref/decode.h"
#include "number/bf16.h"

namespace assay::ref {
namespace {

float Dot(const float* a, const float* b, int64_t n) {
  float lanes[8] = {};
  int64_t k = 0;
  for (; k + 8 <= n; k += 8)
    for (int l = 0; l < 8; ++l) lanes[l] += a[k + l] * b[k + l];
  for (int l = 0; k < n; ++k, ++l) lanes[l] += a[k] * b[k];
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/// `round` is done to each piece of decoded weights.
template <typename Round>
void Multiply(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
              int64_t row_end, float* y, int64_t y_stride, const Round& round) {
  alignas(64) float decoded[kDecodeColumns];
  int64_t token_bytes = FloatActivationBytes(weights.cols);
  for (int64_t r = row_begin; r < row_end; ++r) {
    for (int64_t begin = 0; begin < weights.cols; begin += kDecodeColumns) {
      int64_t n = std::min(kDecodeColumns, weights.cols - begin);
      DecodeColumns(weights, r, begin, n, decoded);
      round(decoded, n);
      for (int64_t t = 0; t < n_tokens; ++t) {
        float sum = Dot(decoded, reinterpret_cast<const float*>(activations + t * token_bytes) + begin, n);
        float& out = y[t * y_stride + r];
        out = begin == 0 ? sum : out + sum;
      }
    }
  }
}

}  // namespace

void MultiplyDecoded(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                     int64_t row_end, float* y, int64_t y_stride) {
  Multiply(weights, activations, n_tokens, row_begin, row_end, y, y_stride, [](float*, int64_t) {});
}

void MultiplyDecodedAsBf16(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                           int64_t row_end, float* y, int64_t y_stride) {
  Multiply(weights, activations, n_tokens, row_begin, row_end, y, y_stride, [](float* row, int64_t n) {
    for (int64_t i = 0; i < n; ++i) row[i] = RoundToBf16(row[i]);
  });
}

void MultiplyStatic(const PackedView& weights, const std::byte* activations, int64_t n_tokens, int64_t row_begin,
                    int64_t row_end, float* y, int64_t y_stride) {
  constexpr int64_t kTokens = 8;
  alignas(64) float decoded[kDecodeColumns], rounded[kTokens][kDecodeColumns];
  const int64_t token_bytes = FloatActivationBytes(weights.cols);
  for (int64_t first = 0; first < n_tokens; first += kTokens) {
    const int64_t tokens = std::min(kTokens, n_tokens - first);
    for (int64_t begin = 0; begin < weights.cols; begin += kDecodeColumns) {
      const int64_t n = std::min(kDecodeColumns, weights.cols - begin);
      for (int64_t t = 0; t < tokens; ++t) {
        std::copy_n(reinterpret_cast<const float*>(activations + (first + t) * token_bytes) + begin, n, rounded[t]);
        RoundStatic(weights.format->activation, weights.activation_scale, n, rounded[t]);
      }
      for (int64_t r = row_begin; r < row_end; ++r) {
        DecodeColumns(weights, r, begin, n, decoded);
        for (int64_t t = 0; t < tokens; ++t) {
          const float sum = Dot(decoded, rounded[t], n);
          float& out = y[(first + t) * y_stride + r];
          out = begin == 0 ? sum : out + sum;
        }
      }
    }
  }
}

}  // namespace assay::ref
