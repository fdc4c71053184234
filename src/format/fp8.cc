#include "format/fp8.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "format/vector/code_range.h"
#include "format/vector/vector_codes.h"
#include "number/bf16.h"
#include "number/fp8_e4m3.h"

namespace assay {
namespace {

constexpr float kScaleOfZeros = 0x1p-7f;  // the unit in the last place of bfloat16 1.0

float ScaleOf(float largest) {
  const float scale = RoundToBf16(largest / kFp8E4m3Max);
  return scale != 0 ? scale : kScaleOfZeros;
}

template <typename V>
ASSAY_INLINE void EncodeRun(const float* x, int64_t n, float scale, std::byte* codes) {
  int64_t i = 0;
  for (; i + kLanes<V> <= n; i += kLanes<V>) StoreBytes(Fp8E4m3Codes(Load<V>(x + i) / scale), kLanes<V>, codes + i);
  if (i < n) StoreBytes(Fp8E4m3Codes(LoadUpTo<V>(x + i, n - i) / scale), n - i, codes + i);
}

// One scale per `group_rows` rows and `group` columns.
template <typename V>
ASSAY_INLINE void EncodeGroups(const float* weights, int64_t n_rows, int64_t cols, int64_t group_rows, int64_t group,
                               std::byte* codes, std::byte* scales) {
  const int64_t per_row = (cols + group - 1) / group;
  for (int64_t row = 0; row < n_rows; row += group_rows) {
    const int64_t rows = std::min(group_rows, n_rows - row);
    for (int64_t first = 0; first < cols; first += group) {
      const int64_t n = std::min(group, cols - first);
      float largest = 0;
      for (int64_t r = 0; r < rows; ++r)
        largest = std::max(largest, LargestMagnitudeOf<V>(weights + (row + r) * cols + first, n));
      const float scale = ScaleOf(largest);
      for (int64_t r = row; r < row + rows; ++r) {
        std::memcpy(scales + (r * per_row + first / group) * 4, &scale, sizeof scale);
        EncodeRun<V>(weights + r * cols + first, n, scale, codes + r * cols + first);
      }
    }
  }
}

template <typename V>
ASSAY_INLINE void DecodeRow(const PackedView& view, int64_t row, float* out) {
  constexpr int lanes = kLanes<V>;
  const int64_t cols = view.cols, width = view.format->scale_weights;
  const int64_t group = width > 0 ? width : std::max<int64_t>(cols, 1);
  const std::byte* in = view.codes + row * cols;
  const int64_t per_row = ScalesPerRow(*view.format, cols);
  float scale = view.global_scale / view.global_divisor;
  for (int64_t first = 0; first < cols; first += group) {
    // One scale for the whole: there are none of rows, not even a null pointer to count from.
    if (width != 0) std::memcpy(&scale, view.scales + (row * per_row + first / group) * 4, sizeof scale);
    const int64_t end = std::min(cols, first + group);
    int64_t i = first;
    for (; i + lanes <= end; i += lanes) {
      const V values = Fp8E4m3Values(LoadCodes<IntsOf<V>, 8>(in + i)) * scale;
      std::memcpy(out + i, &values, sizeof values);
    }
    for (; i < end; ++i) out[i] = DecodeFp8E4m3(static_cast<uint8_t>(in[i])) * scale;
  }
}

}  // namespace

ASSAY_BY_WIDTH(DecodeRowFp8, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow)
namespace {
ASSAY_BY_WIDTH(EncodeFp8Run, (const float* weights, int64_t n, float scale, std::byte* codes),
               (weights, n, scale, codes), EncodeRun)
ASSAY_BY_WIDTH(EncodeFp8Groups,
               (const float* weights, int64_t n_rows, int64_t cols, int64_t group_rows, int64_t group, std::byte* codes,
                std::byte* scales),
               (weights, n_rows, cols, group_rows, group, codes, scales), EncodeGroups)
}  // namespace

void EncodeRowsFp8Tensor(const float* weights, int64_t n_rows, int64_t cols, const float*, float global_scale,
                         float global_divisor, std::byte* codes, std::byte*) {
  EncodeFp8Run(weights, n_rows * cols, global_scale / global_divisor, codes);
}

void EncodeRowsFp8Channel(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                          std::byte* codes, std::byte* scales) {
  EncodeFp8Groups(weights, n_rows, cols, 1, std::max<int64_t>(cols, 1), codes, scales);
}

void EncodeRowsFp8Block(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                        std::byte* codes, std::byte* scales) {
  EncodeFp8Groups(weights, n_rows, cols, kFp8Block, kFp8Block, codes, scales);
}

void ChooseGlobalFp8(const MatrixStatistics& statistics, float* global_scale, float* global_divisor) {
  *global_scale = ScaleOf(statistics.abs_max);
  *global_divisor = 1.0f;
}

bool ValidRowFp8(const PackedView& view, int64_t row) {
  const int64_t n = ScalesPerRow(*view.format, view.cols);
  if (view.format->has_global && !std::isfinite(view.global_scale / view.global_divisor)) return false;
  for (int64_t g = row * n; g < (row + 1) * n; ++g) {
    float scale;
    std::memcpy(&scale, view.scales + g * 4, sizeof scale);
    if (!std::isfinite(scale)) return false;
  }
  const std::byte* in = view.codes + row * view.cols;
  return MagnitudesBelow<uint8_t>(in, view.cols, 0x7f);
}

void FitFp8(const Format& format, const GridInput& in, Grid* grid, SuperGrid*) {
  grid->scale = in.global_scale / in.global_divisor;
  if (format.group == 0) return;
  float largest = 0;
  for (int64_t r = 0; r < in.rows; ++r)
    largest = std::max(largest, LargestMagnitudeOf<Float8>(in.weights + r * in.stride, in.columns));
  grid->scale = ScaleOf(largest);
}

Rounded RoundFp8(const Format&, const Grid& grid, float x) {
  const uint8_t code = EncodeFp8E4m3(x / grid.scale);
  return {code, DecodeFp8E4m3(code) * grid.scale};
}

}  // namespace assay
