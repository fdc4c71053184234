#include "format/gguf/codebook/grids.h"

#include <cstddef>

namespace assay {
namespace {

#include "format/gguf/codebook/grids.inc"

template <typename Entry, size_t n, typename Levels>
constexpr std::array<Entry, n> Unpack(const uint16_t (&packed)[n], const Levels& levels) {
  std::array<Entry, n> grid{};
  const size_t width = grid[0].size(), bits = 16 / width;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < width; ++j) grid[i][j] = levels[packed[i] >> (bits * j) & ((1u << bits) - 1)];
  }
  return grid;
}

constexpr int8_t kLevelsIq1[3] = {-1, 0, 1};

}  // namespace

constexpr std::array<Grid8, 2048> kGridIq1 = Unpack<Grid8>(kPackedIq1, kLevelsIq1);
constexpr std::array<Grid8, 256> kGridIq2Xxs = Unpack<Grid8>(kPackedIq2Xxs, kLevelsIq2);
constexpr std::array<Grid8, 512> kGridIq2Xs = Unpack<Grid8>(kPackedIq2Xs, kLevelsIq2);
constexpr std::array<Grid8, 1024> kGridIq2S = Unpack<Grid8>(kPackedIq2S, kLevelsIq2);
constexpr std::array<Grid4, 256> kGridIq3Xxs = Unpack<Grid4>(kPackedIq3Xxs, kLevelsIq3Xxs);
constexpr std::array<Grid4, 512> kGridIq3S = Unpack<Grid4>(kPackedIq3S, kLevelsIq3S);

}  // namespace assay
