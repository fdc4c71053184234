#pragma once
// FP4 E2M1: sign, 2 exponent bits (bias 1), 1 mantissa bit: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives. No
// infinity, no NaN. Source: OCP Microscaling Formats (MX) Specification 1.0, section 5.3.3.

#include <bit>
#include <cstdint>

namespace assay {

inline constexpr float kFp4E2m1Max = 6.0f;
inline constexpr float kFp4E2m1Values[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                             -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

constexpr float DecodeFp4E2m1(uint8_t code) {
  return kFp4E2m1Values[code & 15];
}

/// To nearest even, saturating at 6, infinity and NaN too. The sign of zero is kept.
constexpr uint8_t EncodeFp4E2m1(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const float a = std::bit_cast<float>(bits & 0x7fffffffu);
  const int magnitude =
      (a > 0.25f) + (a >= 0.75f) + (a > 1.25f) + (a >= 1.75f) + (a > 2.5f) + (a >= 3.5f) + !(a <= 5.0f);
  return static_cast<uint8_t>((a == a ? magnitude : 7) | static_cast<int>(bits >> 28 & 8u));
}

}  // namespace assay
