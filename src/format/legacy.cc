#include "format/legacy.h"

#include <algorithm>

#include "format/block_rows.h"
#include "format/gguf_blocks.h"
#include "format/rounding.h"
#include "format/search.h"
#include "number/f16.h"

namespace assay {
namespace {

// --- decoding ---

ASSAY_INLINE void DecodeQ8_0(const BlockQ8_0& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < kQ; ++i) out[i] = static_cast<float>(block.qs[i]) * d;
}

ASSAY_INLINE void DecodeQ4_0(const BlockQ4_0& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < kQ / 2; ++i) {
    out[i] = static_cast<float>((block.qs[i] & 15) - 8) * d;
    out[i + kQ / 2] = static_cast<float>((block.qs[i] >> 4) - 8) * d;
  }
}

ASSAY_INLINE void DecodeQ4_1(const BlockQ4_1& block, float* out) {
  const float d = DecodeF16(block.d);
  const float m = DecodeF16(block.m);
  for (int i = 0; i < kQ / 2; ++i) {
    out[i] = static_cast<float>(block.qs[i] & 15) * d + m;
    out[i + kQ / 2] = static_cast<float>(block.qs[i] >> 4) * d + m;
  }
}

// The 32 five-bit codes.
template <typename Block>
ASSAY_INLINE void UnpackQ5(const Block& block, int* q) {
  uint32_t high;
  std::memcpy(&high, block.qh, sizeof high);
  for (int i = 0; i < kQ / 2; ++i) {
    q[i] = (block.qs[i] & 15) | static_cast<int>(high >> i & 1) << 4;
    q[i + kQ / 2] = (block.qs[i] >> 4) | static_cast<int>(high >> (i + kQ / 2) & 1) << 4;
  }
}

ASSAY_INLINE void DecodeQ5_0(const BlockQ5_0& block, float* out) {
  const float d = DecodeF16(block.d);
  int q[kQ];
  UnpackQ5(block, q);
  for (int i = 0; i < kQ; ++i) out[i] = static_cast<float>(q[i] - 16) * d;
}

ASSAY_INLINE void DecodeQ5_1(const BlockQ5_1& block, float* out) {
  const float d = DecodeF16(block.d);
  const float m = DecodeF16(block.m);
  int q[kQ];
  UnpackQ5(block, q);
  for (int i = 0; i < kQ; ++i) out[i] = static_cast<float>(q[i]) * d + m;
}

template <typename Block>
bool ValidScale(const Block& block) {
  return FiniteF16(block.d);
}
template <typename Block>
bool ValidScaleMin(const Block& block) {
  return FiniteF16(block.d) && FiniteF16(block.m);
}

// --- packing ---

// words: 32 codes, a byte each.
template <typename Block>
ASSAY_INLINE void PackCodes(const uint64_t* words, Block& block) {
  constexpr uint64_t low = 0x0f0f0f0f0f0f0f0f;
  const uint64_t nibbles[2] = {(words[0] & low) | (words[2] & low) << 4, (words[1] & low) | (words[3] & low) << 4};
  std::memcpy(block.qs, nibbles, sizeof nibbles);
  if constexpr (requires { block.qh; }) {
    // The product gathers the lowest bit of each byte in the topmost byte.
    for (int i = 0; i < 4; ++i)
      block.qh[i] = static_cast<uint8_t>((words[i] >> 4 & 0x0101010101010101) * 0x0102040810204080 >> 56);
  }
}

template <typename Block>
inline constexpr bool kHasMin = requires(Block block) {
  block.m;
};
template <typename Block>
inline constexpr int kMaxCode = requires(Block block) {
  block.qh;
}
? 31 : 15;

// --- the reference rule ---

