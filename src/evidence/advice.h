#pragma once
// The sentence that says what to do.

#include <optional>
#include <span>
#include <string>

#include "evidence/comparison.h"

namespace assay {

/// Index of the candidate to ship: the smallest file whose verdict is holds and none of whose slices cracks. None:
/// nothing to recommend.
std::optional<size_t> Recommended(const CheckRecord& record, std::span<const Comparison> comparisons);
std::string Advice(const CheckRecord& record, std::span<const Comparison> comparisons);

}  // namespace assay
