#pragma once
// The 8-bit dynamic map of bitsandbytes, by which double quantization stores block scales: seven decades of [10^-7, 1],
// each with twice as many values as the one below, between them the means of neighbours of an even division of
// [0.1, 1]; 0 and 1; and, in the signed map, the negatives. Codes are ranks in ascending order.
// Source: bitsandbytes, functional.py (create_dynamic_map), in float32 as torch.linspace computes it (fused
// multiply-add); Dettmers, "8-Bit Approximations for Parallelism in Deep Learning", 2016.

#include <algorithm>
#include <array>
#include <cstdint>

namespace assay {

constexpr std::array<float, 256> MakeDynamic8Map(bool is_signed) {
  constexpr float kDecades[7] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1.0f};
  std::array<float, 256> map{};
  size_t n = 0;
  map[n++] = 0.0f;
  map[n++] = 1.0f;
  for (int decade = 0; decade < 7; ++decade) {
    const int intervals = 1 << (is_signed ? decade : decade + 1);
    const float step = (1.0f - 0.1f) / static_cast<float>(intervals);
    // Exact in double: one rounding, as of a fused multiply-add. The upper half counts from the end.
    const auto boundary = [&](int i) {
      return i < (intervals + 1) / 2 ? static_cast<float>(static_cast<double>(0.1f) + static_cast<double>(step) * i)
                                     : static_cast<float>(1.0 - static_cast<double>(step) * (intervals - i));
    };
    for (int i = 0; i < intervals; ++i) {
      const float value = kDecades[decade] * ((boundary(i) + boundary(i + 1)) / 2.0f);
      map[n++] = value;
      if (is_signed) map[n++] = -value;
    }
  }
  std::sort(map.begin(), map.end());
  return map;
}

inline constexpr std::array<float, 256> kDynamic8Map = MakeDynamic8Map(true);
inline constexpr std::array<float, 256> kUnsignedDynamic8Map = MakeDynamic8Map(false);

/// The nearest code, a value on the float32 mean of two taking the lower; saturates; NaN becomes code 0.
constexpr uint8_t EncodeByMap(const std::array<float, 256>& map, float x) {
  int low = 0, high = 255;  // the code lies in [low, high]
  while (low < high) {
    const int middle = (low + high) / 2;
    if (x > (map[static_cast<size_t>(middle)] + map[static_cast<size_t>(middle) + 1]) / 2.0f) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return static_cast<uint8_t>(low);
}

constexpr float DecodeDynamic8(uint8_t code) {
  return kDynamic8Map[code];
}
constexpr uint8_t EncodeDynamic8(float x) {
  return EncodeByMap(kDynamic8Map, x);
}
constexpr float DecodeUnsignedDynamic8(uint8_t code) {
  return kUnsignedDynamic8Map[code];
}
constexpr uint8_t EncodeUnsignedDynamic8(float x) {
  return EncodeByMap(kUnsignedDynamic8Map, x);
}

}  // namespace assay
