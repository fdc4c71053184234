#pragma once
// Rows of packed blocks whose scales lie inside the block: what the GGUF formats share.

#include <cstring>

#include "format/format.h"
#include "format/gguf/blocks.h"
#include "format/grid.h"
#include "format/vector/lanes.h"

namespace assay {

/// A Format::decode_row from a function that decodes one block; blocks may lie at any address.
template <typename Block, int weights, void (*decode)(const Block& block, float* out)>
ASSAY_INLINE void DecodeBlockRow(const PackedView& view, int64_t row, float* out) {
  const int64_t n_blocks = view.cols / weights;
  const std::byte* in = view.codes + row * n_blocks * static_cast<int64_t>(sizeof(Block));
  static_assert(alignof(Block) == 1);
  for (int64_t i = 0; i < n_blocks; ++i, in += sizeof(Block)) {
    if constexpr (weights < kQk) {  // where it lies: a copy, written in other pieces than it is read, waits for memory
      decode(*reinterpret_cast<const Block*>(in), out + i * weights);
    } else {  // from a copy into which `out` cannot point
      Block block;
      std::memcpy(&block, in, sizeof block);
      decode(block, out + i * weights);
    }
  }
}

/// A Format::valid_row from a function that judges one block.
template <typename Block, int weights, bool (*valid)(const Block& block)>
bool ValidBlockRow(const PackedView& view, int64_t row) {
  const int64_t n_blocks = view.cols / weights;
  const std::byte* in = view.codes + row * n_blocks * static_cast<int64_t>(sizeof(Block));
  for (int64_t i = 0; i < n_blocks; ++i, in += sizeof(Block)) {
    if (!valid(*reinterpret_cast<const Block*>(in))) return false;
  }
  return true;
}

/// A GridRule::pack from a function that packs one block of codes, its grids (`grids` of them) and its super-grid.
template <typename Block, int weights, int grids,
          void (*pack)(const uint8_t* codes, const Grid* grid, const SuperGrid* super, Block& block)>
void PackBlocks(const Format&, const GridCodes& in, std::byte* codes, std::byte*) {
  const int64_t n_blocks = in.rows * in.cols / weights;
  for (int64_t i = 0; i < n_blocks; ++i) {
    Block block{};
    pack(in.codes + i * weights, in.grids + i * grids, in.supers == nullptr ? nullptr : in.supers + i, block);
    std::memcpy(codes + i * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

/// Neither infinity nor NaN.
constexpr bool FiniteF16(uint16_t code) {
  return (code & 0x7c00u) != 0x7c00u;
}
constexpr bool FiniteF32(uint32_t code) {
  return (code & 0x7f800000u) != 0x7f800000u;
}

}  // namespace assay
