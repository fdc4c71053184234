#include "format/gguf/k_linear.h"

#include <cmath>

#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/vector/scalar_rounding.h"
#include "format/vector/search.h"
#include "number/f16.h"

namespace assay {
namespace {

constexpr int kCount = 16;  // weights of a sub-block, and sub-blocks of a super-block

// --- decoding ---

void DecodeQ3K(const BlockQ3K& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < kCount; ++i) {
    const float scale = d * static_cast<float>(ScaleQ3K(i, block.scales) - 32);
    const uint8_t* qs = block.qs + 32 * (i / 8) + 16 * (i % 2);
    const uint8_t* hmask = block.hmask + 16 * (i % 2);
    const int shift = 2 * (i / 2 % 4);
    for (int j = 0; j < 16; ++j) {
      const int q = (qs[j] >> shift & 3) + ((hmask[j] >> (i / 2) & 1) << 2) - 4;
      out[16 * i + j] = scale * static_cast<float>(q);
    }
  }
}

void DecodeQ6K(const BlockQ6K& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < kCount; ++i) {
    const float scale = d * static_cast<float>(block.scales[i]);
    const int half = i / 8, part = i / 2 % 4, start = 16 * (i % 2);
    const uint8_t* ql = block.ql + 64 * half + 32 * (part % 2) + start;
    const uint8_t* qh = block.qh + 32 * half + start;
    for (int j = 0; j < 16; ++j) {
      const int q = (ql[j] >> (4 * (part / 2)) & 15) | (qh[j] >> (2 * part) & 3) << 4;
      out[16 * i + j] = scale * static_cast<float>(q - 32);
    }
  }
}

template <typename Block>
bool ValidScale(const Block& block) {
  return FiniteF16(block.d);
}

// --- packing ---

// q: 256 codes from 0 up; scale: signed integers.
ASSAY_INLINE void Pack(const uint8_t* q, const int* scale, BlockQ3K& block) {
  for (int i = 0; i < 12; ++i) block.scales[i] = 0;
  for (int i = 0; i < kCount; ++i) {
    const int stored = scale[i] + 32;
    block.scales[i % 8] |= static_cast<uint8_t>((stored & 15) << (4 * (i / 8)));
    block.scales[8 + i % 4] |= static_cast<uint8_t>(stored >> 4 << (2 * (i / 4)));
  }
  for (int h = 0; h < 2; ++h) {
    const uint8_t* in = q + 128 * h;
    for (int j = 0; j < 32; ++j) {
      block.qs[32 * h + j] =
          static_cast<uint8_t>((in[j] & 3) | (in[j + 32] & 3) << 2 | (in[j + 64] & 3) << 4 | (in[j + 96] & 3) << 6);
    }
  }
  for (int j = 0; j < 32; ++j) block.hmask[j] = 0;
  for (int g = 0; g < 8; ++g) {
    for (int j = 0; j < 32; ++j) block.hmask[j] |= static_cast<uint8_t>(q[32 * g + j] >> 2 << g);
  }
}

ASSAY_INLINE void Pack(const uint8_t* q, const int* scale, BlockQ6K& block) {
  for (int i = 0; i < kCount; ++i) block.scales[i] = static_cast<int8_t>(scale[i]);
  for (int h = 0; h < 2; ++h) {
    const uint8_t* in = q + 128 * h;
    for (int j = 0; j < 32; ++j) {
      block.ql[64 * h + j] = static_cast<uint8_t>((in[j] & 15) | (in[j + 64] & 15) << 4);
      block.ql[64 * h + 32 + j] = static_cast<uint8_t>((in[j + 32] & 15) | (in[j + 96] & 15) << 4);
      block.qh[32 * h + j] =
          static_cast<uint8_t>(in[j] >> 4 | in[j + 32] >> 4 << 2 | in[j + 64] >> 4 << 4 | in[j + 96] >> 4 << 6);
    }
  }
}

// --- the search ---

struct Q3KRules {
  using Block = BlockQ3K;
  static constexpr float kMaxCode = 4;      // codes -4 … 3
  static constexpr float kMaxInteger = 32;  // scales -32 … 31
  static constexpr int kZeroInteger = -32;  // what bytes of zero stand for
  static constexpr float kRmsShare = 0.5f;
  static constexpr LinearSearch kSearch{-0.6f, 0.5f, 4, true, 2};
  static constexpr LinearSearch kPlainSearch{-0.4f, 0.8f, 2, true, 1};  // without importance
};
struct Q6KRules {
  using Block = BlockQ6K;
  static constexpr float kMaxCode = 32;
  static constexpr float kMaxInteger = 128;
  static constexpr int kZeroInteger = 0;
  static constexpr float kRmsShare = 0.5f;
  static constexpr LinearSearch kSearch{-0.6f, 0.5f, 4, true, 1};
  static constexpr LinearSearch kPlainSearch = kSearch;
};

