#include "format/gguf/iq2.h"

#include "format/block_rows.h"
#include "format/gguf/grids.h"
#include "format/gguf_blocks.h"
#include "number/f16.h"

namespace assay {
namespace {

// --- decoding ---

// x = scale * sign * grid for eight weights; set bits of signs are minus.
void DecodeEight(float scale, const Grid8& grid, uint8_t signs, float* out) {
  for (int j = 0; j < 8; ++j) {
    const float x = scale * static_cast<float>(grid[static_cast<size_t>(j)]);
    out[j] = signs >> j & 1 ? -x : x;
  }
}

float Scale(float d, uint32_t code) {
  return d * (0.5f + static_cast<float>(code)) * 0.25f;
}

void DecodeIq2Xxs(const BlockIq2Xxs& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 8; ++i) {
    const uint16_t* words = block.qs + 4 * i;
    const uint32_t signs = words[2] | static_cast<uint32_t>(words[3]) << 16;
    const float scale = Scale(d, signs >> 28);
    for (int k = 0; k < 4; ++k) {
      const uint32_t entry = words[k / 2] >> (8 * (k % 2)) & 255u;
      DecodeEight(scale, kGridIq2Xxs[entry], SignsOfSet(signs >> (7 * k)), out + 32 * i + 8 * k);
    }
  }
}

void DecodeIq2Xs(const BlockIq2Xs& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 32; ++i) {
    const float scale = Scale(d, block.scales[i / 4] >> (i % 4 / 2 * 4) & 15u);
    const uint32_t word = block.qs[i];
    DecodeEight(scale, kGridIq2Xs[word & 511], SignsOfSet(word >> 9), out + 8 * i);
  }
}

void DecodeIq2S(const BlockIq2S& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 32; ++i) {
    const float scale = Scale(d, block.scales[i / 4] >> (i % 4 / 2 * 4) & 15u);
    const uint32_t entry = block.qs[i] | (block.qh[i / 4] >> (2 * (i % 4)) & 3u) << 8;
    DecodeEight(scale, kGridIq2S[entry], block.signs[i], out + 8 * i);
  }
}

template <typename Block>
bool ValidScale(const Block& block) {
  return FiniteF16(block.d);
}

}  // namespace

void DecodeRowIq2Xxs(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq2Xxs, kQk, DecodeIq2Xxs>(view, row, out);
}
void DecodeRowIq2Xs(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq2Xs, kQk, DecodeIq2Xs>(view, row, out);
}
void DecodeRowIq2S(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq2S, kQk, DecodeIq2S>(view, row, out);
}

bool ValidRowIq2Xxs(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq2Xxs, kQk, ValidScale<BlockIq2Xxs>>(view, row);
}
bool ValidRowIq2Xs(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq2Xs, kQk, ValidScale<BlockIq2Xs>>(view, row);
}
bool ValidRowIq2S(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq2S, kQk, ValidScale<BlockIq2S>>(view, row);
}

}  // namespace assay
