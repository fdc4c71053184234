#pragma once
// A permutation test for units (examples asked several times, clusters of examples) that lose by whole numbers.

#include <cstdint>
#include <span>

namespace assay {

/// One-sided p-value against "no unit loses more than it gains by chance": the share of all sign patterns of
/// `differences` (lost less gained, per unit) whose sum is at least theirs; exact. Valid where units are independent
/// and each difference is symmetric around 0 when nothing is lost. Errors: Error{kResource} past 2^31 steps.
double SignFlipP(std::span<const int64_t> differences);
/// The smallest value it can take with these magnitudes: all of one sign.
double LeastSignFlipP(std::span<const int64_t> differences);

}  // namespace assay
