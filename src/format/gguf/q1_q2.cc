#include "format/gguf/q1_q2.h"

#include <algorithm>
#include <cmath>

#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/vector/rounding.h"
#include "format/vector/scalar_rounding.h"
#include "format/vector/search.h"
#include "format/vector/vector_codes.h"
#include "number/f16.h"

namespace assay {
namespace {

using V = Float8;
constexpr int kQ1 = 128;  // weights of a block
constexpr int kQ2 = 64;

// --- decoding ---

ASSAY_INLINE void Decode(const BlockQ1_0& block, float* out) {
  const float d = DecodeF16(block.d);
  const V plus = Broadcast<V>(d), minus = Broadcast<V>(-d);
  for (int i = 0; i < kQ1; i += 8) {
    const V eight = SpreadLanes<1>(block.qs[i / 8]) > 0 ? plus : minus;
    std::memcpy(out + i, &eight, sizeof eight);
  }
}

ASSAY_INLINE void Decode(const BlockQ2_0& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < kQ2; i += 8) {
    const uint32_t word = block.qs[i / 4] | static_cast<uint32_t>(block.qs[i / 4 + 1]) << 8;
    const V eight = __builtin_convertvector(SpreadLanes<2>(word) - 1, V) * d;
    std::memcpy(out + i, &eight, sizeof eight);
  }
}

template <typename Block>
bool ValidScale(const Block& block) {
  return FiniteF16(block.d);
}

// --- encoding ---

uint16_t ScaleQ1_0(const float* x, const float* importance) {
  // Added in the reference's order, so that the scale has its bits.
  float sum = 0, weighted = 0, weight = 0;
  for (int i = 0; i < kQ1; ++i) {
    sum += std::fabs(x[i]);
    if (importance != nullptr) {
      weighted += importance[i] * std::fabs(x[i]);
      weight += importance[i];
    }
  }
  return EncodeF16(std::fmin(weight > 1e-30f ? weighted / weight : sum / kQ1, kF16Max));
}

void Pack(const uint8_t* codes, BlockQ1_0& block) {
  for (int i = 0; i < kQ1; ++i) block.qs[i / 8] = static_cast<uint8_t>(block.qs[i / 8] | codes[i] << (i % 8));
}

void Pack(const uint8_t* codes, BlockQ2_0& block) {
  for (int i = 0; i < kQ2; ++i) block.qs[i / 4] = static_cast<uint8_t>(block.qs[i / 4] | codes[i] << (i % 4 * 2));
}

constexpr LinearSearch kSearch{-1.4f, 0.15f, 16, true, 3};

// Codes -1 … 2 of x in steps of `step`, and the weighted error of d times the codes.
ASSAY_INLINE V CodesQ2_0(const V* x, const V* w, V step, V d, V* q) {
  const V inverse = Reciprocal(step);
  V error{};
  for (int i = 0; i < kQ2; ++i) {
    q[i] = RoundClamp(x[i] * inverse, -1.0f, 2.0f);
    const V difference = q[i] * d - x[i];
    error += w[i] * difference * difference;
  }
  return error;
}

ASSAY_INLINE V ToF16(V v) {
  for (int lane = 0; lane < 8; ++lane) v[lane] = RoundToF16(std::clamp(v[lane], -kF16Max, kF16Max));
  return v;
}

// Of eight blocks: the scales as they are stored, the steps of rounding, the codes from -1 up.
struct Eight {
  V d, step, q[kQ2];
};

ASSAY_INLINE void ChooseEight(const float* x, const float* w, int n_blocks, Eight& out) {
  V xv[kQ2], wv[kQ2], plain_q[kQ2];
  V(&q)[kQ2] = out.q;
  LoadRuns<V, kQ2>(x, n_blocks, xv);
  LoadRuns<V, kQ2>(w, n_blocks, wv);
  V largest{};
  for (int i = 0; i < kQ2; ++i) largest = Max(largest, Abs(xv[i]));
  // SearchLinear's codes -2 … 1 are the format's with the scale's sign turned.
  V d = ToF16(-SearchLinear<V, kQ2>(xv, wv, 2.0f, kSearch).scale);
  const V error = CodesQ2_0(xv, wv, d, d, q);
  const V plain_d = ToF16(largest);
  const auto plain = CodesQ2_0(xv, wv, largest, plain_d, plain_q) <= error;
  out.step = plain ? largest : d;
  out.d = plain ? plain_d : d;
  for (int i = 0; i < kQ2; ++i) q[i] = plain ? plain_q[i] : q[i];
}

// Eight blocks at once (fewer at the end of a row).
ASSAY_INLINE void EncodeEight(const float* x, const float* w, int n_blocks, BlockQ2_0* blocks) {
  Eight chosen;
  ChooseEight(x, w, n_blocks, chosen);
  for (V& q : chosen.q) q += 1.0f;
  uint8_t codes[8 * kQ2];
  StoreRuns<V, kQ2>(chosen.q, codes);
  for (int lane = 0; lane < n_blocks; ++lane) {
    blocks[lane] = {};
    blocks[lane].d = EncodeF16(chosen.d[lane]);
    Pack(codes + lane * kQ2, blocks[lane]);
  }
}

// --- the steps one by one ---

void FitQ1_0(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  grid->scale_code = ScaleQ1_0(in.weights, in.importance);
  grid->scale = DecodeF16(static_cast<uint16_t>(grid->scale_code));
}

Rounded RoundQ1_0(const Format&, const Grid& grid, float x) {
  return x >= 0 ? Rounded{1, grid.scale} : Rounded{0, -grid.scale};
}

ASSAY_CLONES void FitQ2_0(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  float w[kQ2];
  std::fill_n(w, kQ2, 1.0f);
  if (in.importance != nullptr) SearchWeights(in.weights, in.importance, in.mean_square, kQ2, w);
  Eight chosen;
  ChooseEight(in.weights, w, 1, chosen);
  grid->scale_code = EncodeF16(chosen.d[0]);
  grid->scale = DecodeF16(static_cast<uint16_t>(grid->scale_code));
  grid->factor = ReciprocalOf(chosen.step[0]);
}

Rounded RoundQ2_0(const Format&, const Grid& grid, float x) {
  const int q = RoundClampToInt(x * grid.factor, -1, 2);
  return {static_cast<uint8_t>(q + 1), static_cast<float>(q) * grid.scale};
}

template <typename Block>
void PackBlock(const uint8_t* codes, const Grid* grid, const SuperGrid*, Block& block) {
  block.d = static_cast<uint16_t>(grid->scale_code);
  Pack(codes, block);
}

}  // namespace

