#pragma once
// One block format rewritten as another without changing a single weight: a GPTQ file's symmetric 4-bit groups are also
// GGUF Q4_0 blocks, MXFP4 is MXFP4 in either container. What cannot be kept exactly is refused, never rounded.

#include "format/format.h"

namespace assay {

/// Whether rows of one may be rows of the other, depending on their values: both integers (of any width, group and
/// zero), or `to` a format whose encoder returns values that it can represent unchanged. Formats whose scales cover
/// other rows, or that choose a scale of the whole matrix, are no targets, but for NVFP4 in another layout, whose scale
/// of the matrix goes along.
bool MayTranscode(const Format& from, const Format& to);

/// Row `row` of `from` as a row of `to`: codes [CodesBytes(to, 1, cols)], scales [ScalesBytes(to, 1, cols)]. False when
/// some weight would not decode to the same float32 (zeros of either sign are the same); the output is then undefined.
/// Both formats must fit the columns.
bool TranscodeRow(const PackedView& from, int64_t row, const Format& to, std::byte* codes, std::byte* scales);

}  // namespace assay
