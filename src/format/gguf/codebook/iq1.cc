#include "format/gguf/codebook/iq1.h"

#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/gguf/codebook/codebook_search.h"
#include "format/gguf/codebook/grid_lanes.h"
#include "number/f16.h"

namespace assay {
namespace {

constexpr float kShift = 0.125f;

// --- decoding ---

ASSAY_INLINE void DecodeEight(float scale, const Grid8& grid, float shift, float* out) {
  const Int8Lanes values = (SpreadLanes<8>(GridBytes(grid)) ^ 128) - 128;
  const Float8 eight = scale * (__builtin_convertvector(values, Float8) + shift);
  std::memcpy(out, &eight, sizeof eight);
}

ASSAY_INLINE void DecodeIq1S(const BlockIq1S& block, float* out) {
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

ASSAY_INLINE void DecodeIq1M(const BlockIq1M& block, float* out) {
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

// --- encoding ---

constexpr int kEntries = 2048;

// The vectors shifted up, then the same shifted down.
const Codebook<8, 2 * kEntries>& ShiftedBook() {
  static const Codebook<8, 2 * kEntries> book = [] {
    Codebook<8, 2 * kEntries> b;
    for (int i = 0; i < kEntries; ++i) {
      b.Set(i, kGridIq1[static_cast<size_t>(i)], kShift);
      b.Set(kEntries + i, kGridIq1[static_cast<size_t>(i)], -kShift);
    }
    return b;
  }();
  return book;
}

struct Common {
  static constexpr int kDims = 8, kLevels = 8;
  static constexpr float kUnitDivisor = 1.0f;
  static constexpr float kTop = 1.0f + kShift;
  static constexpr std::array kProbeScales{0.35f, 0.45f, 0.55f, 0.65f, 0.75f, 0.9f};
  static constexpr Signs kSigns = Signs::kInCodebook;
  static const auto& GetBook() { return ShiftedBook(); }
};

struct S : Common {
  using Block = BlockIq1S;
  static constexpr int kVectors = 4;
  static constexpr int kOptions = 2;  // the shift's sign belongs to the sub-block
  static void Put(Block& block, int i, int entry) {
    block.qs[i] = static_cast<uint8_t>(entry & 255);
    block.qh[i / 4] = static_cast<uint16_t>(block.qh[i / 4] | (entry >> 8 & 7) << (3 * (i % 4)));
  }
  static void PutLevel(Block& block, int sub, int level, int down) {
    block.qh[sub] = static_cast<uint16_t>(block.qh[sub] | level << 12 | down << 15);
  }
  static void PutUnit(Block& block, uint16_t d) { block.d = d; }
};

struct M : Common {
  using Block = BlockIq1M;
  static constexpr int kVectors = 2;
  static constexpr int kOptions = 1;  // every vector has its own shift
  static void Put(Block& block, int i, int entry) {
    block.qs[i] = static_cast<uint8_t>(entry & 255);
    block.qh[i / 2] = static_cast<uint8_t>(block.qh[i / 2] | entry >> 8 << (4 * (i % 2)));
  }
  static void PutLevel(Block& block, int sub, int level, int) {
    const int bits = level << (3 * (sub % 4));
    uint8_t* word = block.scales + sub / 4 * 2;
    word[0] = static_cast<uint8_t>(word[0] | (bits & 255));
    word[1] = static_cast<uint8_t>(word[1] | bits >> 8);
  }
  static void PutUnit(Block& block, uint16_t d) {
    for (int i = 0; i < 4; ++i) {
      uint8_t& high = block.scales[2 * i + 1];
      high = static_cast<uint8_t>((high & 15) | (d >> (4 * i) & 15) << 4);
    }
  }
};

}  // namespace

ASSAY_ENCODE_ROWS(EncodeRowsIq1S, EncodeCodebookRows, S)
ASSAY_ENCODE_ROWS(EncodeRowsIq1M, EncodeCodebookRows, M)

ASSAY_CLONES void DecodeRowIq1S(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq1S, kQk, DecodeIq1S>(view, row, out);
}
ASSAY_CLONES void DecodeRowIq1M(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq1M, kQk, DecodeIq1M>(view, row, out);
}

bool ValidRowIq1S(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq1S, kQk, ValidIq1S>(view, row);
}
bool ValidRowIq1M(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq1M, kQk, ValidIq1M>(view, row);
}

}  // namespace assay
