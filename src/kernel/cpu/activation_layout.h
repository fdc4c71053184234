#pragma once
// How the integer kernels keep prepared activations: planes, each starting at a multiple of 64 bytes, for one token.

#include <cstdint>

namespace assay {

constexpr int64_t RoundUp64(int64_t n) {
  return (n + 63) / 64 * 64;
}

/// Q8_0 and Q8_1 in one: blocks of 32 codes.
struct Q8Layout {
  int64_t scales, sums, corrections, bytes;  // codes begin at 0
  /// scales: float32 rounded to half. sums: scale * sum of codes, rounded to half (Q8_1). corrections: int32, -8 * sum
  /// of codes.
  static constexpr Q8Layout Of(int64_t cols) {
    int64_t plane = RoundUp64(cols / 32 * 4), codes = RoundUp64(cols);
    return {codes, codes + plane, codes + 2 * plane, codes + 3 * plane};
  }
};

/// Q8_K: blocks of 256 codes.
struct Q8KLayout {
  int64_t scales, sums16, sums32, bytes;  // codes begin at 0
  /// scales: float32. sums16, sums32: int16 sums of 16 and of 32 codes.
  static constexpr Q8KLayout Of(int64_t cols) {
    int64_t scales = cols, sums16 = scales + RoundUp64(cols / 256 * 4), sums32 = sums16 + RoundUp64(cols / 16 * 2);
    return {scales, sums16, sums32, sums32 + RoundUp64(cols / 32 * 2)};
  }
};

/// int8 codes with one scale, for W8A8. The codes stand twice: as int8 and as int16, for processors without VNNI.
struct Int8Layout {
  int64_t wide, scale, correction, bytes;  // int8 codes begin at 0, padded with zeros
  /// scale: float32. correction: int32, -128 * sum of codes.
  static constexpr Int8Layout Of(int64_t cols) {
    int64_t wide = RoundUp64(cols), scale = wide + RoundUp64(cols * 2);
    return {wide, scale, scale + 4, scale + 64};
  }
};

}  // namespace assay
