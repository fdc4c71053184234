#include "format/bitsandbytes/llm_int8.h"

#include <cmath>

#include "format/vector/scalar_rounding.h"
#include "format/vector/vector_codes.h"

namespace assay {
namespace {

constexpr float kInverse = 7.874015718698502e-3f;  // 1 / 127, as bitsandbytes writes it

// 127 / scale by torch's division of a number by a tensor; 0 of a row of zeros, or too small for a quotient.
float FactorOf(float scale) {
  const float factor = 1.0f / scale * 127.0f;
  return std::isfinite(factor) ? factor : 0.0f;
}

float ScaleOfRow(const PackedView& view, int64_t row) {
  float scale;
  std::memcpy(&scale, view.scales + row * 4, sizeof scale);
  return scale;
}

template <typename V>
ASSAY_INLINE void DecodeRow(const PackedView& view, int64_t row, float* out) {
  constexpr int lanes = kLanes<V>;
  const float scale = ScaleOfRow(view, row);
  const std::byte* in = view.codes + row * view.cols;
  int64_t i = 0;
  for (; i + lanes <= view.cols; i += lanes) {
    const V values = __builtin_convertvector(LoadSigned<IntsOf<V>>(in + i), V) * scale * kInverse;
    std::memcpy(out + i, &values, sizeof values);
  }
  for (; i < view.cols; ++i) out[i] = static_cast<float>(static_cast<int8_t>(in[i])) * scale * kInverse;
}

template <typename V>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, std::byte* codes, std::byte* scales) {
  for (int64_t row = 0; row < n_rows; ++row, weights += cols, codes += cols) {
    const float scale = LargestMagnitudeOf<V>(weights, cols);
    std::memcpy(scales + row * 4, &scale, sizeof scale);
    const float factor = FactorOf(scale);
    for (int64_t i = 0; i < cols; i += kLanes<V>) {
      const V q = Clamp(Round(LoadUpTo<V>(weights + i, cols - i) * factor), -127.0f, 127.0f);
      StoreBytes(__builtin_convertvector(q, IntsOf<V>), cols - i, codes + i);
    }
  }
}

}  // namespace

ASSAY_BY_WIDTH(DecodeRowLlmInt8, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow)
namespace {
ASSAY_BY_WIDTH(EncodeLlmInt8, (const float* weights, int64_t n_rows, int64_t cols, std::byte* codes, std::byte* scales),
               (weights, n_rows, cols, codes, scales), EncodeRows)
}  // namespace

void EncodeRowsLlmInt8(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                       std::byte* scales) {
  EncodeLlmInt8(weights, n_rows, cols, codes, scales);
}

bool ValidRowLlmInt8(const PackedView& view, int64_t row) {
  return std::isfinite(ScaleOfRow(view, row));
}

void FitLlmInt8(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  grid->scale = LargestMagnitudeOf<Float8>(in.weights, in.columns);
  grid->factor = FactorOf(grid->scale);
}

Rounded RoundLlmInt8(const Format&, const Grid& grid, float x) {
  const int q = RoundClampToInt(x * grid.factor, -127, 127);
  return {static_cast<uint8_t>(q), static_cast<float>(q) * grid.scale * kInverse};
}

}  // namespace assay
