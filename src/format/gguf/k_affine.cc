#include "format/gguf/k_affine.h"

#include <cmath>

#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/vector/scalar_rounding.h"
#include "format/vector/search.h"
#include "number/f16.h"

namespace assay {
namespace {

// --- decoding ---

void DecodeQ2K(const BlockQ2K& block, float* out) {
  const float d = DecodeF16(block.d);
  const float dmin = DecodeF16(block.dmin);
  for (int i = 0; i < 16; ++i) {
    const float scale = d * static_cast<float>(block.scales[i] & 15);
    const float minimum = dmin * static_cast<float>(block.scales[i] >> 4);
    const uint8_t* qs = block.qs + 32 * (i / 8) + 16 * (i % 2);
    const int shift = 2 * (i / 2 % 4);
    for (int j = 0; j < 16; ++j) out[16 * i + j] = scale * static_cast<float>(qs[j] >> shift & 3) - minimum;
  }
}

// Q5_K has a fifth bit in qh.
template <typename Block>
void DecodeQ45K(const Block& block, float* out) {
  const float d = DecodeF16(block.d);
  const float dmin = DecodeF16(block.dmin);
  for (int i = 0; i < 8; ++i) {
    uint8_t scale_code, min_code;
    ScaleMinK4(i, block.scales, &scale_code, &min_code);
    const float scale = d * static_cast<float>(scale_code);
    const float minimum = dmin * static_cast<float>(min_code);
    const uint8_t* qs = block.qs + 32 * (i / 2);
    const int shift = 4 * (i % 2);
    for (int j = 0; j < 32; ++j) {
      int q = qs[j] >> shift & 15;
      if constexpr (requires { block.qh; }) q |= (block.qh[j] >> i & 1) << 4;
      out[32 * i + j] = scale * static_cast<float>(q) - minimum;
    }
  }
}

template <typename Block>
bool ValidScales(const Block& block) {
  return FiniteF16(block.d) && FiniteF16(block.dmin);
}

// --- packing ---

// q: 256 codes; scale and minimum: the integers of the sub-blocks.
ASSAY_INLINE void Pack(const uint8_t* q, const int* scale, const int* minimum, BlockQ2K& block) {
  for (int i = 0; i < 16; ++i) block.scales[i] = static_cast<uint8_t>(scale[i] | minimum[i] << 4);
  for (int h = 0; h < 2; ++h) {
    const uint8_t* in = q + 128 * h;
    for (int j = 0; j < 32; ++j) {
      block.qs[32 * h + j] = static_cast<uint8_t>(in[j] | in[j + 32] << 2 | in[j + 64] << 4 | in[j + 96] << 6);
    }
  }
}

template <typename Block>
ASSAY_INLINE void Pack(const uint8_t* q, const int* scale, const int* minimum, Block& block) {
  for (int i = 0; i < 4; ++i) {
    block.scales[i] = static_cast<uint8_t>(scale[i] | scale[i + 4] >> 4 << 6);
    block.scales[i + 4] = static_cast<uint8_t>(minimum[i] | minimum[i + 4] >> 4 << 6);
    block.scales[i + 8] = static_cast<uint8_t>((scale[i + 4] & 15) | (minimum[i + 4] & 15) << 4);
  }
  for (int c = 0; c < 4; ++c) {
    const uint8_t* in = q + 64 * c;
    for (int j = 0; j < 32; ++j) block.qs[32 * c + j] = static_cast<uint8_t>((in[j] & 15) | (in[j + 32] & 15) << 4);
  }
  if constexpr (requires { block.qh; }) {
    for (int j = 0; j < 32; ++j) block.qh[j] = 0;
    for (int i = 0; i < 8; ++i) {
      for (int j = 0; j < 32; ++j) block.qh[j] |= static_cast<uint8_t>(q[32 * i + j] >> 4 << i);
    }
  }
}

// --- the search ---

struct Q2KRules {
  using Block = BlockQ2K;
  static constexpr int kCount = 16;         // weights of a sub-block
  static constexpr float kMaxCode = 3;      // of a weight
  static constexpr float kMaxInteger = 15;  // of a scale or minimum
  static constexpr float kRmsShare = 0.5f;  // of the weights without importance: |x| + share * root mean square
  static constexpr AffineSearch kSearch{-0.8f, 0.2f, 9, 2};
  static constexpr int kReach = 2;   // neighbours of a rounded scale tried on either side
  static constexpr int kPasses = 3;  // minima tried with each
};
struct Q4KRules {
  using Block = BlockQ4K;
  static constexpr int kCount = 32;
  static constexpr float kMaxCode = 15;
  static constexpr float kMaxInteger = 63;
  static constexpr float kRmsShare = 1.0f;
  static constexpr AffineSearch kSearch{-1.0f, 0.2f, 11, 2};
  static constexpr int kReach = 1, kPasses = 2;
};
struct Q5KRules {
  using Block = BlockQ5K;
  static constexpr int kCount = 32;
  static constexpr float kMaxCode = 31;
  static constexpr float kMaxInteger = 63;
  static constexpr float kRmsShare = 1.0f;
  static constexpr AffineSearch kSearch{-0.6f, 0.2f, 9, 2};
  static constexpr int kReach = 1, kPasses = 2;
};

template <typename V, typename Rules>
using Runs = SuperBlockRuns<V, Rules::kCount>;

// What a group of sub-blocks has got for given units: the integers, the weighted error they leave (less what does not
// depend on them), and the sums that a refit of the units needs.
template <typename V>
struct Integers {
  V scale{}, minimum{}, error{};
  V wq{}, wqq{}, wqx{};
};

// Codes for scale s and minimum m (x ≈ s q - m), their error and sums.
template <typename V, int count>
ASSAY_INLINE Integers<V> Measure(const V* x, const V* w, const RunSums<V>& runs, V s, V m, float max_code) {
  Integers<V> sums;
  const V inverse = Reciprocal(s);
  const V offset = m * inverse;
  for (int i = 0; i < count; ++i) {
    const V q = RoundClamp(x[i] * inverse + offset, 0.0f, max_code);
    const V t = w[i] * q;
    sums.wq += t;
    sums.wqq += t * q;
    sums.wqx += t * x[i];
  }
  sums.error = s * (s * sums.wqq - 2.0f * (sums.wqx + m * sums.wq)) + m * (m * runs.w + 2.0f * runs.wx);
  return sums;
}

template <typename Rules, typename V>
ASSAY_INLINE Integers<V> ChooseIntegers(const V* x, const V* w, const RunSums<V>& runs, const AffineFit<V>& fit,
                                        float d, float dmin) {
  const float inverse_d = d > 0 ? 1.0f / d : 0.0f;
  const float inverse_dmin = dmin > 0 ? 1.0f / dmin : 0.0f;
  const V nearest = RoundClamp(fit.scale * inverse_d, 0.0f, Rules::kMaxInteger);
  const V inverse_w = 1.0f / runs.w;
  Integers<V> best;
  best.error = Broadcast<V>(3e38f);
  for (int step = -Rules::kReach; step <= Rules::kReach; ++step) {
    const V scale = Clamp(nearest + static_cast<float>(step), 0.0f, Rules::kMaxInteger);
    V minimum = RoundClamp(-fit.minimum * inverse_dmin, 0.0f, Rules::kMaxInteger);
    for (int pass = 0; pass < Rules::kPasses; ++pass) {
      const Integers<V> tried = Measure<V, Rules::kCount>(x, w, runs, scale * d, minimum * dmin, Rules::kMaxCode);
      const auto better = tried.error < best.error;
      best.scale = better ? scale : best.scale;
      best.minimum = better ? minimum : best.minimum;
      best.error = better ? tried.error : best.error;
      best.wq = better ? tried.wq : best.wq;
      best.wqq = better ? tried.wqq : best.wqq;
      best.wqx = better ? tried.wqx : best.wqx;
      // The minimum that suits these codes.
      minimum = RoundClamp((scale * d * tried.wq - runs.wx) * inverse_w * inverse_dmin, 0.0f, Rules::kMaxInteger);
    }
  }
  return best;
}

// All sub-blocks.
template <typename V, int groups>
struct Choice {
  Integers<V> of[groups];
  float error = 0;
};

template <typename Rules, typename V, int groups>
ASSAY_INLINE Choice<V, groups> ChooseAll(const Runs<V, Rules>& runs, const RunSums<V> (&sums)[groups],
                                         const AffineFit<V> (&fits)[groups], float d, float dmin) {
  Choice<V, groups> choice;
  V errors[groups];
  for (int g = 0; g < groups; ++g) {
    choice.of[g] = ChooseIntegers<Rules>(runs.x[g], runs.w[g], sums[g], fits[g], d, dmin);
    errors[g] = choice.of[g].error;
  }
  choice.error = SumOfLanes(errors);
  return choice;
}

// Least squares for the two units over the super-block; false when it has no usable answer.
template <typename V, int groups>
ASSAY_INLINE bool RefitUnits(const Choice<V, groups>& choice, const RunSums<V> (&sums)[groups], float* d, float* dmin) {
  V terms[5][groups];
  for (int g = 0; g < groups; ++g) {
    const Integers<V>& chosen = choice.of[g];
    terms[0][g] = chosen.scale * chosen.scale * chosen.wqq;
    terms[1][g] = chosen.scale * chosen.minimum * chosen.wq;
    terms[2][g] = chosen.minimum * chosen.minimum * sums[g].w;
    terms[3][g] = chosen.scale * chosen.wqx;
    terms[4][g] = chosen.minimum * sums[g].wx;
  }
  const double a = SumOfLanes(terms[0]), b = SumOfLanes(terms[1]), c = SumOfLanes(terms[2]);
  const double p = SumOfLanes(terms[3]), r = SumOfLanes(terms[4]);
  const double determinant = a * c - b * b;
  if (c <= 0 || determinant <= 1e-6 * a * c) {
    if (a <= 0) return false;
    *d = static_cast<float>((p + b * *dmin) / a);
  } else {
    *d = static_cast<float>((p * c - b * r) / determinant);
    *dmin = static_cast<float>((b * p - a * r) / determinant);
  }
  *d = RoundToF16(*d);
  *dmin = RoundToF16(*dmin);
  return *d > 0 && *dmin >= 0 && *d <= kF16Max && *dmin <= kF16Max;
}

// The units of a super-block and the integers of its sub-blocks.
template <typename Rules>
struct Scales {
  static constexpr int kSubs = kQk / Rules::kCount;
  float d, dmin;
  int scale[kSubs], minimum[kSubs];
};

template <typename Rules, typename V>
ASSAY_INLINE Scales<Rules> ChooseScales(const Runs<V, Rules>& runs) {
  constexpr int count = Rules::kCount, lanes = kLanes<V>, groups = Runs<V, Rules>::kGroups;
  RunSums<V> sums[groups];
  AffineFit<V> fits[groups];
  float largest = 0, deepest = 0;
  for (int g = 0; g < groups; ++g) {
    sums[g] = SumRuns<V, count>(runs.x[g], runs.w[g]);
    fits[g] = SearchAffine<V, count, false>(runs.x[g], runs.w[g], Rules::kMaxCode, Rules::kSearch);
    for (int lane = 0; lane < lanes; ++lane) {
      largest = std::fmax(largest, fits[g].scale[lane]);
      deepest = std::fmax(deepest, -fits[g].minimum[lane]);
    }
  }
  float d = RoundToF16(std::fmin(largest / Rules::kMaxInteger, kF16Max));
  float dmin = RoundToF16(std::fmin(deepest / Rules::kMaxInteger, kF16Max));
  Choice<V, groups> best = ChooseAll<Rules>(runs, sums, fits, d, dmin);
  Choice<V, groups> current = best;
  float new_d = d, new_dmin = dmin;
  for (int round = 0; round < 4; ++round) {
    if (!RefitUnits(current, sums, &new_d, &new_dmin)) break;
    current = ChooseAll<Rules>(runs, sums, fits, new_d, new_dmin);
    if (!(current.error < best.error)) break;
    best = current;
    d = new_d;
    dmin = new_dmin;
  }
  Scales<Rules> out;
  out.d = d;
  out.dmin = dmin;
  for (int i = 0; i < kQk / count; ++i) {
    out.scale[i] = static_cast<int>(best.of[i / lanes].scale[i % lanes]);
    out.minimum[i] = static_cast<int>(best.of[i / lanes].minimum[i % lanes]);
  }
  return out;
}

// Codes are x * factor + shift, rounded.
struct Rounding {
  float factor, shift;
};
template <typename Rules>
ASSAY_INLINE Rounding RoundingOf(const Scales<Rules>& scales, int sub) {
  const float step = static_cast<float>(scales.scale[sub]) * scales.d;
  const float inverse = step > 1e-30f ? 1.0f / step : 0.0f;
  return {inverse, static_cast<float>(scales.minimum[sub]) * scales.dmin * inverse};
}

// x: the 256 weights as they lie.
template <typename Rules, typename V>
ASSAY_INLINE void EncodeSuperBlock(const float* x, const Runs<V, Rules>& runs, typename Rules::Block& block) {
  constexpr int count = Rules::kCount;
  const Scales<Rules> scales = ChooseScales<Rules>(runs);
  block.d = EncodeF16(scales.d);
  block.dmin = EncodeF16(scales.dmin);
  uint8_t codes[kQk];
  for (int i = 0; i < kQk / count; ++i) {
    const Rounding by = RoundingOf(scales, i);
    for (int j = count * i; j < count * (i + 1); j += kLanes<V>)
      StoreCodes<V>(Load<V>(x + j) * by.factor + by.shift, Rules::kMaxCode, codes + j);
  }
  Pack(codes, scales.scale, scales.minimum, block);
}

template <typename V, typename Rules>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                             std::byte* codes) {
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t i = 0; i < cols; i += kQk, weights += kQk) {
      typename Rules::Block block{};
      Runs<V, Rules> runs;
      if (LoadSuperBlock(weights, importance == nullptr ? nullptr : importance + i, Rules::kRmsShare, runs)) {
        EncodeSuperBlock<Rules>(weights, runs, block);
      }
      std::memcpy(codes, &block, sizeof block);
      codes += sizeof block;
    }
  }
}

