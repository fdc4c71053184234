#include "format/integer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "format/vector/bit_spread.h"
#include "format/vector/scalar_rounding.h"
#include "format/vector/vector_codes.h"
#include "number/bf16.h"

namespace assay {
namespace {

constexpr float kScaleOfZeros = 0x1p-7f;  // the unit in the last place of bfloat16 1.0
constexpr int64_t kGroups = 16;           // groups whose scales are chosen together
constexpr int64_t kPiece = 256;           // codes whose scales lie apart that are unpacked at a time

// (code - zero) * scale of n codes from `begin` of a row, begin and n multiples of 8 unless bits is 8.
template <typename V, int bits>
ASSAY_INLINE void DecodeRun(const std::byte* row, int64_t begin, int64_t n, ScaleAndZero by, float* out) {
  constexpr int lanes = kLanes<V>;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    IntsOf<V> codes;
    if constexpr (bits == 8) {
      codes = LoadSigned<IntsOf<V>>(row + begin + i);
    } else {
      codes = LoadCodes<IntsOf<V>, bits>(row + (begin + i) / 8 * bits);
    }
    const V values = (__builtin_convertvector(codes, V) - by.zero) * by.scale;
    std::memcpy(out + i, &values, sizeof values);
  }
  if constexpr (lanes > 8) return DecodeRun<Float8, bits>(row, begin + i, n - i, by, out + i);
  for (; i < n; ++i) out[i] = (static_cast<float>(static_cast<int8_t>(row[begin + i])) - by.zero) * by.scale;
}

template <typename V, int bits>
ASSAY_INLINE void DecodeBits(const PackedView& view, int64_t row, float* out) {
  const Format& format = *view.format;
  const bool asymmetric = format.asymmetric;
  const int64_t cols = view.cols, group = format.scale_weights > 0 ? format.scale_weights : std::max<int64_t>(cols, 1);
  const std::byte* codes = view.codes + (bits == 8 ? row * cols : row * (cols / 8) * bits);
  const std::byte* scales = view.scales + row * ScalesPerRow(format, cols) * format.scale_bytes;
  ScaleAndZero entry{view.global_scale / view.global_divisor, bits == 8 ? 0.0f : static_cast<float>(1 << (bits - 1))};
  const auto load = [&](int64_t g) __attribute__((always_inline)) {
    std::memcpy(&entry, scales + g * format.scale_bytes, asymmetric ? sizeof entry : sizeof(float));
  };
  if (view.column_group != nullptr && format.by_column_group) {
    float piece[kPiece];
    for (int64_t begin = 0; begin < cols; begin += kPiece) {
      const int64_t n = std::min(kPiece, cols - begin);
      DecodeRun<V, bits>(codes, begin, n, {1.0f, 0.0f}, piece);
      for (int64_t i = 0; i < n; ++i) {
        load(view.column_group[begin + i]);
        out[begin + i] = (piece[i] - entry.zero) * entry.scale;
      }
    }
    return;
  }
  for (int64_t first = 0; first < cols; first += group) {
    if (format.scale_weights != 0) load(first / group);
    DecodeRun<V, bits>(codes, first, std::min(group, cols - first), entry, out + first);
  }
}

template <typename V>
ASSAY_INLINE void ExtendRange(const float* x, int64_t n, V* low, V* high) {
  constexpr int lanes = kLanes<V>;
  // Two of each, or every one would wait for the one before.
  V other_low{}, other_high{};
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    *low = Min(*low, Load<V>(x + i));
    *high = Max(*high, Load<V>(x + i));
    other_low = Min(other_low, Load<V>(x + i + lanes));
    other_high = Max(other_high, Load<V>(x + i + lanes));
  }
  for (; i < n; i += lanes) {
    *low = Min(*low, LoadUpTo<V>(x + i, n - i));
    *high = Max(*high, LoadUpTo<V>(x + i, n - i));
  }
  *low = Min(*low, other_low);
  *high = Max(*high, other_high);
}

