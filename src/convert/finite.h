#pragma once
// Results are checked as sources are: no row is written whose codes or scales are infinite or NaN, which finite weights
// become in a format that has no room for them.

#include <string>

#include "format/format.h"

namespace assay {

/// Throws Error{kUnsupported} for row `row` of `packed`, which was encoded from the finite `weights` [packed.cols] and
/// is not finite. `place` names file, tensor and row.
[[noreturn]] void FailOverflow(const PackedView& packed, const float* weights, const std::string& place);

/// Whether row `row` is what an encoder may write.
inline bool FiniteRow(const PackedView& packed, int64_t row) {
  return packed.format->valid_row == nullptr || packed.format->valid_row(packed, row);
}

/// float32 scales [bytes / entry_bytes] (first member of each entry) as a container keeps them: "F16", "BF16"; others
/// are left alone.
void RoundScales(std::string_view dtype, int entry_bytes, std::byte* scales, int64_t bytes);

}  // namespace assay