// --- the steps one by one ---

template <typename Rules>
ASSAY_INLINE void FitSuperBlock(const GridInput& in, Grid* grids, SuperGrid* super) {
  Scales<Rules> scales{};
  Runs<Float8, Rules> runs;
  if (LoadSuperBlock(in.weights, in.importance, Rules::kRmsShare, runs)) scales = ChooseScales<Rules>(runs);
  *super = {scales.d, scales.dmin};
  for (int i = 0; i < kQk / Rules::kCount; ++i) {
    const Rounding by = RoundingOf(scales, i);
    grids[i] = {scales.d * static_cast<float>(scales.scale[i]),
                -(scales.dmin * static_cast<float>(scales.minimum[i])),
                by.factor,
                by.shift,
                scales.scale[i],
                scales.minimum[i]};
  }
}

template <typename Rules>
Rounded Round(const Format&, const Grid& grid, float x) {
  const int code = RoundClampToInt(x * grid.factor + grid.shift, 0, static_cast<int>(Rules::kMaxCode));
  return {static_cast<uint8_t>(code), grid.scale * static_cast<float>(code) + grid.zero};
}

template <typename Rules>
void PackSuperBlock(const uint8_t* codes, const Grid* grids, const SuperGrid* super, typename Rules::Block& block) {
  constexpr int subs = kQk / Rules::kCount;
  int scale[subs], minimum[subs];
  for (int i = 0; i < subs; ++i) {
    scale[i] = grids[i].scale_code;
    minimum[i] = grids[i].zero_code;
  }
  block.d = EncodeF16(super->scale);
  block.dmin = EncodeF16(super->minimum);
  Pack(codes, scale, minimum, block);
}

