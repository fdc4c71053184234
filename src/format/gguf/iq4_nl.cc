#include "format/gguf/iq4_nl.h"

#include <algorithm>
#include <cmath>

#include "format/gguf/block_rows.h"
#include "format/gguf/iq4_search.h"
#include "format/vector/scalar_rounding.h"
#include "number/f16.h"

namespace assay {
namespace {

using V = Float8;

ASSAY_INLINE void DecodeIq4Nl(const BlockIq4Nl& block, float* out) {
  const float d = DecodeF16(block.d);
  DecodeIq4(d, block.qs, out);
}

bool ValidScale(const BlockIq4Nl& block) {
  return FiniteF16(block.d);
}

ASSAY_INLINE void EncodeEight(const float* x, const float* w, int n_blocks, BlockIq4Nl* blocks) {
  V xv[kQ], wv[kQ], q[kQ];
  LoadRuns<V, kQ>(x, n_blocks, xv);
  LoadRuns<V, kQ>(w, n_blocks, wv);
  const LinearFit<V> best = SearchIq4(xv, wv);
  V d{};
  for (int lane = 0; lane < n_blocks; ++lane) {
    blocks[lane].d = EncodeF16(std::fmax(std::fmin(best.scale[lane], kF16Max), -kF16Max));
    d[lane] = DecodeF16(blocks[lane].d);
  }
  const V inverse_d = Reciprocal(d);
  for (int i = 0; i < kQ; ++i) q[i] = __builtin_convertvector(NearestIq4Index(xv[i] * inverse_d), Float8);
  uint8_t codes[8 * kQ];
  StoreRuns<V, kQ>(q, codes);
  for (int lane = 0; lane < n_blocks; ++lane) {
    PackIq4(codes + lane * kQ, blocks[lane].qs);
  }
}

ASSAY_CLONES void Fit(const Format&, const GridInput& in, Grid* grid, SuperGrid*) {
  float w[kQ];
  if (in.importance != nullptr) {
    SearchWeights(in.weights, in.importance, in.mean_square, kQ, w);
  } else {
    RunWeights(in.weights, kQ, kQ, 0.5f, in.mean_square, w);
  }
  V xv[kQ], wv[kQ];
  LoadRuns<V, kQ>(in.weights, 1, xv);
  LoadRuns<V, kQ>(w, 1, wv);
  grid->scale_code = EncodeF16(std::fmax(std::fmin(SearchIq4(xv, wv).scale[0], kF16Max), -kF16Max));
  grid->scale = DecodeF16(static_cast<uint16_t>(grid->scale_code));
  grid->factor = ReciprocalOf(grid->scale);
}

void Pack(const uint8_t* codes, const Grid* grid, const SuperGrid*, BlockIq4Nl& block) {
  block.d = static_cast<uint16_t>(grid->scale_code);
  PackIq4(codes, block.qs);
}

}  // namespace

const GridRule kIq4NlGrid{Fit, RoundIq4, PackBlocks<BlockIq4Nl, kQ, 1, Pack>, false, true};

ASSAY_CLONES void DecodeRowIq4Nl(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockIq4Nl, kQ, DecodeIq4Nl>(view, row, out);
}

ASSAY_CLONES void EncodeRowsIq4Nl(const float* weights, int64_t n_rows, int64_t cols, const float* importance, float,
                                  float, std::byte* codes, std::byte*) {
  const int64_t n_blocks = cols / kQ;
  for (int64_t row = 0; row < n_rows; ++row, weights += cols) {
    const float mean_square = MeanSquare(weights, cols);
    for (int64_t i = 0; i < n_blocks; i += 8) {
      const int n = static_cast<int>(std::min<int64_t>(8, n_blocks - i));
      const float* x = weights + i * kQ;
      float w[8 * kQ];
      if (importance != nullptr) {
        SearchWeights(x, importance + i * kQ, mean_square, n * kQ, w);
      } else {
        RunWeights(x, n * kQ, kQ, 0.5f, mean_square, w);
      }
      BlockIq4Nl blocks[8];
      EncodeEight(x, w, n, blocks);
      std::memcpy(codes, blocks, static_cast<size_t>(n) * sizeof(BlockIq4Nl));
      codes += n * static_cast<int>(sizeof(BlockIq4Nl));
    }
  }
}

bool ValidRowIq4Nl(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockIq4Nl, kQ, ValidScale>(view, row);
}

}  // namespace assay
