#include "format/bnb_4bit.h"

#include <algorithm>
#include <cmath>

#include "format/vector_codes.h"
#include "number/bnb_fp4.h"
#include "number/nf4.h"

namespace assay {
namespace {

constexpr float kSmallestScale = 1e-38f;  // what a division uses in place of a smaller scale

float ScaleAt(const PackedView& view, int64_t block) {
  float scale;
  std::memcpy(&scale, view.scales + block * 4, sizeof scale);
  return scale;
}

ASSAY_INLINE void DecodeRow(const PackedView& view, int64_t row, const float (&values)[16], float* out) {
  const int64_t block = view.format->scale_weights, end = (row + 1) * view.cols;
  const Float8 low = Load8(values), high = Load8(values + 8);
  for (int64_t i = row * view.cols; i < end;) {
    const float scale = ScaleAt(view, i / block);
    const int64_t stop = std::min(end, (i / block + 1) * block);
    for (; i % 2 == 0 && i + 8 <= stop; i += 8, out += 8) {
      uint32_t word;
      std::memcpy(&word, view.codes + i / 2, sizeof word);
      word = (word & 0x0f0f0f0f) << 4 | (word >> 4 & 0x0f0f0f0f);  // the first of a pair is the high nibble
      const Float8 eight = Lookup16(low, high, SpreadLanes<4>(word)) * scale;
      std::memcpy(out, &eight, sizeof eight);
    }
    for (; i < stop; ++i) {
      const int byte = static_cast<uint8_t>(view.codes[i / 2]);
      *out++ = values[i % 2 == 0 ? byte >> 4 : byte & 15] * scale;
    }
  }
}

// The last block of a matrix when it is not whole.
template <auto encode>
void EncodeShortBlock(const float* x, int64_t n, std::byte* codes, std::byte* scale_out) {
  float scale = 0;
  for (int64_t i = 0; i < n; ++i) scale = std::fmax(scale, std::fabs(x[i]));
  scale = std::fmax(scale, kSmallestScale);
  std::memcpy(scale_out, &scale, sizeof scale);
  for (int64_t i = 0; i < n; i += 2) {
    const int first = encode(x[i] / scale);
    const int second = encode(i + 1 < n ? x[i + 1] / scale : 0.0f);
    codes[i / 2] = static_cast<std::byte>(first << 4 | second);
  }
}

template <auto encode, auto vector_codes>
ASSAY_INLINE void EncodeBlocks(int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales) {
  for (int64_t i = 0; i + block <= n; i += block) {
    const float scale = LargestMagnitudeOf(weights + i, block);
    std::memcpy(scales + i / block * 4, &scale, sizeof scale);
    const float inverse = 1.0f / std::max(scale, kSmallestScale);
    for (int j = 0; j < block; j += 8) {
      uint8_t bytes[4];
      PackHighFirst(vector_codes(Load8(weights + i + j) * inverse), bytes);
      std::memcpy(codes + (i + j) / 2, bytes, 4);
    }
  }
  const int64_t whole = n / block * block;
  if (whole < n) EncodeShortBlock<encode>(weights + whole, n - whole, codes + whole / 2, scales + whole / block * 4);
}

}  // namespace

ASSAY_CLONES void DecodeRowNf4(const PackedView& view, int64_t row, float* out) {
  DecodeRow(view, row, kNf4Values, out);
}
ASSAY_CLONES void DecodeRowBnbFp4(const PackedView& view, int64_t row, float* out) {
  DecodeRow(view, row, kBnbFp4Values, out);
}

ASSAY_CLONES void EncodeNf4Blocks(int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales) {
  EncodeBlocks<EncodeNf4, Nf4Codes>(block, weights, n, codes, scales);
}
ASSAY_CLONES void EncodeBnbFp4Blocks(int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales) {
  EncodeBlocks<EncodeBnbFp4, BnbFp4Codes>(block, weights, n, codes, scales);
}

bool ValidRowBnb4(const PackedView& view, int64_t row) {
  if (view.cols == 0) return true;
  const int64_t block = view.format->scale_weights;
  const int64_t first = row * view.cols / block, last = ((row + 1) * view.cols - 1) / block;
  for (int64_t b = first; b <= last; ++b) {
    if (!std::isfinite(ScaleAt(view, b))) return false;
  }
  return true;
}

}  // namespace assay
