#include "format/gguf/iq4_xs.h"

#include <algorithm>
#include <cmath>

#include "format/gguf/block_rows.h"
#include "format/gguf/iq4_search.h"
#include "format/vector/scalar_rounding.h"
#include "number/f16.h"

namespace assay {
namespace {

using V = Float8;
constexpr int kSubs = 8;  // sub-blocks of 32
constexpr float kMaxInteger = 32;

ASSAY_INLINE void Decode(const BlockIq4Xs& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < kSubs; ++i) {
    const int integer = (block.scales_l[i / 2] >> (4 * (i % 2)) & 15) | (block.scales_h >> (2 * i) & 3) << 4;
    const float scale = d * static_cast<float>(integer - 32);
    DecodeIq4(scale, block.qs + 16 * i, out + 32 * i);
  }
}

bool ValidScale(const BlockIq4Xs& block) {
  return FiniteF16(block.d);
}

// The integers of the sub-blocks for a given unit, the weighted error they leave, and what a refit of the unit needs.
struct Integers {
  V scale{}, error{}, wqq{}, wqx{};
};

ASSAY_INLINE Integers ChooseIntegers(const V* x, const V* w, V wanted, float d, int reach) {
  const V nearest = RoundClamp(wanted * (1.0f / d), -kMaxInteger, kMaxInteger - 1);
  Integers best;
  best.error = Broadcast<V>(3e38f);
  for (int step = -reach; step <= reach; ++step) {
    const V integer = Clamp(nearest + static_cast<float>(step), -kMaxInteger, kMaxInteger - 1);
    const V scale = integer * d;
    const V inverse = Reciprocal(scale);
    V error{}, wqq{}, wqx{};
    for (int i = 0; i < kQ; ++i) {
      const V q = NearestIq4Value(x[i] * inverse);
      const V difference = scale * q - x[i];
      const V t = w[i] * q;
      error += w[i] * difference * difference;
      wqq += t * q;
      wqx += t * x[i];
    }
    const auto better = error < best.error;
    best.scale = better ? integer : best.scale;
    best.error = better ? error : best.error;
    best.wqq = better ? wqq : best.wqq;
    best.wqx = better ? wqx : best.wqx;
  }
  return best;
}

// The unit of a super-block and the integers of its sub-blocks, one a lane.
struct Scales {
  float d = 0;
  V integer{};
};

ASSAY_INLINE void Pack(const uint8_t* codes, const Scales& scales, BlockIq4Xs& block) {
  block.d = EncodeF16(scales.d);
  for (int i = 0; i < kSubs; ++i) {
    const int integer = static_cast<int>(scales.integer[i]) + 32;
    block.scales_l[i / 2] = static_cast<uint8_t>(block.scales_l[i / 2] | (integer & 15) << (4 * (i % 2)));
    block.scales_h = static_cast<uint16_t>(block.scales_h | (integer >> 4) << (2 * i));
    PackIq4(codes + 32 * i, block.qs + 16 * i);
  }
}

ASSAY_INLINE Scales ChooseScales(const V* xv, const V* wv) {
  const LinearFit<V> fit = SearchIq4(xv, wv);
  float largest = 0;
  for (int lane = 0; lane < kSubs; ++lane) {
    if (std::fabs(fit.scale[lane]) > std::fabs(largest)) largest = fit.scale[lane];
  }
  // The scale of largest magnitude becomes the integer that has no opposite.
  float d = RoundToF16(std::clamp(largest / -kMaxInteger, -kF16Max, kF16Max));
  if (d == 0) d = RoundToF16(0x1p-24f);
  Integers best = ChooseIntegers(xv, wv, fit.scale, d, 1);
  float best_error = SumOfLanes(best.error);
  Integers current = best;
  for (int round = 0; round < 2; ++round) {
    const float a = SumOfLanes(current.scale * current.scale * current.wqq);
    if (!(a > 0)) break;
    const float refitted = RoundToF16(SumOfLanes(current.scale * current.wqx) / a);
    if (refitted == 0 || std::fabs(refitted) > kF16Max || refitted == d) break;
    current = ChooseIntegers(xv, wv, fit.scale, refitted, 1);
    const float error = SumOfLanes(current.error);
    if (!(error < best_error)) break;
    best = current;
    best_error = error;
    d = refitted;
  }
  return {d, best.scale};
}

ASSAY_INLINE void EncodeSuperBlock(const V* xv, const V* wv, BlockIq4Xs& block) {
  const Scales scales = ChooseScales(xv, wv);
  const V inverse = Reciprocal(scales.integer * scales.d);
  V q[kQ];
  for (int i = 0; i < kQ; ++i) q[i] = __builtin_convertvector(NearestIq4Index(xv[i] * inverse), Float8);
  uint8_t codes[kQk];
  StoreRuns<V, kQ>(q, codes);
  Pack(codes, scales, block);
}

// --- the steps one by one ---

ASSAY_CLONES void Fit(const Format&, const GridInput& in, Grid* grids, SuperGrid* super) {
  Scales scales{0.0f, V{} - 32.0f};  // bytes of nothing but zeros
  SuperBlockRuns<V, kQ> runs;
  const bool empty = !LoadSuperBlock(in.weights, in.importance, 0.5f, runs);
  if (!empty) scales = ChooseScales(runs.x[0], runs.w[0]);
  *super = {scales.d, 0.0f};
  for (int i = 0; i < kSubs; ++i) {
    const float integer = scales.integer[i];
    grids[i] = {
        scales.d * integer, 0.0f, ReciprocalOf(integer * scales.d), 0.0f, static_cast<int32_t>(integer), 0, empty};
  }
}

Rounded Round(const Format& format, const Grid& grid, float x) {
  return grid.second_rule ? Rounded{0, 0.0f} : RoundIq4(format, grid, x);
}

void PackSuperBlock(const uint8_t* codes, const Grid* grids, const SuperGrid* super, BlockIq4Xs& block) {
  Scales scales;
  scales.d = super->scale;
  for (int i = 0; i < kSubs; ++i) scales.integer[i] = static_cast<float>(grids[i].scale_code);
  Pack(codes, scales, block);
}

}  // namespace

const GridRule kIq4XsGrid{Fit, Round, PackBlocks<BlockIq4Xs, kQk, kSubs, PackSuperBlock>, true};

ASSAY_CLONES void DecodeRowIq4Xs(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq4Xs, kQk, Decode>(view, row, out);
}

ASSAY_CLONES void EncodeRowsIq4Xs(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                  float, std::byte* codes, std::byte*) {
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t i = 0; i < cols; i += kQk, weights += kQk, codes += sizeof(BlockIq4Xs)) {
      BlockIq4Xs block{};
      SuperBlockRuns<V, kQ> runs;
      if (LoadSuperBlock(weights, importance == nullptr ? nullptr : importance + i, 0.5f, runs)) {
        EncodeSuperBlock(runs.x[0], runs.w[0], block);
      }
      std::memcpy(codes, &block, sizeof block);
    }
  }
}

bool ValidRowIq4Xs(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq4Xs, kQk, ValidScale>(view, row);
}

}  // namespace assay
