#include "format/gguf/fp4_blocks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/nvfp4.h"
#include "format/vector/bit_spread.h"
#include "format/vector/rounding.h"
#include "format/vector/search.h"
#include "format/vector/vector_codes.h"
#include "number/e8m0.h"
#include "number/fp4_e2m1.h"
#include "number/fp8_e4m3.h"

namespace assay {
namespace {

constexpr int kSub = 16;  // weights under one scale of NVFP4

// --- decoding ---

// The sign bit is not looked at; NaN reads as 0.
float DecodeScaleNvfp4(uint8_t code) {
  const uint8_t magnitude = code & 0x7f;
  return magnitude == 0x7f ? 0.0f : DecodeFp8E4m3(magnitude);
}

// Byte j: weight j low, weight j + count / 2 high.
template <int count>
ASSAY_INLINE void DecodeNibbles(const uint8_t* qs, float scale, float* out) {
  for (int j = 0; j < count / 2; j += 8) {
    const uint64_t bytes = LoadWord<8>(reinterpret_cast<const std::byte*>(qs + j));
    const Float8 low = Fp4E2m1Values(SpreadLanes<8>(bytes & 0x0f0f0f0f0f0f0f0f)) * scale;
    const Float8 high = Fp4E2m1Values(SpreadLanes<8>(bytes >> 4 & 0x0f0f0f0f0f0f0f0f)) * scale;
    std::memcpy(out + j, &low, sizeof low);
    std::memcpy(out + j + count / 2, &high, sizeof high);
  }
}

ASSAY_INLINE void DecodeMxfp4(const BlockMxfp4& block, float* out) {
  DecodeNibbles<kQ>(block.qs, DecodeE8m0(block.e), out);
}

bool ValidMxfp4(const BlockMxfp4& block) {
  return block.e != 255;
}
bool ValidNvfp4(const BlockNvfp4& block) {
  return std::none_of(block.d, block.d + 4, [](uint8_t d) { return (d & 0x7f) == 0x7f; });
}

// --- encoding ---

// Codes of v / scale, halves to the smaller magnitude; zero has no sign.
ASSAY_INLINE Int8Lanes NibbleCodes(Float8 v, float scale) {
  const Float8 a = Abs(v);
  Int8Lanes n{};  // a true comparison is -1
  ASSAY_UNROLL
  for (const float bound : {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f}) n -= a > Broadcast<Float8>(bound * scale);
  return scale > 0 ? n | ((v < Float8{}) & (n > 0) & 8) : Int8Lanes{};
}

template <int count>
ASSAY_INLINE void EncodeNibbles(const float* x, float scale, uint8_t* qs) {
  const auto codes = [&](const float* eight) __attribute__((always_inline)) {
    return NibbleCodes(Load<Float8>(eight), scale);
  };
  for (int j = 0; j < count / 2; j += 8) {
    const uint64_t bytes = LowBytes(codes(x + j) | codes(x + j + count / 2) << 4);
    std::memcpy(qs + j, &bytes, sizeof bytes);
  }
}

// Weighted squared error that these codes leave.
template <int count>
ASSAY_INLINE float ErrorOf(const float* x, const float* w, float scale) {
  constexpr float bounds[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f};
  constexpr float steps[7] = {0.5f, 0.5f, 0.5f, 0.5f, 1.0f, 1.0f, 2.0f};
  Float8 sum{};
  for (int i = 0; i < count; i += 8) {
    const Float8 a = Abs(Load<Float8>(x + i));
    Float8 value{};
    for (int k = 0; k < 7; ++k) {
      value += a > Broadcast<Float8>(bounds[k] * scale) ? Broadcast<Float8>(steps[k] * scale) : Float8{};
    }
    const Float8 difference = value - a;
    sum += Load<Float8>(w + i) * difference * difference;
  }
  return SumOfLanes(sum);
}

// The reference's exponent; its logarithm is exact here.
uint8_t ScaleMxfp4(float largest) {
  const int exponent = static_cast<int>(std::bit_cast<uint32_t>(largest) >> 23);
  return static_cast<uint8_t>(std::max(exponent - 2, 0));
}

// The reference's rounding, for eight groups.
ASSAY_INLINE Int8Lanes ScalesNvfp4(Float8 largest) {
  const Float8 x = Min(largest / 6.0f, Broadcast<Float8>(kFp8E4m3Max));
  const Int8Lanes subnormal = Min(__builtin_convertvector(x * 512.0f + 0.5f, Int8Lanes), Int8Lanes{} + 7);
  const Int8Lanes normal = ((BitsOf(x) + 0x80000) >> 20) - (120 << 3);
  return x < 0x1p-6f ? subnormal : normal >= 0x78 ? Int8Lanes{} + 0x7e : normal;
}

// The best of the codes around `code`.
template <int count, int reach, float (*decode)(uint8_t)>
ASSAY_INLINE uint8_t SearchScale(const float* x, const float* w, uint8_t code, int max_code) {
  uint8_t best = code;
  float best_error = ErrorOf<count>(x, w, decode(code));
  for (int c = std::max(code - reach, 0); c <= std::min(code + reach, max_code); ++c) {
    const float error = ErrorOf<count>(x, w, decode(static_cast<uint8_t>(c)));
    if (!(error < best_error)) continue;
    best_error = error;
    best = static_cast<uint8_t>(c);
  }
  return best;
}

// w: null without importance.
ASSAY_INLINE uint8_t ChooseMxfp4(const float* x, const float* w) {
  const uint8_t e = ScaleMxfp4(LargestMagnitude<kQ>(x));
  return w == nullptr ? e : SearchScale<kQ, 1, DecodeE8m0>(x, w, e, 254);
}

ASSAY_INLINE void EncodeMxfp4(const float* x, const float* w, BlockMxfp4& block) {
  block.e = ChooseMxfp4(x, w);
  EncodeNibbles<kQ>(x, DecodeE8m0(block.e), block.qs);
}

// A row, in units of the matrix's scale.
ASSAY_INLINE void EncodeRowNvfp4(const float* row, int64_t cols, const float* importance, BlockNvfp4* blocks) {
  const float mean_square = importance == nullptr ? 0.0f : MeanSquare(row, cols);
  EachEightRuns<kSub>(
      row, cols / kSub, [&](const float* x, int n, int64_t first) __attribute__((always_inline)) {
        Int8Lanes d = ScalesNvfp4(LargestMagnitudeOfRuns<kSub, Float8>(x));
        for (int k = 0; importance != nullptr && k < n; ++k) {
          float w[kSub];
          SearchWeights(x + k * kSub, importance + (first + k) * kSub, mean_square, kSub, w);
          d[k] = SearchScale<kSub, 5, DecodeScaleNvfp4>(x + k * kSub, w, static_cast<uint8_t>(d[k]), 0x7e);
        }
        const Float8 scales = Fp8E4m3Values(d);
        for (int k = 0; k < n; ++k) {
          BlockNvfp4& block = blocks[(first + k) / 4];
          block.d[(first + k) % 4] = static_cast<uint8_t>(d[k]);
          EncodeNibbles<kSub>(x + k * kSub, scales[k], block.qs + 8 * ((first + k) % 4));
        }
      });
}

// The reference has no scale of the matrix, and its rounding would waste E4M3's upper end.
void EncodeAsSafetensors(const float* weights, int64_t n_rows, int64_t cols, float global_scale, float global_divisor,
                         std::byte* codes) {
  const Format &to = GetFormat("nvfp4_gguf"), &safetensors = GetFormat("nvfp4");
  std::vector<std::byte> plain(static_cast<size_t>(cols / 2)), scales(static_cast<size_t>(cols / kSub));
  const PackedView view = ViewOf(safetensors, 1, cols, plain.data(), scales.data());
  for (int64_t row = 0; row < n_rows; ++row) {
    EncodeRowsNvfp4(weights + row * cols, 1, cols, nullptr, global_scale, global_divisor, plain.data(), scales.data());
    ASSAY_CHECK(RepackNvfp4Row(view, 0, to, codes + CodesBytes(to, row, cols), nullptr));
  }
}

// --- the steps one by one ---

// Nibbles of a run of `count` weights.
template <int count>
void PackNibbles(const uint8_t* codes, uint8_t* qs) {
  for (int j = 0; j < count / 2; ++j) qs[j] = static_cast<uint8_t>(codes[j] | codes[j + count / 2] << 4);
}

ASSAY_CLONES void FitMxfp4(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  float w[kQ];
  if (in.importance != nullptr) SearchWeights(in.weights, in.importance, in.mean_square, kQ, w);
  grid->scale_code = ChooseMxfp4(in.weights, in.importance == nullptr ? nullptr : w);
  grid->scale = grid->factor = DecodeE8m0(static_cast<uint8_t>(grid->scale_code));
  grid->shift = 1.0f;
}

void PackMxfp4(const uint8_t* codes, const Grid* grid, const SuperGrid*, BlockMxfp4& block) {
  block.e = static_cast<uint8_t>(grid->scale_code);
  PackNibbles<kQ>(codes, block.qs);
}

ASSAY_CLONES void FitGgufNvfp4(const Format& format, const GridInput& in, Grid* grid, SuperGrid*) {
  const float global = in.global_scale / in.global_divisor;
  grid->second_rule = global != 1.0f && in.importance == nullptr;  // as safetensors' NVFP4
  if (grid->second_rule) {
    FitNvfp4(format, in, grid, nullptr);
    grid->factor = grid->scale;
  } else {
    float x[8 * kSub] = {}, w[kSub];
    for (int i = 0; i < kSub; ++i) x[i] = in.weights[i] / global;
    int code = ScalesNvfp4(LargestMagnitudeOfRuns<kSub, Float8>(x))[0];
    if (in.importance != nullptr) {
      SearchWeights(x, in.importance, in.mean_square / (global * global), kSub, w);
      code = SearchScale<kSub, 5, DecodeScaleNvfp4>(x, w, static_cast<uint8_t>(code), 0x7e);
    }
    grid->scale_code = code;
    grid->factor = DecodeScaleNvfp4(static_cast<uint8_t>(code));
    grid->shift = global;
  }
  grid->scale = DecodeScaleNvfp4(static_cast<uint8_t>(grid->scale_code)) * global;
}

Rounded RoundFp4(const Format&, const Grid& grid, float x) {
  const Int8Lanes codes =
      grid.second_rule ? Fp4E2m1Codes(FirstLane(x / grid.factor)) : NibbleCodes(FirstLane(x / grid.shift), grid.factor);
  const auto code = static_cast<uint8_t>(codes[0]);
  return {code, DecodeFp4E2m1(code) * grid.scale};
}

void PackNvfp4(const uint8_t* codes, const Grid* grids, const SuperGrid*, BlockNvfp4& block) {
  for (int i = 0; i < 4; ++i) {
    block.d[i] = static_cast<uint8_t>(grids[i].scale_code);
    PackNibbles<kSub>(codes + kSub * i, block.qs + 8 * i);
  }
}

}  // namespace

const GridRule kGgufMxfp4Grid{FitMxfp4, RoundFp4, PackBlocks<BlockMxfp4, kQ, 1, PackMxfp4>, false, true};
const GridRule kGgufNvfp4Grid{FitGgufNvfp4, RoundFp4, PackBlocks<BlockNvfp4, 4 * kSub, 4, PackNvfp4>, false, true};

ASSAY_CLONES void DecodeRowGgufMxfp4(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockMxfp4, kQ, DecodeMxfp4>(view, row, out);
}
ASSAY_CLONES void DecodeRowGgufNvfp4(const PackedView& view, int64_t row, float* out) {
  // The order in which safetensors' NVFP4 multiplies, so that a file of either kind decodes to the same bits.
  const float global = view.global_scale / view.global_divisor;
  const std::byte* in = view.codes + row * (view.cols / (4 * kSub)) * static_cast<int64_t>(sizeof(BlockNvfp4));
  for (int64_t first = 0; first < view.cols; first += 4 * kSub, in += sizeof(BlockNvfp4), out += 4 * kSub) {
    const auto& block = *reinterpret_cast<const BlockNvfp4*>(in);
    for (int i = 0; i < 4; ++i)
      DecodeNibbles<kSub>(block.qs + 8 * i, DecodeScaleNvfp4(block.d[i]) * global, out + kSub * i);
  }
}

ASSAY_CLONES void EncodeRowsGgufMxfp4(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                                      float, float, std::byte* codes, std::byte*) {
  for (int64_t row = 0; row < n_rows; ++row) {
    const float mean_square = importance == nullptr ? 0.0f : MeanSquare(weights, cols);
    for (int64_t i = 0; i < cols; i += kQ, weights += kQ, codes += sizeof(BlockMxfp4)) {
      float w[kQ];
      if (importance != nullptr) SearchWeights(weights, importance + i, mean_square, kQ, w);
      EncodeMxfp4(weights, importance == nullptr ? nullptr : w, *reinterpret_cast<BlockMxfp4*>(codes));
    }
  }
}
ASSAY_CLONES void EncodeRowsGgufNvfp4(const float* weights, int64_t n_rows, int64_t cols, const float* importance,
                                      float global_scale, float global_divisor, std::byte* codes, std::byte*) {
  const float global = global_scale / global_divisor;
  if (global != 1.0f && importance == nullptr)
    return EncodeAsSafetensors(weights, n_rows, cols, global_scale, global_divisor, codes);
  auto* blocks = reinterpret_cast<BlockNvfp4*>(codes);
  std::vector<float> scaled(static_cast<size_t>(cols));
  for (int64_t row = 0; row < n_rows; ++row, weights += cols, blocks += cols / (4 * kSub)) {
    for (int64_t i = 0; i < cols; ++i) scaled[static_cast<size_t>(i)] = weights[i] / global;
    EncodeRowNvfp4(scaled.data(), cols, importance, blocks);
  }
}

void ChooseGlobalGgufNvfp4(const MatrixStatistics& statistics, float* global_scale, float* global_divisor) {
  const float scale = statistics.abs_max / (kFp8E4m3Max * kFp4E2m1Max);
  *global_scale = std::isnormal(scale) ? scale : 1.0f;
  *global_divisor = 1.0f;
}

bool ValidRowGgufMxfp4(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockMxfp4, kQ, ValidMxfp4>(view, row);
}
bool ValidRowGgufNvfp4(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockNvfp4, 4 * kSub, ValidNvfp4>(view, row);
}

}  // namespace assay