ASSAY_INLINE float RoundedScale(float scale) {
  scale = RoundToBf16(scale);
  return scale != 0 ? scale : kScaleOfZeros;
}

// The scale and the zero, as a signed code, of a range that includes 0.
ASSAY_INLINE ScaleAndZero ChooseScale(const IntegerShape& shape, float low, float high) {
  const float steps = static_cast<float>((1 << shape.bits) - 1), lowest = -static_cast<float>(1 << (shape.bits - 1));
  if (!shape.asymmetric) return {RoundedScale(std::max(-low, high) / (steps / 2)), 0.0f};
  const float scale = RoundedScale((high - low) / steps);
  const float zero = std::min(std::max(lowest - low / scale, lowest), -lowest - 1);
  return {scale, (zero + 0x1.8p23f) - 0x1.8p23f};
}

// n codes, a multiple of 8 unless bits is 8.
template <typename V, int bits>
ASSAY_INLINE void EncodeRun(const float* x, int64_t n, ScaleAndZero by, std::byte* codes) {
  constexpr float lowest = -static_cast<float>(1 << (bits - 1));
  constexpr int lanes = kLanes<V>;
  for (int64_t i = 0; i < n; i += lanes) {
    const IntsOf<V> q = RoundClampToInts(LoadUpTo<V>(x + i, n - i) / by.scale + by.zero, lowest, -lowest - 1);
    if constexpr (bits == 8) {
      StoreBytes(q, n - i, codes + i);
    } else if (n - i >= lanes) {
      StorePacked<bits>(q + (1 << (bits - 1)), codes + i / 8 * bits);
    } else if constexpr (lanes > 8) {
      StorePacked<bits>(LowHalf(q) + (1 << (bits - 1)), codes + i / 8 * bits);
    }
  }
}

template <typename V, int bits>
ASSAY_INLINE void EncodeBits(const IntegerShape& shape, const float* weights, int64_t n_rows, int64_t cols, float scale,
                             std::byte* codes, std::byte* scales) {
  const int64_t group = shape.columns > 0 ? shape.columns : std::max<int64_t>(cols, 1);
  const int64_t per_row = (cols + group - 1) / group;
  const int64_t row_bytes = bits == 8 ? cols : cols / 8 * bits;
  const size_t entry_bytes = shape.asymmetric ? sizeof(ScaleAndZero) : sizeof(float);
  const float lowest = -static_cast<float>(1 << (bits - 1));
  for (int64_t row = 0; row < n_rows; row += shape.rows) {
    const int64_t rows = std::min<int64_t>(shape.rows, n_rows - row);
    for (int64_t some = 0; some < per_row; some += kGroups) {
      const int64_t end = std::min(per_row, some + kGroups);
      // The scales of several groups before their codes: nothing waits for the steps that lead to one of them.
      ScaleAndZero by[kGroups];
      for (int64_t g = some; g < end; ++g) {
        by[g - some] = {scale, 0.0f};
        if (shape.columns == 0) continue;
        V low{}, high{};
        for (int64_t r = row; r < row + rows; ++r)
          ExtendRange(weights + r * cols + g * group, std::min(group, cols - g * group), &low, &high);
        by[g - some] = ChooseScale(shape, -LargestLane(-low), LargestLane(high));
      }
      for (int64_t r = row; r < row + rows; ++r) {
        for (int64_t g = some; g < end; ++g) {
          const int64_t first = g * group;
          const ScaleAndZero& of = by[g - some];
          EncodeRun<V, bits>(weights + r * cols + first, std::min(group, cols - first), of,
                             codes + r * row_bytes + (bits == 8 ? first : first / 8 * bits));
          if (shape.columns == 0) continue;
          const ScaleAndZero entry{of.scale, bits == 8 ? of.zero : of.zero - lowest};
          std::memcpy(scales + (r * per_row + g) * static_cast<int64_t>(entry_bytes), &entry, entry_bytes);
        }
      }
    }
  }
}

