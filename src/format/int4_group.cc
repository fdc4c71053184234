#include "format/int4_group.h"

#include <cmath>

#include "format/vector_codes.h"
#include "number/bf16.h"

namespace assay {
namespace {

constexpr float kScaleOfZeros = 0x1p-7f;  // the unit in the last place of bfloat16 1.0

template <int group>
void DecodeRow(const PackedView& view, int64_t row, float* out) {
  const std::byte* in = view.codes + row * (view.cols / 2);
  const std::byte* scales = view.scales + row * (view.cols / group) * 4;
  for (int64_t g = 0; g < view.cols / group; ++g) {
    float scale;
    std::memcpy(&scale, scales + g * 4, sizeof scale);
    for (int i = 0; i < group / 2; ++i, ++in, out += 2) {
      const int byte = static_cast<uint8_t>(*in);
      out[0] = static_cast<float>((byte & 15) - 8) * scale;
      out[1] = static_cast<float>((byte >> 4) - 8) * scale;
    }
  }
}

template <int group>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_weights, std::byte* codes, std::byte* scales) {
  for (int64_t g = 0; g < n_weights / group; ++g, weights += group) {
    float scale = RoundToBf16(LargestMagnitudeOf(weights, group) / 7.5f);
    if (scale == 0) scale = kScaleOfZeros;
    std::memcpy(scales + g * 4, &scale, sizeof scale);
    for (int i = 0; i < group; i += 8) {
      const Float8 q = Round(Clamp(Load8(weights + i) / scale, -8.0f, 7.0f)) + 8.0f;
      uint8_t bytes[4];
      PackLowFirst(__builtin_convertvector(q, Int8Lanes), bytes);
      std::memcpy(codes, bytes, 4);
      codes += 4;
    }
  }
}

}  // namespace

void DecodeRowInt4Group128(const PackedView& view, int64_t row, float* out) {
  DecodeRow<128>(view, row, out);
}
void DecodeRowInt4Group64(const PackedView& view, int64_t row, float* out) {
  DecodeRow<64>(view, row, out);
}
void DecodeRowInt4Group32(const PackedView& view, int64_t row, float* out) {
  DecodeRow<32>(view, row, out);
}

ASSAY_CLONES void EncodeRowsInt4Group128(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                                         std::byte* codes, std::byte* scales) {
  EncodeRows<128>(weights, n_rows * cols, codes, scales);
}
ASSAY_CLONES void EncodeRowsInt4Group64(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                                        std::byte* codes, std::byte* scales) {
  EncodeRows<64>(weights, n_rows * cols, codes, scales);
}
ASSAY_CLONES void EncodeRowsInt4Group32(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                                        std::byte* codes, std::byte* scales) {
  EncodeRows<32>(weights, n_rows * cols, codes, scales);
}

bool ValidRowInt4Group(const PackedView& view, int64_t row) {
  const int64_t n = view.cols / view.format->scale_weights;
  for (int64_t g = 0; g < n; ++g) {
    float scale;
    std::memcpy(&scale, view.scales + (row * n + g) * 4, sizeof scale);
    if (!std::isfinite(scale)) return false;
  }
  return true;
}

}  // namespace assay
