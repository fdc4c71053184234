#include "format/k_affine.h"

#include <cmath>

#include "format/block_rows.h"
#include "format/gguf_blocks.h"
#include "format/search.h"
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
    for (int j = 0; j < 32; ++j) {
      int bits = 0;
      for (int i = 0; i < 8; ++i) bits |= (q[32 * i + j] >> 4) << i;
      block.qh[j] = static_cast<uint8_t>(bits);
    }
  }
}

// --- the search ---

struct Q2KRules {
  using Block = BlockQ2K;
  using V = Float16;
  static constexpr int kCount = 16;         // weights of a sub-block
  static constexpr float kMaxCode = 3;      // of a weight
  static constexpr float kMaxInteger = 15;  // of a scale or minimum
  static constexpr float kRmsShare = 0.5f;  // of the weights without importance: |x| + share * root mean square
  static constexpr AffineSearch kSearch{-0.8f, 0.2f, 9, 2};
};
struct Q4KRules {
  using Block = BlockQ4K;
  using V = Float8;
  static constexpr int kCount = 32;
  static constexpr float kMaxCode = 15;
  static constexpr float kMaxInteger = 63;
  static constexpr float kRmsShare = 1.0f;
  static constexpr AffineSearch kSearch{-1.0f, 0.2f, 11, 2};
};
struct Q5KRules {
  using Block = BlockQ5K;
  using V = Float8;
  static constexpr int kCount = 32;
  static constexpr float kMaxCode = 31;
  static constexpr float kMaxInteger = 63;
  static constexpr float kRmsShare = 1.0f;
  static constexpr AffineSearch kSearch{-0.6f, 0.2f, 9, 2};
};

// The integers of all sub-blocks for given units, the weighted error they leave, and what a refit of the units needs.
template <typename V>
struct Integers {
  V scale{}, minimum{}, error{};
  V wq{}, wqq{}, wqx{};
};

// Codes for scale s and minimum m (x ≈ s q - m), their error and sums.
template <typename V, int count>
ASSAY_INLINE Integers<V> Measure(const V* x, const V* w, V s, V m, float max_code) {
  Integers<V> sums;
  const V inverse = Reciprocal(s);
  const V offset = m * inverse;
  for (int i = 0; i < count; ++i) {
    const V q = Round(Clamp(x[i] * inverse + offset, 0.0f, max_code));
    const V difference = s * q - m - x[i];
    const V t = w[i] * q;
    sums.error += w[i] * difference * difference;
    sums.wq += t;
    sums.wqq += t * q;
    sums.wqx += t * x[i];
  }
  return sums;
}

template <typename Rules, typename V = typename Rules::V>
ASSAY_INLINE Integers<V> ChooseIntegers(const V* x, const V* w, const RunSums<V>& runs, const AffineFit<V>& fit,
                                        float d, float dmin) {
  constexpr int count = Rules::kCount;
  const float inverse_d = d > 0 ? 1.0f / d : 0.0f;
  const float inverse_dmin = dmin > 0 ? 1.0f / dmin : 0.0f;
  const V nearest = Round(Clamp(fit.scale * inverse_d, 0.0f, Rules::kMaxInteger));
  const V inverse_w = 1.0f / runs.w;
  Integers<V> best;
  best.error = Broadcast<V>(3e38f);
  for (int step = -1; step <= 1; ++step) {
    const V scale = Clamp(nearest + static_cast<float>(step), 0.0f, Rules::kMaxInteger);
    V minimum = Round(Clamp(-fit.minimum * inverse_dmin, 0.0f, Rules::kMaxInteger));
    for (int pass = 0; pass < 2; ++pass) {
      Integers<V> tried = Measure<V, count>(x, w, scale * d, minimum * dmin, Rules::kMaxCode);
      const auto better = tried.error < best.error;
      best.scale = better ? scale : best.scale;
      best.minimum = better ? minimum : best.minimum;
      best.error = better ? tried.error : best.error;
      best.wq = better ? tried.wq : best.wq;
      best.wqq = better ? tried.wqq : best.wqq;
      best.wqx = better ? tried.wqx : best.wqx;
      // The minimum that suits these codes.
      minimum = Round(Clamp((scale * d * tried.wq - runs.wx) * inverse_w * inverse_dmin, 0.0f, Rules::kMaxInteger));
    }
  }
  return best;
}

template <typename V>
ASSAY_INLINE float Sum(V a) {
  float sum = 0;
  for (int lane = 0; lane < kLanes<V>; ++lane) sum += a[lane];
  return sum;
}
template <typename V>
ASSAY_INLINE float Largest(V a) {
  float largest = 0;
  for (int lane = 0; lane < kLanes<V>; ++lane) largest = a[lane] > largest ? a[lane] : largest;
  return largest;
}