// Calls body<bits>().
template <typename Body>
ASSAY_INLINE void WithBits(int bits, const Body& body) {
  switch (bits) {
    case 2:
      return body.template operator()<2>();
    case 3:
      return body.template operator()<3>();
    case 4:
      return body.template operator()<4>();
    case 5:
      return body.template operator()<5>();
    case 6:
      return body.template operator()<6>();
    case 7:
      return body.template operator()<7>();
    default:
      return body.template operator()<8>();
  }
}

template <typename V>
ASSAY_INLINE void DecodeRow(const PackedView& view, int64_t row, float* out) {
  WithBits(
      view.format->bits, [&]<int bits>() __attribute__((always_inline)) { DecodeBits<V, bits>(view, row, out); });
}

template <typename V>
ASSAY_INLINE void EncodeRows(const IntegerShape& shape, const float* weights, int64_t n_rows, int64_t cols, float scale,
                             std::byte* codes, std::byte* scales) {
  WithBits(
      shape.bits, [&]<int bits>() __attribute__((always_inline)) {
        EncodeBits<V, bits>(shape, weights, n_rows, cols, scale, codes, scales);
      });
}

}  // namespace

ASSAY_BY_WIDTH(DecodeRowInteger, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow)
ASSAY_BY_WIDTH(EncodeRowsInteger,
               (IntegerShape shape, const float* weights, int64_t n_rows, int64_t cols, float scale, std::byte* codes,
                std::byte* scales),
               (shape, weights, n_rows, cols, scale, codes, scales), EncodeRows)

void ChooseGlobalInteger(int bits, const MatrixStatistics& statistics, float* global_scale, float* global_divisor) {
  *global_scale = RoundedScale(statistics.abs_max / (static_cast<float>((1 << bits) - 1) / 2));
  *global_divisor = 1.0f;
}

bool ValidRowInteger(const PackedView& view, int64_t row) {
  const Format& format = *view.format;
  const int64_t n = ScalesPerRow(format, view.cols);
  if (format.scale_weights == 0) return std::isfinite(view.global_scale / view.global_divisor);
  for (int64_t g = row * n; g < (row + 1) * n; ++g) {
    ScaleAndZero entry{1.0f, 0.0f};
    std::memcpy(&entry, view.scales + g * format.scale_bytes, static_cast<size_t>(format.scale_bytes));
    if (!std::isfinite(entry.scale) || !std::isfinite(entry.zero)) return false;
  }
  if (view.column_group != nullptr) {
    for (int64_t i = 0; i < view.cols; ++i) {
      if (view.column_group[i] < 0 || view.column_group[i] >= n) return false;
    }
  }
  return true;
}

namespace {

// Codes of eight bits are signed, but for those of the cyclic formats.
bool SignedCodes(const Format& format) {
  return format.bits == 8 && format.family == FormatFamily::kInteger;
}

}  // namespace

void FitInteger(const Format& format, const GridInput& in, Grid* grid, SuperGrid*) {
  ScaleAndZero by{in.global_scale / in.global_divisor, 0.0f};
  if (format.group != 0) {
    Float8 low{}, high{};
    for (int64_t r = 0; r < in.rows; ++r) ExtendRange(in.weights + r * in.stride, in.columns, &low, &high);
    const IntegerShape shape{format.bits, format.group, format.block_rows, format.asymmetric};
    by = ChooseScale(shape, -LargestLane(-low), LargestLane(high));
  }
  grid->scale = by.scale;
  grid->shift = by.zero;
  grid->zero = SignedCodes(format) ? by.zero : by.zero + static_cast<float>(1 << (format.bits - 1));
}

Rounded RoundInteger(const Format& format, const Grid& grid, float x) {
  const int half = 1 << (format.bits - 1);
  const int q = RoundClampToInt(x / grid.scale + grid.shift, -half, half - 1);
  const int code = SignedCodes(format) ? q : q + half;
  return {static_cast<uint8_t>(code), (static_cast<float>(code) - grid.zero) * grid.scale};
}

}  // namespace assay