// q = the whole part of (x - shift) * inverse + offset, at most kMaxCode.
template <typename Block>
ASSAY_INLINE void TruncateCodes(const float* x, float shift, float inverse, float offset, Block& block) {
  uint64_t words[kQ / 8];
  for (int i = 0; i < kQ / 8; ++i) {
    const Float8 v = Min((Load<Float8>(x + 8 * i) - shift) * inverse + offset,
                         Broadcast<Float8>(static_cast<float>(kMaxCode<Block>)));
    words[i] = LowBytes(__builtin_convertvector(v, LaneTypes<8>::Int));
  }
  PackCodes(words, block);
}

template <typename Block>
ASSAY_INLINE void EncodePlain(const float* x, Block& block) {
  if constexpr (kHasMin<Block>) {
    float low, high;
    Range<kQ>(x, &low, &high);
    const float d = (high - low) / static_cast<float>(kMaxCode<Block>);
    block.d = EncodeF16(d);
    block.m = EncodeF16(low);
    TruncateCodes(x, low, d != 0 ? 1.0f / d : 0.0f, 0.5f, block);
  } else {
    constexpr int zero = (kMaxCode<Block> + 1) / 2;
    const float d = SignedLargest<kQ>(x) / static_cast<float>(-zero);
    block.d = EncodeF16(d);
    TruncateCodes(x, 0.0f, d != 0 ? 1.0f / d : 0.0f, static_cast<float>(zero) + 0.5f, block);
  }
}

// --- the search ---

constexpr AffineSearch kAffineSearch{-0.9f, 0.075f, 25, 3};
constexpr LinearSearch kLinearSearch{-0.9f, 0.1f, 19, true, 2};

ASSAY_INLINE Float8 RoundLanesToF16(Float8 v) {
  for (int lane = 0; lane < 8; ++lane) v[lane] = RoundToF16(std::clamp(v[lane], -kF16Max, kF16Max));
  return v;
}

// Eight blocks at once (fewer at the end of a row: n_blocks).
template <typename Block>
ASSAY_INLINE void EncodeSearched(const float* x, const float* w, int n_blocks, Block* blocks) {
  Float8 xv[kQ], wv[kQ], q[kQ];
  LoadRuns<Float8, kQ>(x, n_blocks, xv);
  LoadRuns<Float8, kQ>(w, n_blocks, wv);
  constexpr float max_code = static_cast<float>(kMaxCode<Block>);
  Float8 d{}, m{};
  if constexpr (kHasMin<Block>) {
    const AffineFit<Float8> fit = SearchAffine<Float8, kQ, true>(xv, wv, max_code, kAffineSearch);
    // Rounded to F16 the plain rule is now and then the better one: it hits weights that already lie on such a grid.
    Float8 low, high;
    RangeOfRuns<Float8, kQ>(xv, &low, &high);
    const Float8 plain_d = RoundLanesToF16((high - low) / max_code);
    const Float8 plain_m = RoundLanesToF16(low);
    d = RoundLanesToF16(fit.scale);
    m = RoundLanesToF16(fit.minimum);
    const auto plain =
        AffineError<Float8, kQ>(xv, wv, plain_d, plain_m, max_code) < AffineError<Float8, kQ>(xv, wv, d, m, max_code);
    d = plain ? plain_d : d;
    m = plain ? plain_m : m;
    for (int lane = 0; lane < n_blocks; ++lane) {
      blocks[lane].d = EncodeF16(d[lane]);
      blocks[lane].m = EncodeF16(m[lane]);
    }
    const Float8 inverse = Reciprocal(d);
    for (int i = 0; i < kQ; ++i) q[i] = RoundClamp((xv[i] - m) * inverse, 0.0f, max_code);
  } else {
    constexpr float zero = (max_code + 1) / 2;
    d = RoundLanesToF16(SearchLinear<Float8, kQ>(xv, wv, zero, kLinearSearch).scale);
    for (int lane = 0; lane < n_blocks; ++lane) blocks[lane].d = EncodeF16(d[lane]);
    const Float8 inverse = Reciprocal(d);
    for (int i = 0; i < kQ; ++i) q[i] = RoundClamp(xv[i] * inverse, -zero, zero - 1) + zero;
  }
  uint8_t codes[8 * kQ];
  StoreRuns<Float8, kQ>(q, codes);
  for (int lane = 0; lane < n_blocks; ++lane) {
    uint64_t words[kQ / 8];
    std::memcpy(words, codes + lane * kQ, sizeof words);
    PackCodes(words, blocks[lane]);
  }
}

