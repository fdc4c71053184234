#include "format/nvfp4.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "format/gguf/blocks.h"
#include "format/vector/rounding.h"
#include "format/vector/vector_codes.h"
#include "number/fp4_e2m1.h"
#include "number/fp8_e4m3.h"

namespace assay {
namespace {

constexpr int kNvGroup = 16;

float NvScale(uint8_t code, float global_scale, float global_divisor) {
  return DecodeFp8E4m3(code) * global_scale / global_divisor;
}

template <typename V>
ASSAY_INLINE void DecodeRow(const PackedView& view, int64_t row, float* out) {
  const int64_t n = view.cols / kNvGroup;
  const std::byte* in = view.codes + row * (view.cols / 2);
  const std::byte* scales = view.scales + row * n;
  for (int64_t first = 0; first < n; first += 8) {
    const int64_t count = n - first < 8 ? n - first : 8;
    uint64_t codes = 0;
    std::memcpy(&codes, scales + first, static_cast<size_t>(count));
    const Float8 scale = Fp8E4m3Values(SpreadLanes<8>(codes)) * view.global_scale / view.global_divisor;
    for (int64_t k = 0; k < count; ++k) {
      ASSAY_UNROLL
      for (int i = 0; i < kNvGroup; i += kLanes<V>, in += kLanes<V> / 2, out += kLanes<V>) {
        const V values = Fp4E2m1Values(LoadCodes<IntsOf<V>, 4>(in)) * scale[k];
        std::memcpy(out, &values, sizeof values);
      }
    }
  }
}

template <typename V>
ASSAY_INLINE void EncodeRows(const float* weights, int64_t n_rows, int64_t cols, float global_scale,
                             float global_divisor, std::byte* codes, std::byte* scales) {
  constexpr int eighth = EncodeFp8E4m3(0.125f);
  // The scales of several groups before their codes: nothing waits for the steps that lead to one of them.
  constexpr int64_t kGroups = 64;
  const int64_t n_groups = n_rows * cols / kNvGroup;
  for (int64_t some = 0; some < n_groups; some += kGroups) {
    const int64_t count = n_groups - some < kGroups ? n_groups - some : kGroups;
    const float* x = weights + some * kNvGroup;
    float scale[kGroups];
    EachEightRuns<kNvGroup>(
        x, count, [&](const float* runs, int n, int64_t first) __attribute__((always_inline)) {
          const Float8 wanted = LargestMagnitudeOfRuns<kNvGroup, V>(runs) / kFp4E2m1Max * global_divisor / global_scale;
          Int8Lanes code = Fp8E4m3Codes(wanted);
          code = code == 0 ? Int8Lanes{} + eighth : code;
          StoreBytes(code, n, scales + some + first);
          const Float8 values = Fp8E4m3Values(code) * global_scale / global_divisor;
          std::memcpy(scale + first, &values, sizeof values);
        });
    for (int64_t k = 0; k < count; ++k, x += kNvGroup) {
      std::byte* to = codes + (some + k) * (kNvGroup / 2);
      ASSAY_UNROLL
      for (int i = 0; i < kNvGroup; i += kLanes<V>) PackLowFirst(Fp4E2m1Codes(Load<V>(x + i) / scale[k]), to + i / 2);
    }
  }
}

}  // namespace

ASSAY_BY_WIDTH(DecodeRowNvfp4, (const PackedView& view, int64_t row, float* out), (view, row, out), DecodeRow)
namespace {
ASSAY_BY_WIDTH(EncodeNvfp4,
               (const float* weights, int64_t n_rows, int64_t cols, float global_scale, float global_divisor,
                std::byte* codes, std::byte* scales),
               (weights, n_rows, cols, global_scale, global_divisor, codes, scales), EncodeRows)
}  // namespace

void EncodeRowsNvfp4(const float* weights, int64_t n_rows, int64_t cols, const float*, float global_scale,
                     float global_divisor, std::byte* codes, std::byte* scales) {
  EncodeNvfp4(weights, n_rows, cols, global_scale, global_divisor, codes, scales);
}

bool ValidRowNvfp4(const PackedView& view, int64_t row) {
  const int64_t n = view.cols / kNvGroup;
  for (int64_t g = row * n; g < (row + 1) * n; ++g) {
    if (!std::isfinite(NvScale(static_cast<uint8_t>(view.scales[g]), view.global_scale, view.global_divisor)))
      return false;
  }
  return true;
}

bool IsNvfp4(const Format& format) {
  return format.family == FormatFamily::kNvfp4;
}

bool RepackNvfp4Row(const PackedView& from, int64_t row, const Format& to, std::byte* codes, std::byte* scales) {
  const auto cols = static_cast<size_t>(from.cols), groups = cols / kNvGroup;
  std::vector<uint8_t> q(cols), d(groups);
  const auto* in = reinterpret_cast<const uint8_t*>(from.codes + CodesBytes(*from.format, 1, from.cols) * row);
  // GGUF's byte j of a group holds weights j and j + 8, the other's weights 2j and 2j + 1.
  auto halves = [](const Format& format, size_t j) {
    return format.scale_bytes > 0 ? std::pair(2 * j, 2 * j + 1) : std::pair(j, j + kNvGroup / 2);
  };
  for (size_t g = 0; g < groups; ++g) {
    const bool apart = from.format->scale_bytes > 0;
    const uint8_t* block = apart ? in + 8 * g : in + g / 4 * sizeof(BlockNvfp4);
    d[g] = apart ? static_cast<uint8_t>(from.scales[row * static_cast<int64_t>(groups) + static_cast<int64_t>(g)])
                 : block[g % 4];
    if (!apart) block += 4 + 8 * (g % 4);
    if (d[g] >= 0x7f) return false;
    for (size_t j = 0; j < 8; ++j) {
      const auto [low, high] = halves(*from.format, j);
      q[kNvGroup * g + low] = block[j] & 15;
      q[kNvGroup * g + high] = block[j] >> 4;
    }
  }
  auto* out = reinterpret_cast<uint8_t*>(codes);
  for (size_t g = 0; g < groups; ++g) {
    const bool apart = to.scale_bytes > 0;
    uint8_t* block = apart ? out + 8 * g : out + g / 4 * sizeof(BlockNvfp4);
    (apart ? reinterpret_cast<uint8_t*>(scales)[g] : block[g % 4]) = d[g];
    if (!apart) block += 4 + 8 * (g % 4);
    for (size_t j = 0; j < 8; ++j) {
      const auto [low, high] = halves(to, j);
      block[j] = static_cast<uint8_t>(q[kNvGroup * g + low] | q[kNvGroup * g + high] << 4);
    }
  }
  return true;
}

void ChooseGlobalNvfp4(const MatrixStatistics& statistics, float* global_scale, float* global_divisor) {
  // A product with the reciprocal, as the reference computes it.
  const float divisor =
      1.0f / std::fmax(statistics.abs_max, std::numeric_limits<float>::min()) * (kFp8E4m3Max * kFp4E2m1Max);
  *global_scale = 1.0f;
  *global_divisor = std::isfinite(divisor) ? divisor : 1.0f;
}

void FitNvfp4(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  const float largest = LargestMagnitude<kNvGroup>(in.weights);
  const uint8_t code = EncodeFp8E4m3(largest / kFp4E2m1Max * in.global_divisor / in.global_scale);
  grid->scale_code = code != 0 ? code : EncodeFp8E4m3(0.125f);
  grid->scale = NvScale(static_cast<uint8_t>(grid->scale_code), in.global_scale, in.global_divisor);
}

Rounded RoundNvfp4(const Format&, const Grid& grid, float x) {
  const auto code = static_cast<uint8_t>(Fp4E2m1Codes(FirstLane(x / grid.scale))[0]);
  return {code, DecodeFp4E2m1(code) * grid.scale};
}

}  // namespace assay
