#pragma once
// Decoding pieces of a row, so that kernels need no buffer as long as a row.

#include <cstdint>

#include "format/format.h"

namespace assay {

/// Columns that the kernels over decoded weights take at a time: a multiple of every format's block and scale group.
inline constexpr int64_t kDecodeColumns = 1024;

/// True when pieces of kDecodeColumns begin at block and scale borders.
bool DecodesInPieces(const Format& format);

/// Columns [begin, begin + n) of a row as float32. begin is a multiple of kDecodeColumns, n <= kDecodeColumns.
void DecodeColumns(const PackedView& view, int64_t row, int64_t begin, int64_t n, float* out);

}  // namespace assay
