#pragma once
// Results are checked as sources are: finite weights that a format has no room for are an error, whether its encoder
// would make them infinite or would clamp a scale.

#include <cstddef>
#include <string>
#include <string_view>

#include "format/format.h"

namespace assay {

/// Whether row `row` of `packed` is what an encoder may write: no code and no scale is infinite or NaN.
inline bool FiniteRow(const PackedView& packed, int64_t row) {
  return packed.format->valid_row == nullptr || packed.format->valid_row(packed, row);
}

/// Rows whose weights stay below this fit every format: a half holds them, and scales are smaller than weights.
inline constexpr float kFitsEverything = 60000.0f;

/// Whether a finite row `weights` [packed.cols] was encoded as row `row` of `packed` without a scale or product that is
/// beyond its type. `largest` is max |weights|, or more. Costs next to nothing below kFitsEverything.
bool HoldsRow(const PackedView& packed, int64_t row, const float* weights, float largest);

/// Throws Error{kUnsupported} for a row that the format does not hold. `place` names file, tensor and row.
[[noreturn]] void FailOverflow(const Format& format, const float* weights, int64_t cols, const std::string& place);

/// float32 scales, the first members of entries of `entry_bytes`, as a container keeps them: "F16", "BF16"; others are
/// left alone.
void RoundScales(std::string_view dtype, int entry_bytes, std::byte* scales, int64_t bytes);

}  // namespace assay
