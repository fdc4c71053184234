#include "format/gguf/codebook/iq2.h"

#include "format/gguf/block_rows.h"
#include "format/gguf/blocks.h"
#include "format/gguf/codebook/codebook_search.h"
#include "format/gguf/codebook/grid_lanes.h"
#include "number/f16.h"

namespace assay {
namespace {

// --- decoding ---

ASSAY_INLINE float Scale(float d, uint32_t code) {
  return d * (0.5f + static_cast<float>(code)) * 0.25f;
}

ASSAY_INLINE void DecodeIq2Xxs(const BlockIq2Xxs& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 8; ++i) {
    const uint16_t* words = block.qs + 4 * i;
    const uint32_t signs = words[2] | static_cast<uint32_t>(words[3]) << 16;
    const float scale = Scale(d, signs >> 28);
    for (int k = 0; k < 4; ++k) {
      const uint32_t entry = words[k / 2] >> (8 * (k % 2)) & 255u;
      DecodeSigned(scale, GridBytes(kGridIq2Xxs[entry]), SignsOfSet(signs >> (7 * k)), out + 32 * i + 8 * k);
    }
  }
}

ASSAY_INLINE void DecodeIq2Xs(const BlockIq2Xs& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 32; ++i) {
    const float scale = Scale(d, block.scales[i / 4] >> (i % 4 / 2 * 4) & 15u);
    const uint32_t word = block.qs[i];
    DecodeSigned(scale, GridBytes(kGridIq2Xs[word & 511]), SignsOfSet(word >> 9), out + 8 * i);
  }
}

ASSAY_INLINE void DecodeIq2S(const BlockIq2S& block, float* out) {
  const float d = DecodeF16(block.d);
  for (int i = 0; i < 32; ++i) {
    const float scale = Scale(d, block.scales[i / 4] >> (i % 4 / 2 * 4) & 15u);
    const uint32_t entry = block.qs[i] | (block.qh[i / 4] >> (2 * (i % 4)) & 3u) << 8;
    DecodeSigned(scale, GridBytes(kGridIq2S[entry]), block.signs[i], out + 8 * i);
  }
}

template <typename Block>
bool ValidScale(const Block& block) {
  return FiniteF16(block.d);
}

// --- encoding ---

template <size_t n>
using Book = Codebook<8, static_cast<int>(n)>;

template <size_t n>
Book<n> MakeBook(const std::array<Grid8, n>& grid) {
  Book<n> book;
  for (size_t i = 0; i < n; ++i) book.Set(static_cast<int>(i), grid[i]);
  return book;
}

struct Common {
  static constexpr int kDims = 8, kOptions = 1, kLevels = 16;
  static constexpr float kUnitDivisor = 8.0f;
  static constexpr float kTop = 43.0f;
  static constexpr std::array kProbeScales{0.4f, 0.52f, 0.64f, 0.75f, 0.85f, 0.95f, 1.05f, kTop / kLevelsIq2[0]};
};

struct Xxs : Common {
  using Block = BlockIq2Xxs;
  static constexpr int kVectors = 4;
  static constexpr Signs kSigns = Signs::kEven;
  static const Book<256>& GetBook() {
    static const Book<256> book = MakeBook(kGridIq2Xxs);
    return book;
  }
  static void Put(Block& block, int i, int entry) {
    uint16_t& word = block.qs[i / 4 * 4 + i % 4 / 2];
    word = static_cast<uint16_t>(word | entry << (8 * (i % 2)));
  }
  static void PutHigh(Block& block, int sub, uint32_t bits) {
    uint16_t* words = block.qs + 4 * sub + 2;
    words[0] = static_cast<uint16_t>(words[0] | (bits & 0xffffu));
    words[1] = static_cast<uint16_t>(words[1] | bits >> 16);
  }
  static void PutSigns(Block& block, int i, uint8_t signs) {
    PutHigh(block, i / 4, static_cast<uint32_t>(signs & 127) << (7 * (i % 4)));
  }
  static void PutLevel(Block& block, int sub, int level, int) {
    PutHigh(block, sub, static_cast<uint32_t>(level) << 28);
  }
  static void PutUnit(Block& block, uint16_t d) { block.d = d; }
};

// Scales in nibbles.
template <typename B>
struct CommonXsS : Common {
  using Block = B;
  static constexpr int kVectors = 2;
  static void PutLevel(Block& block, int sub, int level, int) {
    block.scales[sub / 2] = static_cast<uint8_t>(block.scales[sub / 2] | level << (4 * (sub % 2)));
  }
  static void PutUnit(Block& block, uint16_t d) { block.d = d; }
};

struct Xs : CommonXsS<BlockIq2Xs> {
  static constexpr Signs kSigns = Signs::kEven;
  static const Book<512>& GetBook() {
    static const Book<512> book = MakeBook(kGridIq2Xs);
    return book;
  }
  static void Put(Block& block, int i, int entry) { block.qs[i] = static_cast<uint16_t>(block.qs[i] | entry); }
  static void PutSigns(Block& block, int i, uint8_t signs) {
    block.qs[i] = static_cast<uint16_t>(block.qs[i] | (signs & 127) << 9);
  }
};

struct S : CommonXsS<BlockIq2S> {
  static constexpr Signs kSigns = Signs::kFree;
  static const Book<1024>& GetBook() {
    static const Book<1024> book = MakeBook(kGridIq2S);
    return book;
  }
  static void Put(Block& block, int i, int entry) {
    block.qs[i] = static_cast<uint8_t>(entry & 255);
    block.qh[i / 4] = static_cast<uint8_t>(block.qh[i / 4] | entry >> 8 << (2 * (i % 4)));
  }
  static void PutSigns(Block& block, int i, uint8_t signs) { block.signs[i] = signs; }
};

}  // namespace

ASSAY_ENCODE_ROWS(EncodeRowsIq2Xxs, EncodeCodebookRows, Xxs)
ASSAY_ENCODE_ROWS(EncodeRowsIq2Xs, EncodeCodebookRows, Xs)
ASSAY_ENCODE_ROWS(EncodeRowsIq2S, EncodeCodebookRows, S)

ASSAY_CLONES void DecodeRowIq2Xxs(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq2Xxs, kQk, DecodeIq2Xxs>(view, row, out);
}
ASSAY_CLONES void DecodeRowIq2Xs(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq2Xs, kQk, DecodeIq2Xs>(view, row, out);
}
ASSAY_CLONES void DecodeRowIq2S(const PackedView& view, int64_t row, float* out) {
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
