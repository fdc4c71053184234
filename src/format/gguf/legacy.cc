#include "format/gguf/legacy.h"

#include <algorithm>
#include <type_traits>

#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/vector/bit_spread.h"
#include "format/vector/rounding.h"
#include "format/vector/scalar_rounding.h"
#include "format/vector/search.h"
#include "format/vector/vector_codes.h"
#include "number/f16.h"

namespace assay {
namespace {

template <typename Block>
inline constexpr bool kHasMin = requires(Block block) {
  block.m;
};
template <typename Block>
inline constexpr int kMaxCode = requires(Block block) {
  block.qh;
}
? 31 : 15;

// --- decoding ---

template <typename I>
ASSAY_INLINE void StoreValues(I codes, float d, float* out) {
  const auto values = __builtin_convertvector(codes, FloatLanes<kLanes<I>>) * d;
  std::memcpy(out, &values, sizeof values);
}
template <typename I>
ASSAY_INLINE void StoreValues(I codes, float d, float m, float* out) {
  const auto values = __builtin_convertvector(codes, FloatLanes<kLanes<I>>) * d + m;
  std::memcpy(out, &values, sizeof values);
}

template <typename V>
ASSAY_INLINE void DecodeQ8_0(const BlockQ8_0& block, float* out) {
  const float d = DecodeF16(block.d);
  ASSAY_UNROLL
  for (int i = 0; i < kQ; i += kLanes<V>)
    StoreValues(LoadSigned<IntsOf<V>>(reinterpret_cast<const std::byte*>(block.qs + i)), d, out + i);
}

// Bit i of the bits from `in` on, in lane i.
template <typename I>
ASSAY_INLINE I BitOfLane(const uint8_t* in) {
  if constexpr (kLanes<I> == 8) {
    constexpr I lanes{0, 1, 2, 3, 4, 5, 6, 7};
    return *in >> lanes & 1;
  } else {
    constexpr I lanes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return (in[0] | in[1] << 8) >> lanes & 1;
  }
}

// Calls store(codes, first) for the codes of weights first … as wide as V.
template <typename V, typename Block, typename Store>
ASSAY_INLINE void EachPart(const Block& block, const Store& store) {
  using I = IntsOf<V>;
  ASSAY_UNROLL
  for (int i = 0; i < kQ / 2; i += kLanes<V>) {
    const I bytes = LoadCodes<I, 8>(reinterpret_cast<const std::byte*>(block.qs + i));
    I first = bytes & 15, second = bytes >> 4;
    if constexpr (requires { block.qh; }) {
      first |= BitOfLane<I>(block.qh + i / 8) << 4;
      second |= BitOfLane<I>(block.qh + i / 8 + 2) << 4;
    }
    store(first, i);
    store(second, i + kQ / 2);
  }
}

// x = d * (q - zero).
template <typename V, typename Block>
ASSAY_INLINE void DecodeSymmetric(const Block& block, float* out) {
  const float d = DecodeF16(block.d);
  EachPart<V>(
      block, [&](IntsOf<V> codes, int first)
                 __attribute__((always_inline)) { StoreValues(codes - (kMaxCode<Block> + 1) / 2, d, out + first); });
}

// x = d * q + m.
template <typename V, typename Block>
ASSAY_INLINE void DecodeAffine(const Block& block, float* out) {
  const float d = DecodeF16(block.d);
  const float m = DecodeF16(block.m);
  EachPart<V>(
      block, [&](IntsOf<V> codes, int first) __attribute__((always_inline)) { StoreValues(codes, d, m, out + first); });
}

template <typename V, typename Block>
ASSAY_INLINE void DecodeRow(const PackedView& view, int64_t row, float* out) {
  if constexpr (std::is_same_v<Block, BlockQ8_0>) {
    DecodeBlockRow<Block, kQ, DecodeQ8_0<V>>(view, row, out);
  } else if constexpr (kHasMin<Block>) {
    DecodeBlockRow<Block, kQ, DecodeAffine<V, Block>>(view, row, out);
  } else {
    DecodeBlockRow<Block, kQ, DecodeSymmetric<V, Block>>(view, row, out);
  }
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

// The lowest bit of each byte, gathered: the product brings them together in the topmost byte.
ASSAY_INLINE uint8_t LowestBits(uint64_t bytes) {
  return static_cast<uint8_t>((bytes & 0x0101010101010101) * 0x0102040810204080 >> 56);
}

// 32 codes. They are stored from registers, piece by piece: what is put together in memory first waits for it.
template <typename I, typename Block>
ASSAY_INLINE void PackCodes(const I* codes, Block& block) {
  constexpr int lanes = kLanes<I>, parts = kQ / lanes;
  if constexpr (requires { block.qh; }) {
    uint64_t words[4];  // a byte each
    ASSAY_UNROLL
    for (int i = 0; i < parts; ++i) {
      const auto bytes = LowBytes(codes[i]);
      std::memcpy(words + i * lanes / 8, &bytes, sizeof bytes);
    }
    constexpr uint64_t low = 0x0f0f0f0f0f0f0f0f;
    ASSAY_UNROLL
    for (int i = 0; i < 2; ++i) {
      const uint64_t nibbles = (words[i] & low) | (words[i + 2] & low) << 4;
      std::memcpy(block.qs + 8 * i, &nibbles, sizeof nibbles);
    }
    ASSAY_UNROLL
    for (int i = 0; i < 4; ++i) block.qh[i] = LowestBits(words[i] >> 4);
  } else {
    ASSAY_UNROLL
    for (int i = 0; i < parts / 2; ++i) {
      const auto nibbles = LowBytes(codes[i] | codes[i + parts / 2] << 4);
      std::memcpy(block.qs + lanes * i, &nibbles, sizeof nibbles);
    }
  }
}

// --- the reference rule ---

// q = the whole part of (x - shift) * inverse + offset, at most kMaxCode.
template <typename V, typename Block>
ASSAY_INLINE void TruncateCodes(const float* x, float shift, float inverse, float offset, Block& block) {
  IntsOf<V> codes[kQ / kLanes<V>];
  ASSAY_UNROLL
  for (int i = 0; i < kQ / kLanes<V>; ++i) {
    const V v =
        Min((Load<V>(x + kLanes<V> * i) - shift) * inverse + offset, Broadcast<V>(static_cast<float>(kMaxCode<Block>)));
    codes[i] = __builtin_convertvector(v, IntsOf<V>);
  }
  PackCodes(codes, block);
}

// Steps (and minima) of eight blocks.
struct PlainScales {
  Float8 d{}, low{};
};

template <typename Block>
ASSAY_INLINE PlainScales ScalesByRule(const float* x) {
  if constexpr (kHasMin<Block>) {
    const Float8 low = SmallestOfRuns<kQ>(x);
    return {(LargestOfRuns<kQ>(x) - low) / static_cast<float>(kMaxCode<Block>), low};
  } else {
    return {SignedLargestOfRuns<kQ>(x) / -static_cast<float>(kMaxCode<Block> / 2 + 1), Float8{}};
  }
}

template <typename Block>
inline constexpr float kTruncateOffset = kHasMin<Block> ? 0.5f : static_cast<float>(kMaxCode<Block> / 2 + 1) + 0.5f;

// Eight blocks at once for the sake of their scales; the first n are real.
template <typename V, typename Block>
ASSAY_INLINE void EncodePlain(const float* x, int n, Block* blocks) {
  const PlainScales by = ScalesByRule<Block>(x);
  const Float8 inverse = InverseOf(by.d);
  const Int8Lanes d_codes = F16Codes(by.d);
  [[maybe_unused]] const Int8Lanes m_codes = F16Codes(by.low);
  for (int k = 0; k < n; ++k) {
    blocks[k].d = static_cast<uint16_t>(d_codes[k]);
    if constexpr (kHasMin<Block>) blocks[k].m = static_cast<uint16_t>(m_codes[k]);
    TruncateCodes<V>(x + k * kQ, kHasMin<Block> ? by.low[k] : 0.0f, inverse[k], kTruncateOffset<Block>, blocks[k]);
  }
}

// --- the search ---

constexpr AffineSearch kAffineSearch{-0.9f, 0.075f, 25, 3};
constexpr LinearSearch kLinearSearch{-0.9f, 0.1f, 19, true, 2};

ASSAY_INLINE Float8 RoundLanesToF16(Float8 v) {
  for (int lane = 0; lane < 8; ++lane) v[lane] = RoundToF16(std::clamp(v[lane], -kF16Max, kF16Max));
  return v;
}

// Scales (and minima) of eight blocks, as they are stored.
struct Searched {
  Float8 d{}, m{};
};

template <typename Block>
ASSAY_INLINE Searched SearchScales(const Float8* xv, const Float8* wv) {
  constexpr float max_code = static_cast<float>(kMaxCode<Block>);
  Searched out;
  if constexpr (kHasMin<Block>) {
    const AffineFit<Float8> fit = SearchAffine<Float8, kQ, true>(xv, wv, max_code, kAffineSearch);
    // Rounded to F16 the plain rule is now and then the better one: it hits weights that already lie on such a grid.
    Float8 low, high;
    RangeOfRuns<Float8, kQ>(xv, &low, &high);
    const Float8 plain_d = RoundLanesToF16((high - low) / max_code);
    const Float8 plain_m = RoundLanesToF16(low);
    out.d = RoundLanesToF16(fit.scale);
    out.m = RoundLanesToF16(fit.minimum);
    const auto plain = AffineError<Float8, kQ>(xv, wv, plain_d, plain_m, max_code) <
                       AffineError<Float8, kQ>(xv, wv, out.d, out.m, max_code);
    out.d = plain ? plain_d : out.d;
    out.m = plain ? plain_m : out.m;
  } else {
    out.d = RoundLanesToF16(SearchLinear<Float8, kQ>(xv, wv, (max_code + 1) / 2, kLinearSearch).scale);
  }
  return out;
}

// Eight blocks at once (fewer at the end of a row: n_blocks).
template <typename Block>
ASSAY_INLINE void EncodeSearched(const float* x, const float* w, int n_blocks, Block* blocks) {
  Float8 xv[kQ], wv[kQ], q[kQ];
  LoadRuns<Float8, kQ>(x, n_blocks, xv);
  LoadRuns<Float8, kQ>(w, n_blocks, wv);
  constexpr float max_code = static_cast<float>(kMaxCode<Block>);
  const Searched by = SearchScales<Block>(xv, wv);
  for (int lane = 0; lane < n_blocks; ++lane) {
    blocks[lane].d = EncodeF16(by.d[lane]);
    if constexpr (kHasMin<Block>) blocks[lane].m = EncodeF16(by.m[lane]);
  }
  const Float8 inverse = Reciprocal(by.d);
  if constexpr (kHasMin<Block>) {
    for (int i = 0; i < kQ; ++i) q[i] = RoundClamp((xv[i] - by.m) * inverse, 0.0f, max_code);
  } else {
    constexpr float zero = (max_code + 1) / 2;
    for (int i = 0; i < kQ; ++i) q[i] = RoundClamp(xv[i] * inverse, -zero, zero - 1) + zero;
  }
  uint8_t codes[8 * kQ];
  StoreRuns<Float8, kQ>(q, codes);
  for (int lane = 0; lane < n_blocks; ++lane) {
    Int8Lanes block_codes[kQ / 8];
    for (int i = 0; i < kQ / 8; ++i)
      block_codes[i] = SpreadLanes<8>(LoadWord<8>(reinterpret_cast<std::byte*>(codes) + lane * kQ + 8 * i));
    PackCodes(block_codes, blocks[lane]);
  }
}

template <typename V, typename Block>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                             std::byte* codes) {
  const int64_t n_blocks = cols / kQ;
  for (int64_t row = 0; row < n_rows; ++row, weights += cols) {
    Block* blocks = reinterpret_cast<Block*>(codes) + row * n_blocks;
    if (importance == nullptr) {
      EachEightRuns<kQ>(
          weights, n_blocks, [&](const float* x, int n, int64_t first) __attribute__((always_inline)) {
            EncodePlain<V>(x, n, blocks + first);
          });
      continue;
    }
    const float mean_square = MeanSquare(weights, cols);
    for (int64_t i = 0; i < n_blocks; i += 8) {
      const int n = static_cast<int>(std::min<int64_t>(8, n_blocks - i));
      float w[8 * kQ];
      SearchWeights(weights + i * kQ, importance + i * kQ, mean_square, n * kQ, w);
      EncodeSearched(weights + i * kQ, w, n, blocks + i);
    }
  }
}

// --- the steps one by one ---

template <typename Block>
ASSAY_INLINE void FitBlock(const GridInput& in, Grid* grid) {
  Float8 d, m;  // of the first lane
  grid->second_rule = in.importance != nullptr;
  if (grid->second_rule) {
    float w[kQ];
    SearchWeights(in.weights, in.importance, in.mean_square, kQ, w);
    Float8 xv[kQ], wv[kQ];
    LoadRuns<Float8, kQ>(in.weights, 1, xv);
    LoadRuns<Float8, kQ>(w, 1, wv);
    const Searched by = SearchScales<Block>(xv, wv);
    d = by.d;
    m = by.m;
    grid->factor = Reciprocal(d)[0];
  } else {
    float eight[8 * kQ] = {};
    std::copy_n(in.weights, kQ, eight);
    const PlainScales by = ScalesByRule<Block>(eight);
    d = by.d;
    m = by.low;
    grid->factor = InverseOf(d)[0];
  }
  grid->shift = m[0];
  grid->scale_code = F16Codes(d)[0];
  grid->zero_code = F16Codes(m)[0];
  grid->scale = DecodeF16(static_cast<uint16_t>(grid->scale_code));
  if (kHasMin<Block>) grid->zero = DecodeF16(static_cast<uint16_t>(grid->zero_code));
}

ASSAY_CLONES void FitQ4_0(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  FitBlock<BlockQ4_0>(in, grid);
}
ASSAY_CLONES void FitQ4_1(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  FitBlock<BlockQ4_1>(in, grid);
}
ASSAY_CLONES void FitQ5_0(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  FitBlock<BlockQ5_0>(in, grid);
}
ASSAY_CLONES void FitQ5_1(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  FitBlock<BlockQ5_1>(in, grid);
}

template <typename Block>
Rounded RoundLegacy(const Format&, const Grid& grid, float x) {
  constexpr int most = kMaxCode<Block>, zero = most / 2 + 1;
  const float shift = kHasMin<Block> ? grid.shift : 0.0f;
  int code;
  if (!grid.second_rule) {
    code = static_cast<int>(
        std::clamp((x - shift) * grid.factor + kTruncateOffset<Block>, 0.0f, static_cast<float>(most)));
  } else if constexpr (kHasMin<Block>) {
    code = RoundClampToInt((x - shift) * grid.factor, 0, most);
  } else {
    code = RoundClampToInt(x * grid.factor, -zero, zero - 1) + zero;
  }
  const float value =
      kHasMin<Block> ? static_cast<float>(code) * grid.scale + grid.zero : static_cast<float>(code - zero) * grid.scale;
  return {static_cast<uint8_t>(code), value};
}

template <typename Block>
void PackLegacy(const uint8_t* codes, const Grid* grid, const SuperGrid*, Block& block) {
  block.d = static_cast<uint16_t>(grid->scale_code);
  if constexpr (kHasMin<Block>) block.m = static_cast<uint16_t>(grid->zero_code);
  Int8Lanes lanes[kQ / 8];
  for (int i = 0; i < kQ / 8; ++i)
    lanes[i] = SpreadLanes<8>(LoadWord<8>(reinterpret_cast<const std::byte*>(codes + 8 * i)));
  PackCodes(lanes, block);
}

void FitQ8_0(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  const float d = LargestMagnitude<kQ>(in.weights) / 127.0f;
  grid->factor = d != 0 ? 1.0f / d : 0.0f;
  grid->scale_code = F16Codes(FirstLane(d))[0];
  grid->scale = DecodeF16(static_cast<uint16_t>(grid->scale_code));
}

Rounded RoundQ8_0(const Format&, const Grid& grid, float x) {
  const float t = std::clamp(x * grid.factor, -128.0f, 127.0f);
  const auto q = static_cast<int8_t>(RoundHalfAway(FirstLane(t))[0]);
  return {static_cast<uint8_t>(q), static_cast<float>(q) * grid.scale};
}

void PackQ8_0(const uint8_t* codes, const Grid* grid, const SuperGrid*, BlockQ8_0& block) {
  block.d = static_cast<uint16_t>(grid->scale_code);
  std::memcpy(block.qs, codes, kQ);
}

template <typename V>
ASSAY_INLINE void EncodeRowsOfQ8(const float* weights, int64_t n_rows, int64_t cols, const float*, std::byte* codes) {
  auto* blocks = reinterpret_cast<BlockQ8_0*>(codes);
  EachEightRuns<kQ>(
      weights, n_rows * cols / kQ, [&](const float* runs, int n, int64_t first) __attribute__((always_inline)) {
        const Float8 d = LargestMagnitudeOfRuns<kQ, V>(runs) / 127.0f;
        const Float8 inverse = InverseOf(d);
        const Int8Lanes d_codes = F16Codes(d);
        for (int k = 0; k < n; ++k) {
          BlockQ8_0& block = blocks[first + k];
          ASSAY_UNROLL
          for (int i = 0; i < kQ; i += kLanes<V>) {
            const auto bytes = LowBytes(RoundHalfAway(Load<V>(runs + k * kQ + i) * inverse[k]));
            std::memcpy(block.qs + i, &bytes, sizeof bytes);
          }
          block.d = static_cast<uint16_t>(d_codes[k]);
        }
      });
}

}  // namespace

ASSAY_BY_WIDTH(DecodeRowQ8_0, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow, BlockQ8_0)
ASSAY_BY_WIDTH(DecodeRowQ4_0, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow, BlockQ4_0)
ASSAY_BY_WIDTH(DecodeRowQ4_1, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow, BlockQ4_1)
ASSAY_BY_WIDTH(DecodeRowQ5_0, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow, BlockQ5_0)
ASSAY_BY_WIDTH(DecodeRowQ5_1, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow, BlockQ5_1)

ASSAY_ENCODE_ROWS(EncodeRowsQ8_0, EncodeRowsOfQ8)
ASSAY_ENCODE_ROWS(EncodeRowsQ4_0, EncodeRows, BlockQ4_0)
ASSAY_ENCODE_ROWS(EncodeRowsQ4_1, EncodeRows, BlockQ4_1)
ASSAY_ENCODE_ROWS(EncodeRowsQ5_0, EncodeRows, BlockQ5_0)
ASSAY_ENCODE_ROWS(EncodeRowsQ5_1, EncodeRows, BlockQ5_1)

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

namespace {

template <typename Block>
constexpr GridRule RuleOf(decltype(GridRule::fit) fit) {
  return {fit, RoundLegacy<Block>, PackBlocks<Block, kQ, 1, PackLegacy<Block>>, false, true};
}

}  // namespace

const GridRule kQ8_0Grid{FitQ8_0, RoundQ8_0, PackBlocks<BlockQ8_0, kQ, 1, PackQ8_0>};
const GridRule kQ4_0Grid = RuleOf<BlockQ4_0>(FitQ4_0), kQ4_1Grid = RuleOf<BlockQ4_1>(FitQ4_1);
const GridRule kQ5_0Grid = RuleOf<BlockQ5_0>(FitQ5_0), kQ5_1Grid = RuleOf<BlockQ5_1>(FitQ5_1);

}  // namespace assay
