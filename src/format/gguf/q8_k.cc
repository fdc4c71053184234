#include "format/gguf/q8_k.h"

#include <bit>

#include "format/activations.h"
#include "format/block_rows.h"

namespace assay {
namespace {

void Decode(const BlockQ8K& block, float* out) {
  for (int i = 0; i < kQk; ++i) out[i] = block.d * static_cast<float>(block.qs[i]);
}

bool ValidScale(const BlockQ8K& block) {
  return FiniteF32(std::bit_cast<uint32_t>(block.d));
}

}  // namespace

ASSAY_CLONES void DecodeRowQ8K(const PackedView& view, int64_t row, float* out) {
  DecodeBlockRow<BlockQ8K, kQk, Decode>(view, row, out);
}

void EncodeRowsQ8K(const float* weights, int64_t n_rows, int64_t cols, const float*, float, float, std::byte* codes,
                   std::byte*) {
  for (int64_t i = 0; i < n_rows * cols; i += kQk) {
    BlockQ8K block;
    EncodeRowQ8K(weights + i, kQk, &block);
    std::memcpy(codes + i / kQk * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

bool ValidRowQ8K(const PackedView& view, int64_t row) {
  return ValidBlockRow<BlockQ8K, kQk, ValidScale>(view, row);
}

}  // namespace assay