// Least squares for the two units over the super-block; false when it has no usable answer.
template <typename V>
ASSAY_INLINE bool RefitUnits(const Integers<V>& integers, const RunSums<V>& runs, float* d, float* dmin) {
  const float a = Sum(integers.scale * integers.scale * integers.wqq);
  const float b = Sum(integers.scale * integers.minimum * integers.wq);
  const float c = Sum(integers.minimum * integers.minimum * runs.w);
  const float p = Sum(integers.scale * integers.wqx);
  const float r = Sum(integers.minimum * runs.wx);
  const double determinant = static_cast<double>(a) * c - static_cast<double>(b) * b;
  if (c <= 0 || determinant <= 1e-6 * static_cast<double>(a) * c) {
    if (a <= 0) return false;
    *d = (p + b * *dmin) / a;
  } else {
    *d = static_cast<float>((static_cast<double>(p) * c - static_cast<double>(b) * r) / determinant);
    *dmin = static_cast<float>((static_cast<double>(b) * p - static_cast<double>(a) * r) / determinant);
  }
  *d = RoundToF16(*d);
  *dmin = RoundToF16(*dmin);
  return *d > 0 && *dmin >= 0 && *d <= kF16Max && *dmin <= kF16Max;
}

// x: 256 weights; w: their error weights.
template <typename Rules>
ASSAY_INLINE void EncodeSuperBlock(const float* x, const float* w, typename Rules::Block& block) {
  using V = typename Rules::V;
  constexpr int count = Rules::kCount;
  constexpr int lanes = kLanes<V>;
  V xv[count], wv[count];
  LoadRuns<V, count>(x, lanes, xv);
  LoadRuns<V, count>(w, lanes, wv);
  const RunSums<V> runs = SumRuns<V, count>(xv, wv);
  const AffineFit<V> fit = SearchAffine<V, count, false>(xv, wv, Rules::kMaxCode, Rules::kSearch);
  float d = RoundToF16(std::fmin(Largest(fit.scale) / Rules::kMaxInteger, kF16Max));
  float dmin = RoundToF16(std::fmin(Largest(-fit.minimum) / Rules::kMaxInteger, kF16Max));
  Integers<V> best = ChooseIntegers<Rules>(xv, wv, runs, fit, d, dmin);
  float best_error = Sum(best.error);
  Integers<V> current = best;
  float new_d = d, new_dmin = dmin;
  for (int round = 0; round < 2; ++round) {
    if (!RefitUnits(current, runs, &new_d, &new_dmin)) break;
    current = ChooseIntegers<Rules>(xv, wv, runs, fit, new_d, new_dmin);
    const float error = Sum(current.error);
    if (!(error < best_error)) break;
    best = current;
    best_error = error;
    d = new_d;
    dmin = new_dmin;
  }
  block.d = EncodeF16(d);
  block.dmin = EncodeF16(dmin);
  const V inverse = Reciprocal(best.scale * d);
  const V offset = best.minimum * dmin * inverse;
  V q[count];
  for (int i = 0; i < count; ++i) q[i] = Round(Clamp(xv[i] * inverse + offset, 0.0f, Rules::kMaxCode));
  uint8_t codes[kQk];
  StoreRuns<V, count>(q, codes);
  int scale[lanes], minimum[lanes];
  for (int lane = 0; lane < lanes; ++lane) {
    scale[lane] = static_cast<int>(best.scale[lane]);
    minimum[lane] = static_cast<int>(best.minimum[lane]);
  }
  Pack(codes, scale, minimum, block);
}

template <typename Rules>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                             std::byte* codes) {
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t i = 0; i < cols; i += kQk, weights += kQk) {
      typename Rules::Block block{};
      float w[kQk];
      if (SuperBlockWeights(weights, importance == nullptr ? nullptr : importance + i, Rules::kCount, Rules::kRmsShare,
                            w)) {
        EncodeSuperBlock<Rules>(weights, w, block);
      }
      std::memcpy(codes, &block, sizeof block);
      codes += sizeof block;
    }
  }
}

}  // namespace

void DecodeRowQ2K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ2K, kQk, DecodeQ2K>(view, row, out);
}
void DecodeRowQ4K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ4K, kQk, DecodeQ45K<BlockQ4K>>(view, row, out);
}
void DecodeRowQ5K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ5K, kQk, DecodeQ45K<BlockQ5K>>(view, row, out);
}

ASSAY_CLONES void EncodeRowsQ2K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                float, std::byte* codes, std::byte*) {
  EncodeRows<Q2KRules>(weights, n_rows, cols, importance, codes);
}
ASSAY_CLONES void EncodeRowsQ4K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                float, std::byte* codes, std::byte*) {
  EncodeRows<Q4KRules>(weights, n_rows, cols, importance, codes);
}
ASSAY_CLONES void EncodeRowsQ5K(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                float, std::byte* codes, std::byte*) {
  EncodeRows<Q5KRules>(weights, n_rows, cols, importance, codes);
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
