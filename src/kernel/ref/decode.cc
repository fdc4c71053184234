#include "kernel/ref/decode.h"

#include <algorithm>

#include "base/error.h"

namespace assay {

bool DecodesInPieces(const Format& format) {
  return kDecodeColumns % format.block_weights == 0 &&
         (format.scale_weights <= 0 || kDecodeColumns % format.scale_weights == 0);
}

void DecodeColumns(const PackedView& view, int64_t row, int64_t begin, int64_t n, float* out) {
  const Format& format = *view.format;
  if (begin == 0 && n == view.cols) return format.decode_row(view, row, out);
  PackedView piece = view;
  piece.rows = 1;
  piece.cols = n;
  if (!format.flat) {
    piece.codes += (row * view.cols + begin) / format.block_weights * format.block_bytes;
    if (format.scale_weights > 0) piece.scales += (row * view.cols + begin) / format.scale_weights * format.scale_bytes;
    if (format.scale_weights < 0) piece.scales += row * format.scale_bytes;
    return format.decode_row(piece, 0, out);
  }
  // Blocks run over row ends: start at the border before the piece and drop what belongs to it.
  int64_t unit = std::max(format.block_weights, format.scale_weights);
  int64_t first = row * view.cols + begin, lead = first % unit;
  piece.codes += (first - lead) / format.block_weights * format.block_bytes;
  if (format.scale_weights > 0) piece.scales += (first - lead) / format.scale_weights * format.scale_bytes;
  if (lead == 0) return format.decode_row(piece, 0, out);
  constexpr int64_t kMaxUnit = 4096;
  ASSAY_CHECK(unit <= kMaxUnit && n <= kDecodeColumns);
  float buffer[kMaxUnit + kDecodeColumns];
  piece.cols = lead + n;
  format.decode_row(piece, 0, buffer);
  std::copy_n(buffer + lead, n, out);
}

}  // namespace assay