const GridRule kQ1_0Grid{FitQ1_0, RoundQ1_0, PackBlocks<BlockQ1_0, kQ1, 1, PackBlock<BlockQ1_0>>};
const GridRule kQ2_0Grid{FitQ2_0, RoundQ2_0, PackBlocks<BlockQ2_0, kQ2, 1, PackBlock<BlockQ2_0>>, false, true};

ASSAY_CLONES void DecodeRowQ1_0(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ1_0, kQ1, Decode>(view, row, out);
}
ASSAY_CLONES void DecodeRowQ2_0(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ2_0, kQ2, Decode>(view, row, out);
}

void EncodeRowsQ1_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float, float,
                    std::byte* codes, std::byte*) {
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t i = 0; i < cols; i += kQ1, weights += kQ1, codes += sizeof(BlockQ1_0)) {
      BlockQ1_0 block{};
      block.d = ScaleQ1_0(weights, importance == nullptr ? nullptr : importance + i);
      uint8_t signs[kQ1];
      for (int j = 0; j < kQ1; ++j) signs[j] = weights[j] >= 0;
      Pack(signs, block);
      std::memcpy(codes, &block, sizeof block);
    }
  }
}

ASSAY_CLONES void EncodeRowsQ2_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                 float, std::byte* codes, std::byte*) {
  const int64_t n_blocks = cols / kQ2;
  for (int64_t row = 0; row < n_rows; ++row, weights += cols) {
    const float mean_square = importance == nullptr ? 0.0f : MeanSquare(weights, cols);
    for (int64_t i = 0; i < n_blocks; i += 8) {
      const int n = static_cast<int>(std::min<int64_t>(8, n_blocks - i));
      float w[8 * kQ2];
      std::fill_n(w, 8 * kQ2, 1.0f);
      if (importance != nullptr) SearchWeights(weights + i * kQ2, importance + i * kQ2, mean_square, n * kQ2, w);
      BlockQ2_0 blocks[8];
      EncodeEight(weights + i * kQ2, w, n, blocks);
      std::memcpy(codes, blocks, static_cast<size_t>(n) * sizeof(BlockQ2_0));
      codes += n * static_cast<int>(sizeof(BlockQ2_0));
    }
  }
}

bool ValidRowQ1_0(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ1_0, kQ1, ValidScale<BlockQ1_0>>(view, row);
}
bool ValidRowQ2_0(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ2_0, kQ2, ValidScale<BlockQ2_0>>(view, row);
}

}  // namespace assay
