#include "format/channel.h"

#include <array>
#include <cmath>

#include "format/block_rows.h"
#include "format/vector_codes.h"
#include "number/bf16.h"
#include "number/fp8_e4m3.h"

namespace assay {
namespace {

constexpr float kScaleOfZeros = 0x1p-7f;  // the unit in the last place of bfloat16 1.0

float ScaleOfRow(const PackedView& view, int64_t row) {
  float scale;
  std::memcpy(&scale, view.scales + row * static_cast<int64_t>(sizeof scale), sizeof scale);
  return scale;
}

ASSAY_INLINE float ScaleFor(const float* x, int64_t cols, float half_range) {
  const int64_t whole = cols / 8 * 8;
  float largest = LargestMagnitudeOf(x, whole);
  for (int64_t i = whole; i < cols; ++i) largest = std::fmax(largest, std::fabs(x[i]));
  const float scale = RoundToBf16(largest / half_range);
  return scale != 0 ? scale : kScaleOfZeros;
}

// `convert` turns eight clamped quotients into codes.
template <typename Convert>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, float half_range, float low,
                             float high, std::byte* codes, std::byte* scales, Convert convert) {
  for (int64_t row = 0; row < n_rows; ++row, weights += cols, codes += cols) {
    const float scale = ScaleFor(weights, cols, half_range);
    std::memcpy(scales + row * static_cast<int64_t>(sizeof scale), &scale, sizeof scale);
    for (int64_t i = 0; i < cols; i += 8) {
      const int64_t n = cols - i < 8 ? cols - i : 8;
      Float8 v{};
      if (n == 8) {
        v = Load8(weights + i);
      } else {
        std::memcpy(&v, weights + i, static_cast<size_t>(n) * sizeof(float));
      }
      const Int8Lanes code = convert(Clamp(v / scale, low, high));
      uint8_t bytes[8];
      for (int lane = 0; lane < 8; ++lane) bytes[lane] = static_cast<uint8_t>(code[lane]);
      if (n == 8) {
        std::memcpy(codes + i, bytes, 8);
      } else {
        std::memcpy(codes + i, bytes, static_cast<size_t>(n));
      }
    }
  }
}

}  // namespace

void DecodeRowFp8Channel(const PackedView& view, int64_t row, float* out) {
  static constexpr auto kValues = [] {
    std::array<float, 256> values{};
    for (int code = 0; code < 256; ++code)
      values[static_cast<size_t>(code)] = DecodeFp8E4m3(static_cast<uint8_t>(code));
    return values;
  }();
  const float scale = ScaleOfRow(view, row);
  const std::byte* in = view.codes + row * view.cols;
  for (int64_t i = 0; i < view.cols; ++i) out[i] = kValues[static_cast<uint8_t>(in[i])] * scale;
}

void DecodeRowInt8Channel(const PackedView& view, int64_t row, float* out) {
  const float scale = ScaleOfRow(view, row);
  const std::byte* in = view.codes + row * view.cols;
  for (int64_t i = 0; i < view.cols; ++i) out[i] = static_cast<float>(static_cast<int8_t>(in[i])) * scale;
}

ASSAY_CLONES void EncodeRowsFp8Channel(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                                       std::byte* codes, std::byte* scales) {
  EncodeRows(
      weights, n_rows, cols, kFp8E4m3Max, -kFp8E4m3Max, kFp8E4m3Max, codes, scales,
      [](Float8 v) __attribute__((always_inline)) { return Fp8E4m3Codes(v); });
}

ASSAY_CLONES void EncodeRowsInt8Channel(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                                        std::byte* codes, std::byte* scales) {
  EncodeRows(
      weights, n_rows, cols, 127.5f, -128.0f, 127.0f, codes, scales,
      [](Float8 v) __attribute__((always_inline)) { return __builtin_convertvector(Round(v), Int8Lanes); });
}

bool ValidRowFp8Channel(const PackedView& view, int64_t row) {
  if (!std::isfinite(ScaleOfRow(view, row))) return false;
  const std::byte* in = view.codes + row * view.cols;
  for (int64_t i = 0; i < view.cols; ++i) {
    if ((static_cast<uint8_t>(in[i]) & 0x7f) == 0x7f) return false;
  }
  return true;
}

bool ValidRowInt8Channel(const PackedView& view, int64_t row) {
  return std::isfinite(ScaleOfRow(view, row));
}

}  // namespace assay
