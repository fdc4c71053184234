#pragma once
// The codebooks of GGUF's IQ1, IQ2 and IQ3 formats: vectors of 8 (IQ1, IQ2) or 4 (IQ3) small integers that a file names
// by their index. IQ1's values carry a sign; in the others the sign lies apart.

#include <array>
#include <cstdint>

namespace assay {

using Grid8 = std::array<int8_t, 8>;
using Grid4 = std::array<int8_t, 4>;

extern const std::array<Grid8, 2048> kGridIq1;    // -1, 0, 1
extern const std::array<Grid8, 256> kGridIq2Xxs;  // 8, 25, 43
extern const std::array<Grid8, 512> kGridIq2Xs;
extern const std::array<Grid8, 1024> kGridIq2S;
extern const std::array<Grid4, 256> kGridIq3Xxs;  // 4, 12, 20, 28, 36, 44, 52, 62
extern const std::array<Grid4, 512> kGridIq3S;    // 1, 3 … 15

/// The levels that the values of a grid come from, ascending.
inline constexpr int8_t kLevelsIq2[3] = {8, 25, 43};
inline constexpr int8_t kLevelsIq3Xxs[8] = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr int8_t kLevelsIq3S[8] = {1, 3, 5, 7, 9, 11, 13, 15};

/// Eight sign bits (set: minus) from a set of seven: the eighth makes their number even.
constexpr uint8_t SignsOfSet(uint32_t set) {
  const uint32_t low = set & 127;
  return static_cast<uint8_t>(low | (static_cast<uint32_t>(__builtin_popcount(low)) & 1u) << 7);
}

}  // namespace assay
