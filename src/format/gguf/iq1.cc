#include "format/gguf/iq1.h"

#include "format/block_rows.h"
#include "format/gguf/grids.h"
#include "format/gguf_blocks.h"
#include "number/f16.h"

namespace assay {
namespace {

constexpr float kShift = 0.125f;

// --- decoding ---

void DecodeEight(float scale, const Grid8& grid, float shift, float* out) {
  for (int j = 0; j < 8; ++j) out[j] = scale * (static_cast<float>(grid[static_cast<size_t>(j)]) + shift);
}

void DecodeIq1S(const BlockIq1S& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 32; ++i) {
    const uint32_t high = block.qh[i / 4];
    const float scale = d * static_cast<float>(2 * (high >> 12 & 7) + 1);
    const uint32_t entry = block.qs[i] | (high >> (3 * (i % 4)) & 7) << 8;
    DecodeEight(scale, kGridIq1[entry], high & 0x8000 ? -kShift : kShift, out + 8 * i);
  }
}

// Word i of the scales.
uint32_t ScaleWord(const BlockIq1M& block, int i) {
  return block.scales[2 * i] | static_cast<uint32_t>(block.scales[2 * i + 1]) << 8;
}

uint16_t UnitOf(const BlockIq1M& block) {
  uint32_t d = 0;
  for (int i = 0; i < 4; ++i) d |= ScaleWord(block, i) >> 12 << (4 * i);
  return static_cast<uint16_t>(d);
}

void DecodeIq1M(const BlockIq1M& block, float* out) {
  const float d = DecodeF16(UnitOf(block));
  for (int i = 0; i < 32; ++i) {
    const float scale = d * static_cast<float>(2 * (ScaleWord(block, i / 8) >> (3 * (i / 2 % 4)) & 7) + 1);
    const uint32_t high = block.qh[i / 2] >> (4 * (i % 2)) & 15u;
    DecodeEight(scale, kGridIq1[block.qs[i] | (high & 7) << 8], high & 8 ? -kShift : kShift, out + 8 * i);
  }
}

bool ValidIq1S(const BlockIq1S& block) {
  return FiniteF16(block.d);
}
bool ValidIq1M(const BlockIq1M& block) {
  return FiniteF16(UnitOf(block));
}

}  // namespace

void DecodeRowIq1S(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq1S, kQk, DecodeIq1S>(view, row, out);
}
void DecodeRowIq1M(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq1M, kQk, DecodeIq1M>(view, row, out);
}

bool ValidRowIq1S(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq1S, kQk, ValidIq1S>(view, row);
}
bool ValidRowIq1M(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq1M, kQk, ValidIq1M>(view, row);
}

}  // namespace assay