template <typename Block>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                             std::byte* codes) {
  const int64_t n_blocks = cols / kQ;
  for (int64_t row = 0; row < n_rows; ++row, weights += cols) {
    std::byte* out = codes + row * n_blocks * static_cast<int64_t>(sizeof(Block));
    if (importance == nullptr) {
      for (int64_t i = 0; i < n_blocks; ++i) {
        Block block;
        EncodePlain(weights + i * kQ, block);
        std::memcpy(out + i * static_cast<int64_t>(sizeof(Block)), &block, sizeof block);
      }
      continue;
    }
    const float mean_square = MeanSquare(weights, cols);
    for (int64_t i = 0; i < n_blocks; i += 8) {
      const int n = static_cast<int>(std::min<int64_t>(8, n_blocks - i));
      float w[8 * kQ];
      SearchWeights(weights + i * kQ, importance + i * kQ, mean_square, n * kQ, w);
      Block blocks[8];
      EncodeSearched(weights + i * kQ, w, n, blocks);
      std::memcpy(out + i * static_cast<int64_t>(sizeof(Block)), blocks, static_cast<size_t>(n) * sizeof(Block));
    }
  }
}

}  // namespace

ASSAY_CLONES void DecodeRowQ8_0(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ8_0, kQ, DecodeQ8_0>(view, row, out);
}
ASSAY_CLONES void DecodeRowQ4_0(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ4_0, kQ, DecodeQ4_0>(view, row, out);
}
ASSAY_CLONES void DecodeRowQ4_1(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ4_1, kQ, DecodeQ4_1>(view, row, out);
}
ASSAY_CLONES void DecodeRowQ5_0(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ5_0, kQ, DecodeQ5_0>(view, row, out);
}
ASSAY_CLONES void DecodeRowQ5_1(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ5_1, kQ, DecodeQ5_1>(view, row, out);
}

ASSAY_CLONES void EncodeRowsQ8_0(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float,
                                 std::byte* codes, std::byte*) {
  for (int64_t i = 0; i < n_rows * cols / kQ; ++i) {
    BlockQ8_0 block;
    EncodeBlockQ8_0(weights + i * kQ, &block);
    std::memcpy(codes + i * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}
ASSAY_CLONES void EncodeRowsQ4_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                 float, std::byte* codes, std::byte*) {
  EncodeRows<BlockQ4_0>(weights, n_rows, cols, importance, codes);
}
ASSAY_CLONES void EncodeRowsQ4_1(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                 float, std::byte* codes, std::byte*) {
  EncodeRows<BlockQ4_1>(weights, n_rows, cols, importance, codes);
}
ASSAY_CLONES void EncodeRowsQ5_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                 float, std::byte* codes, std::byte*) {
  EncodeRows<BlockQ5_0>(weights, n_rows, cols, importance, codes);
}
ASSAY_CLONES void EncodeRowsQ5_1(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                 float, std::byte* codes, std::byte*) {
  EncodeRows<BlockQ5_1>(weights, n_rows, cols, importance, codes);
}

bool ValidRowQ8_0(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ8_0, kQ, ValidScale<BlockQ8_0>>(view, row);
}
bool ValidRowQ4_0(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ4_0, kQ, ValidScale<BlockQ4_0>>(view, row);
}
bool ValidRowQ4_1(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ4_1, kQ, ValidScaleMin<BlockQ4_1>>(view, row);
}
bool ValidRowQ5_0(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ5_0, kQ, ValidScale<BlockQ5_0>>(view, row);
}
bool ValidRowQ5_1(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ5_1, kQ, ValidScaleMin<BlockQ5_1>>(view, row);
}

}  // namespace assay
