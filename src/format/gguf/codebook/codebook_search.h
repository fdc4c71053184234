#pragma once
// The search behind the encoders of GGUF's codebook formats (IQ1, IQ2, IQ3): vectors of weights, each an entry of a
// codebook times a scale that a sub-block of vectors shares, an odd integer in units of the super-block.
//
// For a vector m with error weights w, entry g and scale s the error is Σ w m² + s² A - 2 s B with A = Σ w g² and
// B = Σ w m g. So one pass over the whole codebook finds the best entry for each of several scales (the probes), and
// between the probes nothing but these entries can win by much. Everything after that pass, the scale of a sub-block,
// the integers and the unit, is least squares over a handful of pairs (A, B).

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include "format/gguf/blocks.h"
#include "format/vector/search.h"
#include "number/f16.h"

namespace assay {

/// A codebook as the search reads it: values and their squares, one dimension after the other, [dims][n].
template <int dims, int n>
struct Codebook {
  static constexpr int kEntries = n;
  alignas(64) float value[dims][n];
  alignas(64) float square[dims][n];

  template <typename Entry>
  void Set(int entry, const Entry& values, float shift = 0.0f) {
    for (int i = 0; i < dims; ++i) {
      value[i][entry] = static_cast<float>(values[static_cast<size_t>(i)]) + shift;
      square[i][entry] = value[i][entry] * value[i][entry];
    }
  }
};

/// Best entries of one vector, one for each probe.
template <int probes>
struct Candidates {
  float a[probes];
  float b[probes];
  int entry[probes];
};

// Every lane gets what lies `distance` lanes further (within halves, quarters … of the vector).
template <int distance>
ASSAY_INLINE auto Rotate(Float8 v) {
  if constexpr (distance == 4) return __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
  if constexpr (distance == 2) return __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
  return __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
}

/// The smallest of all lanes.
ASSAY_INLINE float Lowest(Float8 v) {
  v = Min(v, Rotate<4>(v));
  v = Min(v, Rotate<2>(v));
  return Min(v, Rotate<1>(v))[0];
}
ASSAY_INLINE float Lowest(Float16 v) {
  Float8 half[2];
  std::memcpy(half, &v, sizeof half);
  return Lowest(Min(half[0], half[1]));
}

/// The index that goes with the lowest value, the lower one among equals. Indices are whole floats, so that the vectors
/// are of one kind.
template <typename V>
ASSAY_INLINE int LowestIndex(V value, V index) {
  return static_cast<int>(Lowest(value == Broadcast<V>(Lowest(value)) ? index : Broadcast<V>(1e9f)));
}

/// m, w: [dims]; scales: [probes]. Looks at the entries [begin, end), multiples of 16.
template <typename V, int probes, int dims, int n>
ASSAY_INLINE void Probe(const Codebook<dims, n>& book, int begin, int end, const float* m, const float* w,
                        const float* scales, Candidates<probes>* found) {
  float wm[dims];
  for (int i = 0; i < dims; ++i) wm[i] = 2.0f * w[i] * m[i];
  V best[probes] = {}, at[probes] = {};
  ASSAY_UNROLL
  for (int p = 0; p < probes; ++p) {
    best[p] = Broadcast<V>(3e38f);
    at[p] = Broadcast<V>(static_cast<float>(begin));
  }
  V index;
  for (int lane = 0; lane < kLanes<V>; ++lane) index[lane] = static_cast<float>(begin + lane);
  for (int e = begin; e < end; e += kLanes<V>, index += kLanes<V>) {
    V a{}, b{};
    ASSAY_UNROLL
    for (int i = 0; i < dims; ++i) {
      a += Load<V>(&book.square[i][e]) * w[i];
      b += Load<V>(&book.value[i][e]) * wm[i];
    }
    ASSAY_UNROLL
    for (int p = 0; p < probes; ++p) {
      const V t = a * scales[p] - b;
      const auto better = t < best[p];
      best[p] = better ? t : best[p];
      at[p] = better ? index : at[p];
    }
  }
  ASSAY_UNROLL
  for (int p = 0; p < probes; ++p) {
    const int entry = LowestIndex(best[p], at[p]);
    float a = 0, b = 0;
    for (int i = 0; i < dims; ++i) {
      a += book.square[i][entry] * w[i];
      b += book.value[i][entry] * wm[i];
    }
    found->entry[p] = entry;
    found->a[p] = a;
    found->b[p] = 0.5f * b;
  }
}

/// Sums over the vectors of a sub-block, each with its best candidate at one scale.
struct Sums {
  float a = 0, b = 0;
  /// Error at scale s, less what does not depend on it.
  float Error(float s) const { return s * (s * a - 2.0f * b); }
};

/// Index of the candidate that is best at scale s.
template <int probes>
ASSAY_INLINE int BestAt(const Candidates<probes>& c, float s) {
  int best = 0;
  float lowest = s * c.a[0] - 2.0f * c.b[0];
  for (int p = 1; p < probes; ++p) {
    const float t = s * c.a[p] - 2.0f * c.b[p];
    best = t < lowest ? p : best;
    lowest = t < lowest ? t : lowest;
  }
  return best;
}

template <int probes>
ASSAY_INLINE Sums SumsAt(const Candidates<probes>* vectors, int n_vectors, float s) {
  Sums sums;
  for (int v = 0; v < n_vectors; ++v) {
    const int p = BestAt(vectors[v], s);
    sums.a += vectors[v].a[p];
    sums.b += vectors[v].b[p];
  }
  return sums;
}

/// The scale of least squares over the probes and `refits` alternations; 0 when no positive scale helps.
template <int probes>
ASSAY_INLINE float SearchScale(const Candidates<probes>* vectors, int n_vectors, const float* scales, int refits,
                               float* gain) {
  float best = 0;
  *gain = 0;
  const auto consider = [&](float s) {
    const Sums sums = SumsAt(vectors, n_vectors, s);
    if (!(sums.b > 0) || !(sums.b * sums.b > *gain * sums.a)) return;
    *gain = sums.b * sums.b / sums.a;
    best = sums.b / sums.a;
  };
  for (int p = 0; p < probes; ++p) consider(scales[p]);
  for (int i = 0; i < refits && best > 0; ++i) consider(best);
  return best;
}

/// Error weights of a super-block of 256: importance * sqrt(mean square + x²), importance 1 where there is none. False
/// when all weights are (next to) zero.
ASSAY_INLINE bool CodebookWeights(const float* x, const float* importance, float* w) {
  const float mean_square = MeanSquare(x, kQk);
  if (!(mean_square > 1e-30f)) return false;
  float ones[kQk];
  if (importance == nullptr) std::fill_n(ones, kQk, 1.0f);
  SearchWeights(x, importance == nullptr ? ones : importance, mean_square, kQk, w);
  return true;
}

/// Magnitudes m and signs (set: minus) of 8 weights. `even`: the number of minus signs must be even; where it is not,
/// the weight that matters least takes the wrong sign and its magnitude becomes negative.
template <bool even>
ASSAY_INLINE uint8_t SplitSigns(const float* x, const float* w, float* m) {
  uint32_t signs = 0;
  for (uint32_t i = 0; i < 8; ++i) {
    signs |= static_cast<uint32_t>(x[i] < 0) << i;
    m[i] = std::fabs(x[i]);
  }
  if (even && __builtin_popcount(signs) % 2 != 0) {
    uint32_t least = 0;
    for (uint32_t i = 1; i < 8; ++i) least = w[i] * m[i] * m[i] < w[least] * m[least] * m[least] ? i : least;
    signs ^= 1u << least;
    m[least] = -m[least];
  }
  return static_cast<uint8_t>(signs);
}

/// Integers of the sub-blocks (the scale is unit * (2 * level + 1)) and the unit.
template <int subs>
struct Levels {
  float unit = 0;
  int level[subs] = {};
  int option[subs] = {};
  float error = 0;  // less what does not depend on the choice
};

/// The candidates of a super-block: [subs][vectors] for each of the `options` that a sub-block has (signs of IQ1_S's
/// shift).
template <int options, int subs, int vectors, int probes>
struct SuperBlockCandidates {
  Candidates<probes> of[options][subs][vectors];
  float scale[subs] = {};  // searched
};

/// For a given unit: for every sub-block the neighbours of the nearest level with every option. `refitted`: the unit of
/// least squares for what was chosen.
template <int levels, int options, int subs, int vectors, int probes>
ASSAY_INLINE Levels<subs> ChooseLevels(const SuperBlockCandidates<options, subs, vectors, probes>& c, float unit,
                                       float* refitted) {
  Levels<subs> chosen;
  chosen.unit = unit;
  double sum_b = 0, sum_a = 0, sum_error = 0;
  for (int i = 0; i < subs; ++i) {
    const int nearest = static_cast<int>(std::clamp(0.5f * (c.scale[i] / unit - 1.0f) + 0.5f, 0.0f, levels - 1.0f));
    Sums best;
    float lowest = 3e38f;
    for (int level = std::max(nearest - 1, 0); level <= std::min(nearest + 1, levels - 1); ++level) {
      const float s = unit * static_cast<float>(2 * level + 1);
      for (int option = 0; option < options; ++option) {
        const Sums sums = SumsAt(c.of[option][i], vectors, s);
        const float error = sums.Error(s);
        if (!(error < lowest)) continue;
        lowest = error;
        best = sums;
        chosen.level[i] = level;
        chosen.option[i] = option;
      }
    }
    const double q = 2 * chosen.level[i] + 1;
    sum_b += q * best.b;
    sum_a += q * q * best.a;
    sum_error += lowest;
  }
  chosen.error = static_cast<float>(sum_error);
  *refitted = sum_a > 0 ? static_cast<float>(sum_b / sum_a) : 0.0f;
  return chosen;
}

/// The unit is an F16 divided by `divisor` (a power of two). A unit of 0 says that zero is the best there is.
template <int levels, int options, int subs, int vectors, int probes>
ASSAY_INLINE Levels<subs> FitLevels(const SuperBlockCandidates<options, subs, vectors, probes>& c, float divisor) {
  const auto rounded = [&](float unit) { return RoundToF16(std::fmin(unit * divisor, kF16Max)) / divisor; };
  const float largest = *std::max_element(c.scale, c.scale + subs);
  Levels<subs> best;
  if (!(largest > 0)) return best;
  float unit = largest / (2 * levels - 1);
  for (int round = 0; round < 4; ++round) {
    unit = std::fmax(rounded(unit), 0x1p-24f / divisor);
    float refitted;
    const Levels<subs> tried = ChooseLevels<levels>(c, unit, &refitted);
    if (round > 0 && !(tried.error < best.error)) break;
    best = tried;
    unit = refitted;
    if (!(unit > 0)) break;
  }
  return best;
}

/// What lies before the magnitudes of a format's codebook.
enum class Signs {
  kInCodebook,  // its values are signed
  kFree,        // one sign a weight
  kEven,        // the same, but the number of minus signs among 8 weights is even
};

// Encodes one super-block: x, w: 256 weights and their error weights. A Type has
//   Block; kDims, kVectors (of a sub-block), kOptions, kSigns, kLevels (of a scale), kUnitDivisor;
//   kTop, the largest value of the codebook, and kProbeScales, in units of the scale that reaches the largest magnitude
//   of the sub-block (the last one suits weights that are all alike: the vector of lowest values);
//   GetBook(), the entries of the options one after the other;
//   Put(block, vector, entry), PutSigns(block, eight, signs), PutLevel(block, sub, level, option), PutUnit(block,
//   half).
template <typename V, typename Type>
ASSAY_INLINE void EncodeCodebookBlock(const float* x, const float* w, typename Type::Block& block) {
  constexpr int dims = Type::kDims, vectors = Type::kVectors, size = dims * vectors, subs = kQk / size;
  constexpr int probes = static_cast<int>(Type::kProbeScales.size()), options = Type::kOptions;
  const auto& book = Type::GetBook();
  constexpr int span = std::remove_cvref_t<decltype(book)>::kEntries / options;
  float m[kQk];
  if constexpr (Type::kSigns == Signs::kInCodebook) {
    std::copy_n(x, kQk, m);
  } else {
    for (int i = 0; i < kQk; i += 8)
      Type::PutSigns(block, i / 8, SplitSigns<Type::kSigns == Signs::kEven>(x + i, w + i, m + i));
  }
  SuperBlockCandidates<options, subs, vectors, probes> candidates;
  for (int sub = 0; sub < subs; ++sub) {
    float reach = 0;
    for (int i = size * sub; i < size * (sub + 1); ++i) reach = std::fmax(reach, std::fabs(x[i]));
    float scales[probes];
    for (int p = 0; p < probes; ++p) scales[p] = Type::kProbeScales[static_cast<size_t>(p)] * reach / Type::kTop;
    float best_gain = 0;
    for (int option = 0; option < options; ++option) {
      auto& found = candidates.of[option][sub];
      for (int v = 0; v < vectors; ++v) {
        const int at = size * sub + dims * v;
        Probe<V>(book, option * span, (option + 1) * span, m + at, w + at, scales, &found[v]);
      }
      float gain;
      const float scale = SearchScale(found, vectors, scales, 2, &gain);
      if (gain > best_gain) candidates.scale[sub] = scale;
      best_gain = std::fmax(gain, best_gain);
    }
  }
  const Levels<subs> levels = FitLevels<Type::kLevels>(candidates, Type::kUnitDivisor);
  Type::PutUnit(block, EncodeF16(levels.unit * Type::kUnitDivisor));
  for (int sub = 0; sub < subs; ++sub) {
    Type::PutLevel(block, sub, levels.level[sub], levels.option[sub]);
    const float s = levels.unit * static_cast<float>(2 * levels.level[sub] + 1);
    for (int v = 0; v < vectors; ++v) {
      const auto& found = candidates.of[levels.option[sub]][sub][v];
      Type::Put(block, vectors * sub + v, found.entry[BestAt(found, s)]);
    }
  }
}

/// Format::encode_rows of a codebook format.
template <typename V, typename Type>
ASSAY_INLINE void EncodeCodebookRows(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                                     std::byte* codes) {
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t i = 0; i < cols; i += kQk, weights += kQk, codes += sizeof(typename Type::Block)) {
      typename Type::Block block{};
      float w[kQk];
      if (CodebookWeights(weights, importance == nullptr ? nullptr : importance + i, w)) {
        EncodeCodebookBlock<V, Type>(weights, w, block);
      }
      std::memcpy(codes, &block, sizeof block);
    }
  }
}

}  // namespace assay