template <typename Rules>
constexpr GridRule RuleOf(decltype(GridRule::fit) fit) {
  using Block = typename Rules::Block;
  return {fit, Round<Rules>, PackBlocks<Block, kQk, kQk / Rules::kCount, PackSuperBlock<Rules>>, true};
}

ASSAY_CLONES void FitQ2K(const Format&, const GridInput& in, Grid* grids, SuperGrid* super) {
  FitSuperBlock<Q2KRules>(in, grids, super);
}
ASSAY_CLONES void FitQ4K(const Format&, const GridInput& in, Grid* grids, SuperGrid* super) {
  FitSuperBlock<Q4KRules>(in, grids, super);
}
ASSAY_CLONES void FitQ5K(const Format&, const GridInput& in, Grid* grids, SuperGrid* super) {
  FitSuperBlock<Q5KRules>(in, grids, super);
}

}  // namespace

const GridRule kQ2KGrid = RuleOf<Q2KRules>(FitQ2K), kQ4KGrid = RuleOf<Q4KRules>(FitQ4K),
               kQ5KGrid = RuleOf<Q5KRules>(FitQ5K);

void DecodeRowQ2K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ2K, kQk, DecodeQ2K>(view, row, out);
}
void DecodeRowQ4K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ4K, kQk, DecodeQ45K<BlockQ4K>>(view, row, out);
}
void DecodeRowQ5K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ5K, kQk, DecodeQ45K<BlockQ5K>>(view, row, out);
}

ASSAY_ENCODE_ROWS(EncodeRowsQ2K, EncodeRows, Q2KRules)

// Eight sub-blocks fill no wider vector.
ASSAY_CLONES void EncodeRowsQ4K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                float, std::byte* codes, std::byte*) {
  EncodeRows<Float8, Q4KRules>(weights, n_rows, cols, importance, codes);
}
ASSAY_CLONES void EncodeRowsQ5K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                float, std::byte* codes, std::byte*) {
  EncodeRows<Float8, Q5KRules>(weights, n_rows, cols, importance, codes);
}

bool ValidRowQ2K(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ2K, kQk, ValidScales<BlockQ2K>>(view, row);
}
bool ValidRowQ4K(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ4K, kQk, ValidScales<BlockQ4K>>(view, row);
}
bool ValidRowQ5K(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ5K, kQk, ValidScales<BlockQ5K>>(view, row);
}

}  // namespace assay
