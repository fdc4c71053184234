#include "format/gguf/ternary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/vector/bit_spread.h"
#include "format/vector/rounding.h"
#include "format/vector/search.h"
#include "format/vector/vector_codes.h"
#include "number/f16.h"

namespace assay {
namespace {

// --- bits ---

// A byte's five digits in base 3: digit k is the top one after multiplying by 3^k in eight bits.
constexpr int Trit(uint8_t byte, int k) {
  constexpr uint8_t power[5] = {1, 3, 9, 27, 81};
  return static_cast<uint8_t>(byte * power[k]) * 3 >> 8;
}

// The byte of a number of five digits.
constexpr uint8_t TritByte(int number) {
  return static_cast<uint8_t>((number * 256 + 242) / 243);
}

// Calls visit(byte, weight of its digit 0, step between the weights of its digits, digits) for every byte of a block.
template <typename Block, typename Visit>
void VisitTq1_0(Block& block, Visit visit) {
  for (int i = 0; i < 32; ++i) visit(block.qs[i], i, 32, 5);
  for (int i = 0; i < 16; ++i) visit(block.qs[32 + i], 160 + i, 16, 5);
  for (int i = 0; i < 4; ++i) visit(block.qh[i], 240 + i, 4, 4);
}

ASSAY_INLINE void Decode(const BlockTq1_0& block, float* out) {
  const float d = DecodeF16(block.d);
  // Eight bytes, whose digit k becomes the weights from `first` + k * step on.
  auto eight = [&](const uint8_t* bytes, int first, int step, int n) __attribute__((always_inline)) {
    Int8Lanes digits = SpreadLanes<8>(LoadWord<8>(reinterpret_cast<const std::byte*>(bytes)));
    for (int k = 0; k < n; ++k, digits = digits * 3 & 255) {
      const Float8 values = __builtin_convertvector((digits * 3 >> 8) - 1, Float8) * d;
      std::memcpy(out + first + k * step, &values, sizeof values);
    }
  };
  for (int i = 0; i < 32; i += 8) eight(block.qs + i, i, 32, 5);
  for (int i = 0; i < 16; i += 8) eight(block.qs + 32 + i, 160 + i, 16, 5);
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 4; ++k) out[240 + i + 4 * k] = static_cast<float>(Trit(block.qh[i], k) - 1) * d;
}

ASSAY_INLINE void Decode(const BlockTq2_0& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < kQk; i += 8) {
    const uint64_t bytes = LoadWord<8>(reinterpret_cast<const std::byte*>(block.qs + i / 128 * 32 + i % 32));
    const Int8Lanes codes = SpreadLanes<8>(bytes >> (i % 128 / 32 * 2) & 0x0303030303030303);
    const Float8 values = __builtin_convertvector(codes - 1, Float8) * d;
    std::memcpy(out + i, &values, sizeof values);
  }
}

// t: 256 digits 0 … 2.
void Pack(const uint8_t* t, BlockTq1_0& block) {
  VisitTq1_0(block, [&](uint8_t& byte, int first, int step, int digits) {
    int number = 0;
    for (int k = 0; k < 5; ++k) number = 3 * number + (k < digits ? t[first + step * k] : 0);
    byte = TritByte(number);
  });
}

void Pack(const uint8_t* t, BlockTq2_0& block) {
  for (int h = 0; h < 2; ++h) {
    const uint8_t* in = t + 128 * h;
    for (int j = 0; j < 32; ++j) {
      block.qs[32 * h + j] = static_cast<uint8_t>(in[j] | in[j + 32] << 2 | in[j + 64] << 4 | in[j + 96] << 6);
    }
  }
}

template <typename Block>
bool ValidScale(const Block& block) {
  return FiniteF16(block.d);
}

// --- encoding ---

struct Weighed {
  float magnitude, weight;
};

// The scale of least squares: over the k largest magnitudes, (sum w|x|)² / sum w is what the k take away.
float BestScale(const float* x, const float* w) {
  std::array<Weighed, kQk> sorted;
  for (int i = 0; i < kQk; ++i) sorted[static_cast<size_t>(i)] = {std::fabs(x[i]), w[i]};
  std::sort(sorted.begin(), sorted.end(), [](const Weighed& a, const Weighed& b) {
    return a.magnitude != b.magnitude ? a.magnitude > b.magnitude : a.weight > b.weight;
  });
  double sum_w = 0, sum_wx = 0, best_gain = 0, best = 0;
  for (const Weighed& item : sorted) {
    sum_w += item.weight;
    sum_wx += static_cast<double>(item.weight) * item.magnitude;
    if (sum_w <= 0 || sum_wx * sum_wx <= best_gain * sum_w) continue;
    best_gain = sum_wx * sum_wx / sum_w;
    best = sum_wx / sum_w;
  }
  return static_cast<float>(best);
}

