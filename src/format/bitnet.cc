#include "format/bitnet.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "format/vector/bit_spread.h"
#include "format/vector/scalar_rounding.h"
#include "format/vector/vector_codes.h"

namespace assay {
namespace {

// Eight codes (value + 1).
ASSAY_INLINE Int8Lanes TernaryCodes(const float* x, float factor) {
  return __builtin_convertvector(Clamp(Round(Clamp(Load<Float8>(x) * factor, -2.0f, 2.0f)), -1.0f, 1.0f) + 1.0f,
                                 Int8Lanes);
}

// Bits 2i … of a byte.
int Field(std::byte byte, int i) {
  return static_cast<int>(byte) >> (2 * i) & 3;
}

int64_t PackedRows(int64_t rows) {
  return (rows + 3) / 4;
}

}  // namespace

ASSAY_CLONES void DecodeRowTernary(const PackedView& view, int64_t row, float* out) {
  const float scale = view.global_scale / view.global_divisor;
  const Float8 values{-scale, 0.0f, scale, scale + scale};
  const std::byte* in = view.codes + row * (view.cols / 8) * 2;
  for (int64_t i = 0; i < view.cols; i += 8, in += 2) {
    uint16_t word;
    std::memcpy(&word, in, sizeof word);
    const Float8 eight = Shuffle(values, SpreadLanes<2>(word));
    std::memcpy(out + i, &eight, sizeof eight);
  }
}

void DecodeRowI2s(const PackedView& view, int64_t row, float* out) {
  const float scale = view.global_scale / view.global_divisor;
  const float values[4] = {-scale, 0.0f, scale, scale + scale};
  const std::byte* in = view.codes + row * (view.cols / kI2sBlock) * 32;
  for (int64_t i = 0; i < view.cols; i += kI2sBlock, in += 32) {
    for (int j = 0; j < kI2sBlock; ++j) out[i + j] = values[Field(in[j % 32], 3 - j / 32)];
  }
}

ASSAY_CLONES void EncodeRowsTernary(const float* weights, int64_t n_rows, int64_t cols, const float*,
                                    float global_scale, float global_divisor, std::byte* codes, std::byte*) {
  const float factor = global_divisor / global_scale;
  for (int64_t i = 0; i < n_rows * cols; i += 8, codes += 2) StorePacked<2>(TernaryCodes(weights + i, factor), codes);
}

ASSAY_CLONES void EncodeRowsI2s(const float* weights, int64_t n_rows, int64_t cols, const float*, float global_scale,
                                float global_divisor, std::byte* codes, std::byte*) {
  const float factor = global_divisor / global_scale;
  for (int64_t i = 0; i < n_rows * cols; i += kI2sBlock, weights += kI2sBlock, codes += 32) {
    for (int j = 0; j < 32; j += 8) {
      Int8Lanes bytes{};
      for (int quarter = 0; quarter < 4; ++quarter)
        bytes |= TernaryCodes(weights + 32 * quarter + j, factor) << (6 - 2 * quarter);
      StoreBytes(bytes, 8, codes + j);
    }
  }
}

bool ValidRowTernary(const PackedView& view, int64_t row) {
  if (!std::isfinite(view.global_scale / view.global_divisor)) return false;
  const int64_t n = view.cols / 4;
  int bad = 0;
  for (int64_t i = row * n; i < (row + 1) * n; ++i) {
    const int byte = static_cast<int>(view.codes[i]);
    bad |= byte & byte >> 1 & 0x55;
  }
  return bad == 0;
}

void ChooseGlobalTernary(const MatrixStatistics& statistics, float* global_scale, float* global_divisor) {
  *global_scale = 1.0f;
  *global_divisor = 1.0f / std::max(statistics.abs_mean, 1e-5f);
}

void PackBitnet(const std::byte* codes, int64_t rows, int64_t cols, std::byte* packed) {
  const int64_t packed_rows = PackedRows(rows);
  std::fill_n(packed, packed_rows * cols, std::byte{0});
  for (int64_t row = 0; row < rows; ++row) {
    std::byte* out = packed + row % packed_rows * cols;
    const std::byte* in = codes + row * (cols / 4);
    const int shift = 2 * static_cast<int>(row / packed_rows);
    for (int64_t i = 0; i < cols; i += 8) {
      uint16_t word;
      uint64_t eight;
      std::memcpy(&word, in + i / 4, sizeof word);
      std::memcpy(&eight, out + i, sizeof eight);
      eight |= SpreadBits<2>(word) << shift;
      std::memcpy(out + i, &eight, sizeof eight);
    }
  }
}

void UnpackBitnet(const std::byte* packed, int64_t rows, int64_t cols, int64_t begin, int64_t n, std::byte* codes) {
  const int64_t packed_rows = PackedRows(rows);
  for (int64_t row = begin; row < begin + n; ++row) {
    const std::byte* in = packed + row % packed_rows * cols;
    std::byte* out = codes + (row - begin) * (cols / 4);
    const int shift = 2 * static_cast<int>(row / packed_rows);
    for (int64_t i = 0; i < cols; i += 8) {
      uint64_t eight;
      std::memcpy(&eight, in + i, sizeof eight);
      const auto word = static_cast<uint16_t>(GatherBits<2>(eight >> shift & 0x0303030303030303));
      std::memcpy(out + i / 4, &word, sizeof word);
    }
  }
}

void FitTernary(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  grid->scale = in.global_scale / in.global_divisor;
  grid->factor = in.global_divisor / in.global_scale;
}

Rounded RoundTernary(const Format&, const Grid& grid, float x) {
  const int q = RoundClampToInt(std::clamp(x * grid.factor, -2.0f, 2.0f), -1, 1);
  return {static_cast<uint8_t>(q + 1), q == 0 ? 0.0f : q < 0 ? -grid.scale : grid.scale};
}

void PackI2s(const Format&, const GridCodes& in, std::byte* codes, std::byte*) {
  for (int64_t i = 0; i < in.rows * in.cols; i += kI2sBlock, codes += 32) {
    const uint8_t* q = in.codes + i;
    for (int j = 0; j < 32; ++j)
      codes[j] = static_cast<std::byte>(q[j] << 6 | q[j + 32] << 4 | q[j + 64] << 2 | q[j + 96]);
  }
}

}  // namespace assay
