#pragma once
// The packed blocks of the GGUF formats, byte for byte as they lie in files (little endian).
// Source: the GGUF specification and ggml's documented type layouts (docs/formats/gguf.md has the formulas and the bit
// orders).
//
// Fields named d, dmin, m and s are IEEE half bits: number/f16.h decodes them. A mapped file may place a block
// anywhere, so all are packed: they are read and written where they lie (a copy on the stack, written in other pieces
// than it is read, waits for memory).

#include <cstdint>

namespace assay {

inline constexpr int kQ = 32;    // weights in a block of the legacy formats
inline constexpr int kQk = 256;  // weights in a super-block of the K-quants

#pragma pack(push, 1)

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

/// For activations, though files may hold it: x = d * q, bsums[i] = sum of qs[16 i … 16 i + 15].
struct BlockQ8K {
  float d;
  int8_t qs[kQk];
  int16_t bsums[kQk / 16];
};
static_assert(sizeof(BlockQ8K) == 292);

/// 2.0625 bits per weight. Per 32 weights four words: words 0 and 1 are four bytes, the grid entry (8 weights) of each
/// run of 8; words 2 and 3 a little-endian 32-bit word with four sign sets of 7 bits and a scale in the top four bits.
/// The eighth sign makes the number of minus signs even. x = d * (scale + 1/2) / 4 * sign * grid (gguf/grids.h).
struct BlockIq2Xxs {
  uint16_t d;
  uint16_t qs[kQk / 8];
};
static_assert(sizeof(BlockIq2Xxs) == 66);

/// 2.3125 bits per weight. One word per 8 weights: grid entry in the low 9 bits, sign set above. Nibble i % 2 of
/// scales[i / 2] is the scale of weights 16 i … 16 i + 15; x as in IQ2_XXS.
struct BlockIq2Xs {
  uint16_t d;
  uint16_t qs[kQk / 8];
  uint8_t scales[kQk / 32];
};
static_assert(sizeof(BlockIq2Xs) == 74);

/// 2.5625 bits per weight. Run i of 8 weights: grid entry = qs[i] and bits 2 (i % 4), 2 (i % 4) + 1 of qh[i / 4] above
/// it; a set bit j of signs[i] is a minus before weight j. Scales and x as in IQ2_XS.
struct BlockIq2S {
  uint16_t d;
  uint8_t qs[kQk / 8];
  uint8_t signs[kQk / 8];
  uint8_t qh[kQk / 32];
  uint8_t scales[kQk / 32];
};
static_assert(sizeof(BlockIq2S) == 82);

/// 3.0625 bits per weight. qs: the grid entry of each run of 4 weights; then per 32 weights a 32-bit word as in
/// IQ2_XXS. x = d * (scale + 1/2) / 2 * sign * grid.
struct BlockIq3Xxs {
  uint16_t d;
  uint8_t qs[kQk / 4];
  uint8_t scales_signs[kQk / 8];
};
static_assert(sizeof(BlockIq3Xxs) == 98);

/// 3.4375 bits per weight. Run i of 4 weights: grid entry = qs[i] with bit i % 8 of qh[i / 8] as its ninth bit. Signs
/// as in IQ2_S. Nibble i % 2 of scales[i / 2] belongs to weights 32 i … 32 i + 31; x = d * (2 scale + 1) * sign * grid.
struct BlockIq3S {
  uint16_t d;
  uint8_t qs[kQk / 4];
  uint8_t qh[kQk / 32];
  uint8_t signs[kQk / 8];
  uint8_t scales[kQk / 64];
};
static_assert(sizeof(BlockIq3S) == 110);

/// 1.5625 bits per weight. Run i of 8 weights: grid entry = qs[i] and bits 3 (i % 4) … + 2 of qh[i / 4] above it. Bits
/// 12 to 14 of qh[b] are the scale of 32 weights, bit 15 the sign of their shift. x = d * (2 scale + 1) * (grid ± 1/8).
struct BlockIq1S {
  uint16_t d;
  uint8_t qs[kQk / 8];
  uint16_t qh[kQk / 32];
};
static_assert(sizeof(BlockIq1S) == 50);

/// 1.75 bits per weight. Run i of 8 weights: grid entry = qs[i] and the low 3 bits of nibble i % 2 of qh[i / 2] above
/// it, the nibble's top bit is the sign of the shift. Four little-endian words of scales: bits 3 (i % 4) … + 2 of word
/// i / 4 are the scale of weights 16 i … 16 i + 15; the words' top nibbles, lowest first, are the F16 d. x as in IQ1_S.
struct BlockIq1M {
  uint8_t qs[kQk / 8];
  uint8_t qh[kQk / 16];
  uint8_t scales[kQk / 32];
};
static_assert(sizeof(BlockIq1M) == 56);

/// 4.25 bits per weight. 8 sub-blocks of 32 with 6-bit scales: x = d * (scale - 32) * kIq4Values[q]. Low 4 bits of
/// scale i: nibble i % 2 of scales_l[i / 2]; bits 4 and 5: bits 2i, 2i + 1 of scales_h. Nibbles within 32 weights as in
/// Q4_0.
struct BlockIq4Xs {
  uint16_t d;
  uint16_t scales_h;
  uint8_t scales_l[kQk / 64];
  uint8_t qs[kQk / 2];
};
static_assert(sizeof(BlockIq4Xs) == 136);

/// 1.6875 bits per weight. x = d * (t - 1), t in 0 … 2. A byte of qs holds five t as ceil(256 n / 243), n their number
/// in base 3, first t on top; a byte of qh four. Bytes 0 … 31: t k (k < 5) of byte i is weight 32 k + i; bytes 32 … 47:
/// weight 160 + 16 k + i; byte i of qh: weight 240 + 4 k + i.
struct BlockTq1_0 {
  uint8_t qs[48];
  uint8_t qh[kQk / 64];
  uint16_t d;
};
static_assert(sizeof(BlockTq1_0) == 54);

/// 2.0625 bits per weight. x = d * (q - 1), q in 0 … 2 (3 decodes as 2 d); bits lie as in Q2_K.
struct BlockTq2_0 {
  uint8_t qs[kQk / 4];
  uint16_t d;
};
static_assert(sizeof(BlockTq2_0) == 66);

/// 1.125 bits per weight. x = d where bit j % 8 of qs[j / 8] is set, else -d.
struct BlockQ1_0 {
  uint16_t d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ1_0) == 18);

/// 2.25 bits per weight. x = d * (q - 1), q = bits 2 (j % 4), 2 (j % 4) + 1 of qs[j / 4].
struct BlockQ2_0 {
  uint16_t d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ2_0) == 18);

/// 4.25 bits per weight. x = 2^(e - 127) * E2M1(q), nibbles as in Q4_0.
struct BlockMxfp4 {
  uint8_t e;
  uint8_t qs[kQ / 2];
};
static_assert(sizeof(BlockMxfp4) == 17);

/// 4.5 bits per weight. 4 sub-blocks of 16: x = E4M3(d[i]) * E2M1(q); byte 8 i + j holds weight 16 i + j in its low and
/// weight 16 i + 8 + j in its high half. The sign bit of d is not looked at and NaN reads as 0.
struct BlockNvfp4 {
  uint8_t d[4];
  uint8_t qs[32];
};
static_assert(sizeof(BlockNvfp4) == 36);

#pragma pack(pop)

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