template <typename V>
using Runs = SuperBlockRuns<V, kCount>;

// The integers of all sub-blocks for a given unit, the weighted error they leave (less what does not depend on them),
// and what a refit of the unit needs: Σ s² wqq and Σ s wqx.
template <typename V>
struct Integers {
  V scale[Runs<V>::kGroups], error[Runs<V>::kGroups], ssqq[Runs<V>::kGroups], sqx[Runs<V>::kGroups];
};

template <typename Rules, typename V>
ASSAY_INLINE Integers<V> ChooseIntegers(const Runs<V>& runs, const V* wanted, float d) {
  Integers<V> best;
  for (int g = 0; g < runs.kGroups; ++g) {
    const V nearest = RoundClamp(wanted[g] * (1.0f / d), -Rules::kMaxInteger, Rules::kMaxInteger - 1);
    best.error[g] = Broadcast<V>(3e38f);
    best.scale[g] = best.ssqq[g] = best.sqx[g] = V{};
    for (int step = -1; step <= 1; ++step) {
      const V integer = Clamp(nearest + static_cast<float>(step), -Rules::kMaxInteger, Rules::kMaxInteger - 1);
      const V scale = integer * d;
      const V inverse = Reciprocal(scale);
      V wqq{}, wqx{};
      for (int i = 0; i < kCount; ++i) {
        const V x = runs.x[g][i];
        const V q = RoundClamp(x * inverse, -Rules::kMaxCode, Rules::kMaxCode - 1);
        const V t = runs.w[g][i] * q;
        wqq += t * q;
        wqx += t * x;
      }
      const V error = scale * (scale * wqq - 2.0f * wqx);
      const auto better = error < best.error[g];
      best.error[g] = better ? error : best.error[g];
      best.scale[g] = better ? integer : best.scale[g];
      best.ssqq[g] = better ? integer * integer * wqq : best.ssqq[g];
      best.sqx[g] = better ? integer * wqx : best.sqx[g];
    }
  }
  return best;
}

// The unit of a super-block and the integers of its sub-blocks.
struct Scales {
  float d;
  int scale[kCount];
};

// plain: without importance.
template <typename Rules, typename V>
ASSAY_INLINE Scales ChooseScales(const Runs<V>& runs, bool plain) {
  const LinearSearch& search = plain ? Rules::kPlainSearch : Rules::kSearch;
  constexpr int lanes = kLanes<V>;
  V wanted[Runs<V>::kGroups];
  float largest = 0;
  for (int g = 0; g < runs.kGroups; ++g) {
    wanted[g] = SearchLinear<V, kCount>(runs.x[g], runs.w[g], Rules::kMaxCode, search).scale;
    for (int lane = 0; lane < lanes; ++lane) {
      if (std::fabs(wanted[g][lane]) > std::fabs(largest)) largest = wanted[g][lane];
    }
  }
  // The scale of largest magnitude becomes the integer that has no opposite.
  float d = RoundToF16(std::fmax(std::fmin(largest / -Rules::kMaxInteger, kF16Max), -kF16Max));
  if (d == 0) d = RoundToF16(0x1p-24f);
  Integers<V> best = ChooseIntegers<Rules>(runs, wanted, d);
  float best_error = SumOfLanes(best.error);
  Integers<V> current = best;
  for (int round = 0; round < (plain ? 1 : 2); ++round) {
    const float a = SumOfLanes(current.ssqq);
    if (!(a > 0)) break;
    const float refitted = RoundToF16(SumOfLanes(current.sqx) / a);
    if (refitted == 0 || std::fabs(refitted) > kF16Max || refitted == d) break;
    current = ChooseIntegers<Rules>(runs, wanted, refitted);
    const float error = SumOfLanes(current.error);
    if (!(error < best_error)) break;
    best = current;
    best_error = error;
    d = refitted;
  }
  Scales out;
  out.d = d;
  for (int i = 0; i < kCount; ++i) out.scale[i] = static_cast<int>(best.scale[i / lanes][i % lanes]);
  return out;
}