// -1, 0, 1.
int Digit(float x, float bound) {
  return (x >= bound) - (x <= -bound);
}

// Digits by the scale `step`, stored as d; returns the weighted squared error.
double Digits(const float* x, const float* w, float step, float d, uint8_t* t) {
  const float bound = 0.5f * step;
  double error = 0;
  for (int i = 0; i < kQk; ++i) {
    const int q = Digit(x[i], bound);
    t[i] = static_cast<uint8_t>(q + 1);
    const double difference = static_cast<double>(static_cast<float>(q) * d) - x[i];
    error += w[i] * difference * difference;
  }
  return error;
}

// The scale of a block as it is stored, and the one its digits are taken by; 0 of zeros.
struct Scales {
  float d = 0, step = 0;
};

Scales ChooseScales(const float* x, const float* importance, float mean_square) {
  const float largest = LargestMagnitude<kQk>(x);
  if (!(largest > 0)) return {};
  float w[kQk];
  std::fill_n(w, kQk, 1.0f);
  if (importance != nullptr) SearchWeights(x, importance, mean_square, kQk, w);
  uint8_t t[kQk];
  const float d = RoundToF16(std::fmin(largest, kF16Max));
  const float searched = RoundToF16(std::fmin(BestScale(x, w), kF16Max));
  const double error = Digits(x, w, largest, d, t);
  return Digits(x, w, searched, searched, t) < error ? Scales{searched, searched} : Scales{d, largest};
}

// Half a step, from which on a magnitude is 1; nothing is where there are no weights.
float BoundOf(const Scales& scales) {
  return scales.d == 0 && scales.step == 0 ? std::numeric_limits<float>::infinity() : 0.5f * scales.step;
}

template <typename Block>
void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, const float* importance, std::byte* codes) {
  for (int64_t row = 0; row < n_rows; ++row) {
    const float mean_square = importance == nullptr ? 0.0f : MeanSquare(weights, cols);
    for (int64_t i = 0; i < cols; i += kQk, weights += kQk, codes += sizeof(Block)) {
      Block block{};
      const Scales scales = ChooseScales(weights, importance == nullptr ? nullptr : importance + i, mean_square);
      const float bound = BoundOf(scales);
      uint8_t t[kQk];
      for (int j = 0; j < kQk; ++j) t[j] = static_cast<uint8_t>(Digit(weights[j], bound) + 1);
      block.d = EncodeF16(scales.d);
      Pack(t, block);
      std::memcpy(codes, &block, sizeof block);
    }
  }
}

// --- the steps one by one ---

void Fit(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  const Scales scales = ChooseScales(in.weights, in.importance, in.mean_square);
  grid->scale_code = EncodeF16(scales.d);
  grid->scale = scales.d;
  grid->shift = BoundOf(scales);
}

Rounded RoundOne(const Format&, const Grid& grid, float x) {
  const int q = Digit(x, grid.shift);
  return {static_cast<uint8_t>(q + 1), static_cast<float>(q) * grid.scale};
}

template <typename Block>
void PackBlock(const uint8_t* codes, const Grid* grid, const SuperGrid*, Block& block) {
  block.d = static_cast<uint16_t>(grid->scale_code);
  Pack(codes, block);
}

}  // namespace

const GridRule kTq1_0Grid{Fit, RoundOne, PackBlocks<BlockTq1_0, kQk, 1, PackBlock<BlockTq1_0>>, false, true};
const GridRule kTq2_0Grid{Fit, RoundOne, PackBlocks<BlockTq2_0, kQk, 1, PackBlock<BlockTq2_0>>, false, true};

ASSAY_CLONES void DecodeRowTq1_0(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockTq1_0, kQk, Decode>(view, row, out);
}
ASSAY_CLONES void DecodeRowTq2_0(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockTq2_0, kQk, Decode>(view, row, out);
}

void EncodeRowsTq1_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float, float,
                     std::byte* codes, std::byte*) {
  EncodeRows<BlockTq1_0>(weights, n_rows, cols, importance, codes);
}
void EncodeRowsTq2_0(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float, float,
                     std::byte* codes, std::byte*) {
  EncodeRows<BlockTq2_0>(weights, n_rows, cols, importance, codes);
}

bool ValidRowTq1_0(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockTq1_0, kQk, ValidScale<BlockTq1_0>>(view, row);
}
bool ValidRowTq2_0(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockTq2_0, kQk, ValidScale<BlockTq2_0>>(view, row);
}

}  // namespace assay
