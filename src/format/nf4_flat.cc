#include "format/nf4_flat.h"

#include <cmath>

#include "format/vector_codes.h"
#include "number/nf4.h"

namespace assay {
namespace {

constexpr int kBlock = 64;
constexpr float kSmallestScale = 1e-38f;  // what a division uses in place of a smaller scale

float ScaleAt(const PackedView& view, int64_t block) {
  float scale;
  std::memcpy(&scale, view.scales + block * 4, sizeof scale);
  return scale;
}

// The last block of a matrix when it is not whole.
void EncodeShortBlock(const float* x, int n, std::byte* codes, std::byte* scale_out) {
  float scale = 0;
  for (int i = 0; i < n; ++i) scale = std::fmax(scale, std::fabs(x[i]));
  scale = std::fmax(scale, kSmallestScale);
  std::memcpy(scale_out, &scale, sizeof scale);
  for (int i = 0; i < n; i += 2) {
    const int first = EncodeNf4(x[i] / scale);
    const int second = EncodeNf4(i + 1 < n ? x[i + 1] / scale : 0.0f);
    codes[i / 2] = static_cast<std::byte>(first << 4 | second);
  }
}

}  // namespace

void DecodeRowNf4(const PackedView& view, int64_t row, float* out) {
  const int64_t begin = row * view.cols;
  for (int64_t i = begin; i < begin + view.cols; ++i) {
    const int byte = static_cast<uint8_t>(view.codes[i / 2]);
    out[i - begin] = kNf4Values[i % 2 == 0 ? byte >> 4 : byte & 15] * ScaleAt(view, i / kBlock);
  }
}

ASSAY_CLONES void EncodeRowsNf4(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                                std::byte* codes, std::byte* scales) {
  const int64_t n = n_rows * cols;
  for (int64_t i = 0; i + kBlock <= n; i += kBlock) {
    const float scale = LargestMagnitudeOf(weights + i, kBlock);
    std::memcpy(scales + i / kBlock * 4, &scale, sizeof scale);
    const float inverse = 1.0f / std::fmax(scale, kSmallestScale);
    for (int j = 0; j < kBlock; j += 8) {
      uint8_t bytes[4];
      PackHighFirst(Nf4Codes(Load8(weights + i + j) * inverse), bytes);
      std::memcpy(codes + (i + j) / 2, bytes, 4);
    }
  }
  const int64_t whole = n / kBlock * kBlock;
  if (whole < n)
    EncodeShortBlock(weights + whole, static_cast<int>(n - whole), codes + whole / 2, scales + whole / kBlock * 4);
}

bool ValidRowNf4(const PackedView& view, int64_t row) {
  if (view.cols == 0) return true;
  const int64_t first = row * view.cols / kBlock;
  const int64_t last = ((row + 1) * view.cols - 1) / kBlock;
  for (int64_t block = first; block <= last; ++block) {
    if (!std::isfinite(ScaleAt(view, block))) return false;
  }
  return true;
}

}  // namespace assay
