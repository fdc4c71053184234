#include "format/bitsandbytes/bnb_4bit.h"

#include <algorithm>
#include <cmath>

#include "format/vector/vector_codes.h"
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

template <typename V, const float* values>
ASSAY_INLINE void DecodeRow(const PackedView& view, int64_t row, float* out) {
  constexpr int lanes = kLanes<V>;
  const int64_t block = view.format->scale_weights, end = (row + 1) * view.cols;
  for (int64_t i = row * view.cols; i < end;) {
    const float scale = ScaleAt(view, i / block);
    const int64_t stop = std::min(end, (i / block + 1) * block);
    for (; i % 2 == 0 && i + lanes <= stop; i += lanes, out += lanes) {
      const V decoded = Lookup16<V>(values, LoadHighFirst<IntsOf<V>>(view.codes + i / 2)) * scale;
      std::memcpy(out, &decoded, sizeof decoded);
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

template <typename V, auto encode, auto vector_codes>
ASSAY_INLINE void EncodeBlocks(int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales) {
  // The scales of several blocks before their codes: nothing waits for the steps that lead to one of them.
  constexpr int64_t kBlocks = 16;
  const int64_t n_blocks = n / block;
  for (int64_t some = 0; some < n_blocks; some += kBlocks) {
    const int64_t end = std::min(n_blocks, some + kBlocks);
    float inverse[kBlocks];
    for (int64_t b = some; b < end; ++b) {
      const float scale = LargestMagnitudeOf<V>(weights + b * block, block);
      std::memcpy(scales + b * 4, &scale, sizeof scale);
      inverse[b - some] = 1.0f / std::max(scale, kSmallestScale);
    }
    for (int64_t b = some; b < end; ++b) {
      for (int64_t i = b * block; i < (b + 1) * block; i += kLanes<V>)
        PackHighFirst(vector_codes(Load<V>(weights + i) * inverse[b - some]), codes + i / 2);
    }
  }
  const int64_t whole = n / block * block;
  if (whole < n) EncodeShortBlock<encode>(weights + whole, n - whole, codes + whole / 2, scales + whole / block * 4);
}

template <typename V>
ASSAY_INLINE void EncodeNf4s(int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales) {
  EncodeBlocks<V, EncodeNf4, Nf4Codes<V>>(block, weights, n, codes, scales);
}
template <typename V>
ASSAY_INLINE void EncodeFp4s(int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales) {
  EncodeBlocks<V, EncodeBnbFp4, BnbFp4Codes<V>>(block, weights, n, codes, scales);
}

}  // namespace

ASSAY_BY_WIDTH(DecodeRowNf4, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow, kNf4Values)
ASSAY_BY_WIDTH(DecodeRowBnbFp4, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow,
               kBnbFp4Values)
ASSAY_BY_WIDTH(EncodeNf4Blocks, (int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales),
               (block, weights, n, codes, scales), EncodeNf4s)
ASSAY_BY_WIDTH(EncodeBnbFp4Blocks, (int block, const float* weights, int64_t n, std::byte* codes, std::byte* scales),
               (block, weights, n, codes, scales), EncodeFp4s)

bool ValidRowBnb4(const PackedView& view, int64_t row) {
  if (view.cols == 0) return true;
  const int64_t block = view.format->scale_weights;
  const int64_t first = row * view.cols / block, last = ((row + 1) * view.cols - 1) / block;
  for (int64_t b = first; b <= last; ++b) {
    if (!std::isfinite(ScaleAt(view, b))) return false;
  }
  return true;
}

namespace {

bool IsNf4(const Format& format) {
  return format.number == "nf4";
}

}  // namespace

void FitBnb4(const Format& format, const GridInput& in, Grid* grid, SuperGrid*) {
  grid->scale = LargestMagnitudeOf<Float8>(in.weights, in.columns);
  grid->second_rule = in.columns < format.group;  // a short block divides
  if (grid->second_rule) grid->scale = std::max(grid->scale, kSmallestScale);
  grid->factor = 1.0f / std::max(grid->scale, kSmallestScale);
}

Rounded RoundBnb4(const Format& format, const Grid& grid, float x) {
  const float v = grid.second_rule ? x / grid.scale : x * grid.factor;
  const uint8_t code = IsNf4(format) ? EncodeNf4(v) : EncodeBnbFp4(v);
  return {code, (IsNf4(format) ? kNf4Values : kBnbFp4Values)[code] * grid.scale};
}

void PackBnb4(const Format& format, const GridCodes& in, std::byte* codes, std::byte* scales) {
  const int64_t n = in.rows * in.cols;
  const uint8_t zero = IsNf4(format) ? EncodeNf4(0.0f) : EncodeBnbFp4(0.0f);  // behind an odd last weight
  for (int64_t i = 0; i < n; i += 2)
    codes[i / 2] = static_cast<std::byte>(in.codes[i] << 4 | (i + 1 < n ? in.codes[i + 1] : zero));
  for (int64_t b = 0; b * format.group < n; ++b) std::memcpy(scales + b * 4, &in.grids[b].scale, 4);
}

}  // namespace assay
