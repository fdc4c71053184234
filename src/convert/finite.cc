#include "convert/finite.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "convert/row_sums.h"
#include "number/bf16.h"
#include "number/f16.h"

namespace assay {

namespace {

/// An encoder that had to clamp a scale answers otherwise when the same weights come smaller by a power of two.
bool Clamps(const Format& format, const float* weights, int64_t cols, float largest, const float* decoded) {
  const float unit = std::ldexp(1.0f, -std::ilogb(largest));
  std::vector<float> row(weights, weights + cols);
  for (float& x : row) x *= unit;
  std::vector<std::byte> codes(static_cast<size_t>(CodesBytes(format, 1, cols)));
  std::vector<std::byte> scales(static_cast<size_t>(ScalesBytes(format, 1, cols)));
  format.encode_rows(row.data(), 1, cols, nullptr, 1.0f, 1.0f, codes.data(), scales.data());
  format.decode_row(ViewOf(format, 1, cols, codes.data(), scales.data()), 0, row.data());
  const auto most =
      std::max_element(row.begin(), row.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  return !(std::fabs(decoded[most - row.begin()] * unit - *most) <= 0.05f * std::fabs(*most));
}

}  // namespace

bool HoldsRow(const PackedView& packed, int64_t row, const float* weights, float largest) {
  if (!FiniteRow(packed, row)) return false;
  if (largest < kFitsEverything) return true;
  const Format& format = *packed.format;
  std::vector<float> decoded(static_cast<size_t>(packed.cols));
  format.decode_row(packed, row, decoded.data());
  if (!AllFinite(decoded.data(), packed.cols)) return false;
  // Scales of a whole matrix, of several rows and of flat blocks are floats.
  if (format.choose_global || format.block_rows > 1 || format.flat) return true;
  largest = LargestMagnitude(weights, packed.cols);
  return largest < kFitsEverything || !Clamps(format, weights, packed.cols, largest, decoded.data());
}

void FailOverflow(const Format& format, const float* weights, int64_t cols, const std::string& place) {
  constexpr float kBf16Max = 3.38953139e38f;
  const float largest = LargestMagnitude(weights, cols);
  Fail(ErrorKind::kUnsupported, "{} has weights up to {:.6g}, too large for {}; {} has room for them", place, largest,
       format.name, (largest <= kBf16Max && &format != &Bf16Format() ? Bf16Format() : F32Format()).name);
}

void RoundScales(std::string_view dtype, int entry_bytes, std::byte* scales, int64_t bytes) {
  if (dtype != "F16" && dtype != "BF16") return;
  for (int64_t at = 0; at < bytes; at += entry_bytes) {
    float scale;
    std::memcpy(&scale, scales + at, sizeof scale);
    scale = dtype == "F16" ? DecodeF16(EncodeF16(scale)) : RoundToBf16(scale);
    std::memcpy(scales + at, &scale, sizeof scale);
  }
}

}  // namespace assay
