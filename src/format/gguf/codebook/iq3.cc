#include "format/gguf/codebook/iq3.h"

#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/gguf/codebook/codebook_search.h"
#include "format/gguf/codebook/grid_lanes.h"
#include "number/f16.h"

namespace assay {
namespace {

// --- decoding ---

ASSAY_INLINE void DecodeIq3Xxs(const BlockIq3Xxs& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 8; ++i) {
    uint32_t word;
    std::memcpy(&word, block.scales_signs + 4 * i, sizeof word);
    const float scale = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    for (int k = 0; k < 4; ++k) {
      const uint8_t* entries = block.qs + 8 * i + 2 * k;
      DecodeSigned(scale, GridBytes(kGridIq3Xxs[entries[0]], kGridIq3Xxs[entries[1]]), SignsOfSet(word >> (7 * k)),
                   out + 32 * i + 8 * k);
    }
  }
}

ASSAY_INLINE void DecodeIq3S(const BlockIq3S& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 32; ++i) {
    const float scale = d * static_cast<float>(1 + 2 * (block.scales[i / 8] >> (i % 8 / 4 * 4) & 15));
    const uint32_t high = static_cast<uint32_t>(block.qh[i / 4]) >> (2 * (i % 4));
    const uint32_t first = block.qs[2 * i] | (high & 1) << 8, second = block.qs[2 * i + 1] | (high >> 1 & 1) << 8;
    DecodeSigned(scale, GridBytes(kGridIq3S[first], kGridIq3S[second]), block.signs[i], out + 8 * i);
  }
}

template <typename Block>
bool ValidScale(const Block& block) {
  return FiniteF16(block.d);
}

// --- encoding ---

template <size_t n>
using Book = Codebook<4, static_cast<int>(n)>;

template <size_t n>
Book<n> MakeBook(const std::array<Grid4, n>& grid) {
  Book<n> book;
  for (size_t i = 0; i < n; ++i) book.Set(static_cast<int>(i), grid[i]);
  return book;
}

template <typename B, int top, int lowest>
struct Common {
  using Block = B;
  static constexpr int kDims = 4, kVectors = 8, kOptions = 1, kLevels = 16;
  static constexpr float kTop = top;
  static constexpr std::array kProbeScales{0.66f, 0.74f, 0.82f, 0.89f, 0.96f, 1.03f, 1.10f, kTop / lowest};
  static void PutUnit(Block& block, uint16_t d) { block.d = d; }
};

struct Xxs : Common<BlockIq3Xxs, 62, 4> {
  static constexpr float kUnitDivisor = 4.0f;
  static constexpr Signs kSigns = Signs::kEven;
  static const Book<256>& GetBook() {
    static const Book<256> book = MakeBook(kGridIq3Xxs);
    return book;
  }
  static void Put(Block& block, int i, int entry) { block.qs[i] = static_cast<uint8_t>(entry); }
  static void PutHigh(Block& block, int sub, uint32_t bits) {
    uint32_t word;
    std::memcpy(&word, block.scales_signs + 4 * sub, sizeof word);
    word |= bits;
    std::memcpy(block.scales_signs + 4 * sub, &word, sizeof word);
  }
  static void PutSigns(Block& block, int i, uint8_t signs) {
    PutHigh(block, i / 4, static_cast<uint32_t>(signs & 127) << (7 * (i % 4)));
  }
  static void PutLevel(Block& block, int sub, int level, int) {
    PutHigh(block, sub, static_cast<uint32_t>(level) << 28);
  }
};

struct S : Common<BlockIq3S, 15, 1> {
  static constexpr float kUnitDivisor = 1.0f;
  static constexpr Signs kSigns = Signs::kFree;
  static const Book<512>& GetBook() {
    static const Book<512> book = MakeBook(kGridIq3S);
    return book;
  }
  static void Put(Block& block, int i, int entry) {
    block.qs[i] = static_cast<uint8_t>(entry & 255);
    block.qh[i / 8] = static_cast<uint8_t>(block.qh[i / 8] | entry >> 8 << (i % 8));
  }
  static void PutSigns(Block& block, int i, uint8_t signs) { block.signs[i] = signs; }
  static void PutLevel(Block& block, int sub, int level, int) {
    block.scales[sub / 2] = static_cast<uint8_t>(block.scales[sub / 2] | level << (4 * (sub % 2)));
  }
};

}  // namespace

ASSAY_ENCODE_ROWS(EncodeRowsIq3Xxs, EncodeCodebookRows, Xxs)
ASSAY_ENCODE_ROWS(EncodeRowsIq3S, EncodeCodebookRows, S)

ASSAY_CLONES void DecodeRowIq3Xxs(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq3Xxs, kQk, DecodeIq3Xxs>(view, row, out);
}
ASSAY_CLONES void DecodeRowIq3S(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq3S, kQk, DecodeIq3S>(view, row, out);
}

bool ValidRowIq3Xxs(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq3Xxs, kQk, ValidScale<BlockIq3Xxs>>(view, row);
}
bool ValidRowIq3S(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq3S, kQk, ValidScale<BlockIq3S>>(view, row);
}

}  // namespace assay