// Codes are x times this, from the middle up.
ASSAY_INLINE float FactorOf(const Scales& scales, int sub) {
  const auto integer = static_cast<float>(scales.scale[sub]);
  return integer != 0 ? 1.0f / (integer * scales.d) : 0.0f;
}

// x: the 256 weights as they lie.
template <typename Rules, typename V>
ASSAY_INLINE void EncodeSuperBlock(const float* x, const Runs<V>& runs, bool plain, typename Rules::Block& block) {
  const Scales scales = ChooseScales<Rules>(runs, plain);
  block.d = EncodeF16(scales.d);
  uint8_t codes[kQk];
  for (int i = 0; i < kCount; ++i) {
    const float factor = FactorOf(scales, i);
    for (int j = kCount * i; j < kCount * (i + 1); j += kLanes<V>)
      StoreCodes<V>(Load<V>(x + j) * factor + Rules::kMaxCode, 2 * Rules::kMaxCode - 1, codes + j);
  }
  Pack(codes, scales.scale, block);
}

template <typename V, typename Rules>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                             std::byte* codes) {
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t i = 0; i < cols; i += kQk, weights += kQk) {
      typename Rules::Block block{};
      Runs<V> runs;
      if (LoadSuperBlock(weights, importance == nullptr ? nullptr : importance + i, Rules::kRmsShare, runs)) {
        EncodeSuperBlock<Rules>(weights, runs, importance == nullptr, block);
      }
      std::memcpy(codes, &block, sizeof block);
      codes += sizeof block;
    }
  }
}

// --- the steps one by one ---

template <typename Rules>
ASSAY_INLINE void FitSuperBlock(const GridInput& in, Grid* grids, SuperGrid* super) {
  Scales scales{};
  Runs<Float8> runs;
  // Bytes of nothing but zeros, in which the lowest of the stored integers stands.
  const bool empty = !LoadSuperBlock(in.weights, in.importance, Rules::kRmsShare, runs);
  if (!empty) scales = ChooseScales<Rules>(runs, in.importance == nullptr);
  *super = {scales.d, 0.0f};
  for (int i = 0; i < kCount; ++i) {
    const int integer = empty ? Rules::kZeroInteger : scales.scale[i];
    grids[i] = {scales.d * static_cast<float>(integer), 0.0f, empty ? 0.0f : FactorOf(scales, i),
                empty ? 0.0f : Rules::kMaxCode, integer};
  }
}

template <typename Rules>
Rounded Round(const Format&, const Grid& grid, float x) {
  constexpr int middle = static_cast<int>(Rules::kMaxCode);
  const int code = RoundClampToInt(x * grid.factor + grid.shift, 0, 2 * middle - 1);
  return {static_cast<uint8_t>(code), grid.scale * static_cast<float>(code - middle)};
}

template <typename Rules>
void PackSuperBlock(const uint8_t* codes, const Grid* grids, const SuperGrid* super, typename Rules::Block& block) {
  int scale[kCount];
  for (int i = 0; i < kCount; ++i) scale[i] = grids[i].scale_code;
  block.d = EncodeF16(super->scale);
  Pack(codes, scale, block);
}

ASSAY_CLONES void FitQ3K(const Format&, const GridInput& in, Grid* grids, SuperGrid* super) {
  FitSuperBlock<Q3KRules>(in, grids, super);
}
ASSAY_CLONES void FitQ6K(const Format&, const GridInput& in, Grid* grids, SuperGrid* super) {
  FitSuperBlock<Q6KRules>(in, grids, super);
}

}  // namespace

const GridRule kQ3KGrid{FitQ3K, Round<Q3KRules>, PackBlocks<BlockQ3K, kQk, kCount, PackSuperBlock<Q3KRules>>, true};
const GridRule kQ6KGrid{FitQ6K, Round<Q6KRules>, PackBlocks<BlockQ6K, kQk, kCount, PackSuperBlock<Q6KRules>>, true};

void DecodeRowQ3K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ3K, kQk, DecodeQ3K>(view, row, out);
}
void DecodeRowQ6K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ6K, kQk, DecodeQ6K>(view, row, out);
}

ASSAY_ENCODE_ROWS(EncodeRowsQ3K, EncodeRows, Q3KRules)
ASSAY_ENCODE_ROWS(EncodeRowsQ6K, EncodeRows, Q6KRules)

bool ValidRowQ3K(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ3K, kQk, ValidScale<BlockQ3K>>(view, row);
}
bool ValidRowQ6K(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ6K, kQk, ValidScale<BlockQ6K>>(view, row);
}

}  // namespace assay
