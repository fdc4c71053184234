#include "format/gguf/iq3.h"

#include "format/block_rows.h"
#include "format/gguf/grids.h"
#include "format/gguf_blocks.h"
#include "number/f16.h"

namespace assay {
namespace {

// --- decoding ---

// x = scale * sign * grid for four weights; set bits of signs are minus.
void DecodeFour(float scale, const Grid4& grid, uint32_t signs, float* out) {
  for (int j = 0; j < 4; ++j) {
    const float x = scale * static_cast<float>(grid[static_cast<size_t>(j)]);
    out[j] = signs >> j & 1 ? -x : x;
  }
}

void DecodeIq3Xxs(const BlockIq3Xxs& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 8; ++i) {
    uint32_t word;
    std::memcpy(&word, block.scales_signs + 4 * i, sizeof word);
    const float scale = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    for (int k = 0; k < 8; ++k) {
      const uint32_t signs = SignsOfSet(word >> (7 * (k / 2)));
      DecodeFour(scale, kGridIq3Xxs[block.qs[8 * i + k]], signs >> (4 * (k % 2)), out + 32 * i + 4 * k);
    }
  }
}

void DecodeIq3S(const BlockIq3S& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 64; ++i) {
    const float scale = d * static_cast<float>(1 + 2 * (block.scales[i / 16] >> (i % 16 / 8 * 4) & 15));
    const uint32_t entry = block.qs[i] | (block.qh[i / 8] >> (i % 8) & 1u) << 8;
    DecodeFour(scale, kGridIq3S[entry], static_cast<uint32_t>(block.signs[i / 2]) >> (4 * (i % 2)), out + 4 * i);
  }
}

template <typename Block>
bool ValidScale(const Block& block) {
  return FiniteF16(block.d);
}

}  // namespace

void DecodeRowIq3Xxs(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq3Xxs, kQk, DecodeIq3Xxs>(view, row, out);
}
void DecodeRowIq3S(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq3S, kQk, DecodeIq3S>(view, row, out);
}

bool ValidRowIq3Xxs(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq3Xxs, kQk, ValidScale<BlockIq3Xxs>>(view, row);
}
bool ValidRowIq3S(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq3S, kQk, ValidScale<BlockIq3S>>(view, row);
}

}  // namespace assay
