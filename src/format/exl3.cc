#include "format/exl3.h"

#include <array>
#include <cstring>
#include <vector>

#include "format/vector/lanes.h"
#include "number/f16.h"

namespace assay {
namespace {

constexpr int64_t kTile = 16, kTiles = kExl3Block / kTile;
constexpr int kMaxWords = 8 * 8;  // of a tile

float SumOfHalves(uint32_t y) {
  const uint32_t z = (y & 0x8fff8fffu) ^ 0x3b603b60u;
  // Exponents differ by three at most, so the float is exact and the half is rounded once.
  const float sum = DecodeF16(static_cast<uint16_t>(z)) + DecodeF16(static_cast<uint16_t>(z >> 16));
  return DecodeF16(EncodeF16(sum));
}

float ValueOf(Exl3Codebook codebook, uint32_t x) {
  if (codebook == Exl3Codebook::k3Inst) return SumOfHalves(x * 89226354u + 64248484u);
  if (codebook == Exl3Codebook::kMcg) return SumOfHalves(x * 0xCBAC1FEDu);
  const uint32_t y = x * 0x83DCD12Du;
  const uint32_t n = (y & 255) + (y >> 8 & 255) + (y >> 16 & 255) + (y >> 24);
  // A multiple of 2^-18 below 4 in size: exact as a float too.
  const float value = (1024.0f + static_cast<float>(n)) * DecodeF16(0x1eee) + DecodeF16(0xc931);
  return DecodeF16(EncodeF16(value));
}

std::array<float, 65536> MakeValues(Exl3Codebook codebook) {
  std::array<float, 65536> values;
  for (uint32_t x = 0; x < values.size(); ++x) values[x] = ValueOf(codebook, x);
  return values;
}

// Where weight i of a tile lies: row * kExl3Block + column.
constexpr std::array<uint16_t, 256> kPlaces = [] {
  std::array<uint16_t, 256> places{};
  for (size_t i = 0; i < places.size(); ++i) {
    const size_t t = i / 8, j = i % 8;
    const size_t row = 2 * (t % 4) + (j & 1) + (j & 2 ? 8 : 0), column = t / 4 + (j & 4 ? 8 : 0);
    places[i] = static_cast<uint16_t>(row * static_cast<size_t>(kExl3Block) + column);
  }
  return places;
}();

// One tile into a block of rows of kExl3Block floats.
void DecodeTile(const std::byte* tile, int bits, const float* values, float* block) {
  const size_t words = static_cast<size_t>(8 * bits);
  // The last word in front, since the stream is circular; one behind for the last window's reach.
  uint32_t stream[kMaxWords + 2];
  std::memcpy(stream + 1, tile, words * sizeof(uint32_t));
  stream[0] = stream[words];
  stream[words + 1] = 0;
  size_t end = 32;
  for (const uint16_t place : kPlaces) {
    end += static_cast<size_t>(bits);
    const size_t begin = end - 16, word = begin / 32;
    const uint64_t window = static_cast<uint64_t>(stream[word]) << 32 | stream[word + 1];
    block[place] = values[window >> (48 - begin % 32) & 0xffff];
  }
}

// [in, out] of the block of 128 x 128 at (block_in, block_out).
void DecodeBlock(const Exl3Matrix& matrix, int64_t block_in, int64_t block_out, float* block) {
  const float* values = Exl3Values(matrix.codebook).data();
  const int64_t tile_bytes = 32 * matrix.bits, tiles_out = matrix.rows / kTile;
  for (int64_t i = 0; i < kTiles; ++i)
    for (int64_t o = 0; o < kTiles; ++o) {
      const int64_t tile = (block_in * kTiles + i) * tiles_out + block_out * kTiles + o;
      DecodeTile(matrix.trellis + tile * tile_bytes, matrix.bits, values, block + i * kTile * kExl3Block + o * kTile);
    }
}

// Sums and differences of the rows of a block of 128 x 128, in the natural order of Sylvester's construction.
ASSAY_CLONES void RotateRows(float* block) {
  for (int64_t half = 1; half < kExl3Block; half *= 2)
    for (int64_t first = 0; first < kExl3Block; first += 2 * half)
      for (int64_t row = first; row < first + half; ++row) {
        float* a = block + row * kExl3Block;
        float* b = a + half * kExl3Block;
        for (int64_t c = 0; c < kExl3Block; c += 8) {
          Float8 x, y;
          std::memcpy(&x, a + c, sizeof x);
          std::memcpy(&y, b + c, sizeof y);
          const Float8 sum = x + y, difference = x - y;
          std::memcpy(a + c, &sum, sizeof sum);
          std::memcpy(b + c, &difference, sizeof difference);
        }
      }
}

void Transpose(const float* from, float* to) {
  constexpr int64_t kStep = 8;
  for (int64_t r0 = 0; r0 < kExl3Block; r0 += kStep)
    for (int64_t c0 = 0; c0 < kExl3Block; c0 += kStep)
      for (int64_t r = r0; r < r0 + kStep; ++r)
        for (int64_t c = c0; c < c0 + kStep; ++c) to[c * kExl3Block + r] = from[r * kExl3Block + c];
}

}  // namespace

std::span<const float, 65536> Exl3Values(Exl3Codebook codebook) {
  static const std::array<float, 65536> k3Inst = MakeValues(Exl3Codebook::k3Inst),
                                        kMcg = MakeValues(Exl3Codebook::kMcg), kMul1 = MakeValues(Exl3Codebook::kMul1);
  return codebook == Exl3Codebook::k3Inst ? k3Inst : codebook == Exl3Codebook::kMcg ? kMcg : kMul1;
}

void DecodeExl3Trellis(const Exl3Matrix& matrix, int64_t block, float* out) {
  std::vector<float> one(static_cast<size_t>(kExl3Block * kExl3Block)), turned(one.size());
  for (int64_t i = 0; i < matrix.cols / kExl3Block; ++i) {
    DecodeBlock(matrix, i, block, one.data());
    Transpose(one.data(), turned.data());
    for (int64_t r = 0; r < kExl3Block; ++r)
      std::memcpy(out + r * matrix.cols + i * kExl3Block, turned.data() + r * kExl3Block, kExl3Block * sizeof(float));
  }
}

void DecodeExl3Rows(const Exl3Matrix& matrix, int64_t block, float* out) {
  std::vector<float> one(static_cast<size_t>(kExl3Block * kExl3Block)), turned(one.size());
  for (int64_t i = 0; i < matrix.cols / kExl3Block; ++i) {
    DecodeBlock(matrix, i, block, one.data());
    RotateRows(one.data());
    Transpose(one.data(), turned.data());
    RotateRows(turned.data());
    for (int64_t r = 0; r < kExl3Block; ++r) {
      const float scale = matrix.out_scales[block * kExl3Block + r];
      const float *from = turned.data() + r * kExl3Block, *in = matrix.in_scales + i * kExl3Block;
      float* to = out + r * matrix.cols + i * kExl3Block;
      for (int64_t c = 0; c < kExl3Block; ++c) to[c] = from[c] * (1.0f / kExl3Block) * in[c] * scale;
    }
  }
}

}  // namespace assay
