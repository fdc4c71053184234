#include "format/gguf/q8_k.h"

#include <bit>

#include "format/gguf/block_rows.h"
#include "format/vector/rounding.h"
#include "format/vector/scalar_rounding.h"

namespace assay {
namespace {

void Decode(const BlockQ8K& block, float* out) {
  for (int i = 0; i < kQk; ++i) out[i] = block.d * static_cast<float>(block.qs[i]);
}

// The sums of 16 codes that products with minima need.
void SumCodes(BlockQ8K& block) {
  for (int j = 0; j < kQk / 16; ++j) {
    int sum = 0;
    for (int k = 0; k < 16; ++k) sum += block.qs[16 * j + k];
    block.bsums[j] = static_cast<int16_t>(sum);
  }
}

ASSAY_CLONES void Encode(const float* x, BlockQ8K& block) {
  const float largest = SignedLargest<kQk>(x);
  if (largest == 0) {
    block = {};
    return;
  }
  const float inverse = -127.0f / largest;
  block.d = 1.0f / inverse;
  for (int j = 0; j < kQk; j += 8) {
    const Float8 v = Min(Round(Load<Float8>(x + j) * inverse), Broadcast<Float8>(127.0f));
    for (int lane = 0; lane < 8; ++lane) block.qs[j + lane] = static_cast<int8_t>(static_cast<int>(v[lane]));
  }
  SumCodes(block);
}

void Fit(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  const float largest = SignedLargest<kQk>(in.weights);
  if (largest == 0) return;
  grid->factor = -127.0f / largest;
  grid->scale = 1.0f / grid->factor;
}

Rounded RoundOne(const Format&, const Grid& grid, float x) {
  const int q = RoundClampToInt(x * grid.factor, -128, 127);
  return {static_cast<uint8_t>(q), grid.scale * static_cast<float>(q)};
}

void Pack(const uint8_t* codes, const Grid* grid, const SuperGrid*, BlockQ8K& block) {
  block.d = grid->scale;
  std::memcpy(block.qs, codes, kQk);
  SumCodes(block);
}

bool ValidScale(const BlockQ8K& block) {
  return FiniteF32(std::bit_cast<uint32_t>(block.d));
}

}  // namespace

const GridRule kQ8KGrid{Fit, RoundOne, PackBlocks<BlockQ8K, kQk, 1, Pack>};

ASSAY_CLONES void DecodeRowQ8K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ8K, kQk, Decode>(view, row, out);
}

void EncodeRowsQ8K(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                   std::byte*) {
  for (int64_t i = 0; i < n_rows * cols; i += kQk) {
    BlockQ8K block;
    Encode(weights + i, block);
    std::memcpy(codes + i / kQk * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

bool ValidRowQ8K(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ8K, kQk, ValidScale>(view, row);
}

}  // namespace assay
