#pragma once
// The vector functions' rounding of one value, bit for bit.

#include <algorithm>
#include <bit>
#include <cstdint>

namespace assay {

/// RoundClampToInts of one lane: to nearest even, between whole bounds.
constexpr int RoundClampToInt(float a, int low, int high) {
  constexpr float magic = 12582912.0f;  // 1.5 * 2^23: the sum's low bits are the rounded integer
  const auto bits_of = [](float sum) { return std::bit_cast<int32_t>(sum); };  // ordered as the sums are
  const int32_t bits = std::clamp(bits_of(a + magic), bits_of(magic + static_cast<float>(low)),
                                  bits_of(magic + static_cast<float>(high)));
  return bits - bits_of(magic);
}

/// Reciprocal of one lane.
constexpr float ReciprocalOf(float a) {
  return (a < 0 ? -a : a) < 1e-30f ? 0.0f : 1.0f / a;
}

}  // namespace assay
