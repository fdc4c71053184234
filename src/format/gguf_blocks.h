#pragma once
// The packed blocks of the GGUF formats, byte for byte as they lie in files (little endian).
// Source: the GGUF specification and ggml's documented type layouts (docs/formats/gguf.md has the formulas and the bit
// orders).
//
// Fields named d, dmin, m and s are IEEE half bits: number/f16.h decodes them. No block is aligned beyond 2 bytes
// (BlockQ8K: 4), and a mapped file may place it anywhere: copy the block out or go through bytes where alignment is not
// known.

#include <cstdint>

namespace assay {

inline constexpr int kQ = 32;    // weights in a block of the legacy formats
inline constexpr int kQk = 256;  // weights in a super-block of the K-quants

/// 4.5 bits per weight. x = d * (q - 8). Weight j is the low nibble of qs[j], weight j + 16 the high one.
struct BlockQ4_0 {
  uint16_t d;
  uint8_t qs[kQ / 2];
};
static_assert(sizeof(BlockQ4_0) == 18);

/// 5 bits per weight. x = d * q + m. Nibbles as in Q4_0.
struct BlockQ4_1 {
  uint16_t d;
  uint16_t m;
  uint8_t qs[kQ / 2];
};
static_assert(sizeof(BlockQ4_1) == 20);

/// 5.5 bits per weight. x = d * (q - 16). Low nibbles as in Q4_0; bit j of the 32-bit little-endian word qh is bit 4 of
/// weight j.
struct BlockQ5_0 {
  uint16_t d;
  uint8_t qh[4];
  uint8_t qs[kQ / 2];
};
static_assert(sizeof(BlockQ5_0) == 22);

/// 6 bits per weight. x = d * q + m. Bits as in Q5_0.
struct BlockQ5_1 {
  uint16_t d;
  uint16_t m;
  uint8_t qh[4];
  uint8_t qs[kQ / 2];
};
static_assert(sizeof(BlockQ5_1) == 24);

/// 8.5 bits per weight. x = d * q.
struct BlockQ8_0 {
  uint16_t d;
  int8_t qs[kQ];
};
static_assert(sizeof(BlockQ8_0) == 34);

/// Activations only. x = d * q; s = d * sum(q), so that a format with a minimum needs one product for it.
struct BlockQ8_1 {
  uint16_t d;
  uint16_t s;
  int8_t qs[kQ];
};
static_assert(sizeof(BlockQ8_1) == 36);

/// 4.5 bits per weight. x = d * kIq4Values[q] (iq4_nl.h), nibbles as in Q4_0.
struct BlockIq4Nl {
  uint16_t d;
  uint8_t qs[kQ / 2];
};
static_assert(sizeof(BlockIq4Nl) == 18);

/// 2.625 bits per weight. 16 sub-blocks of 16: scale = low nibble of scales[i], min = high nibble; x = d * scale * q -
/// dmin * min. Weight 128 h + 32 s + l (h < 2, s < 4, l < 32) is bits 2s, 2s+1 of qs[32 h + l].
struct BlockQ2K {
  uint8_t scales[kQk / 16];
  uint8_t qs[kQk / 4];
  uint16_t d;
  uint16_t dmin;
};
static_assert(sizeof(BlockQ2K) == 84);

/// 3.4375 bits per weight. 16 sub-blocks of 16 with 6-bit scales: x = d * (scale - 32) * q, q in -4 … 3.
/// The low two bits lie as in Q2_K; weight 32 g + l (g < 8) has bit 2 in bit g of hmask[l]; the stored 3 bits are q
/// + 4. Scale i: low 4 bits are nibble i / 8 of scales[i % 8]; bits 4 and 5 are bits 2 (i / 4), 2 (i / 4) + 1 of
/// scales[8 + i % 4].
struct BlockQ3K {
  uint8_t hmask[kQk / 8];
  uint8_t qs[kQk / 4];
  uint8_t scales[12];
  uint16_t d;
};
static_assert(sizeof(BlockQ3K) == 110);

/// 4.5 bits per weight. 8 sub-blocks of 32 with a 6-bit scale and a 6-bit min each: x = d * scale * q - dmin * min.
/// Weight 64 c + l (c < 4, l < 32) is the low nibble of qs[32 c + l], weight 64 c + 32 + l the high one.
/// scales: for i < 4 scale i is the low 6 bits of byte i and min i those of byte 4 + i; for i >= 4 the low 4 bits of
/// scale i and of min i are the low and the high nibble of byte 4 + i, their bits 4 and 5 are bits 6 and 7 of byte i -
/// 4 and of byte i.
struct BlockQ4K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qs[kQk / 2];
};
static_assert(sizeof(BlockQ4K) == 144);

/// 5.5 bits per weight. Q4_K with a fifth bit: bit i of qh[l] belongs to weight 32 i + l.
struct BlockQ5K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qh[kQk / 8];
  uint8_t qs[kQk / 2];
};
static_assert(sizeof(BlockQ5K) == 176);

/// 6.5625 bits per weight. 16 sub-blocks of 16 with int8 scales: x = d * scale * (q - 32).
/// Weight 128 h + 32 s + l: low 4 bits in nibble s / 2 of ql[64 h + 32 (s % 2) + l], bits 4 and 5 in bits 2s, 2s+1 of
/// qh[32 h + l].
struct BlockQ6K {
  uint8_t ql[kQk / 2];
  uint8_t qh[kQk / 4];
  int8_t scales[kQk / 16];
  uint16_t d;
};
static_assert(sizeof(BlockQ6K) == 210);

/// Activations only: x = d * q, bsums[i] = sum of qs[16 i … 16 i + 15].
struct BlockQ8K {
  float d;
  int8_t qs[kQk];
  int16_t bsums[kQk / 16];
};
static_assert(sizeof(BlockQ8K) == 292);

/// Scale and min of sub-block i (0 … 7) of a Q4_K or Q5_K block.
constexpr void ScaleMinK4(int i, const uint8_t* scales, uint8_t* scale, uint8_t* min) {
  if (i < 4) {
    *scale = scales[i] & 63;
    *min = scales[i + 4] & 63;
  } else {
    *scale = static_cast<uint8_t>((scales[i + 4] & 15) | ((scales[i - 4] >> 6) << 4));
    *min = static_cast<uint8_t>((scales[i + 4] >> 4) | ((scales[i] >> 6) << 4));
  }
}

/// The stored 6 bits of scale i (0 … 15) of a Q3_K block; the scale is this less 32.
constexpr int ScaleQ3K(int i, const uint8_t* scales) {
  const int low = (scales[i % 8] >> (4 * (i / 8))) & 15;
  const int high = (scales[8 + i % 4] >> (2 * (i / 4))) & 3;
  return low | (high << 4);
}

}  // namespace assay
