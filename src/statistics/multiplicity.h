#pragma once
// Several tests at once: p-values adjusted so that the chance of any false claim stays at the level.

#include <span>
#include <vector>

namespace assay {

/// Holm's step-down adjustment (1979): reject where the adjusted value is at most alpha. The order of the input is
/// kept.
std::vector<double> HolmAdjust(std::span<const double> p_values);

/// Step-down with the families of Tarone (1990): a hypothesis whose smallest attainable p-value, `least[i]`, lies above
/// an observed one could not be rejected with it, and does not count. In ascending order each p is multiplied by the
/// number of those not yet passed, its own included, that count; running maxima. Reject where the result is at most
/// alpha, whatever alpha is.
std::vector<double> TaroneHolmAdjust(std::span<const double> p_values, std::span<const double> least);

}  // namespace assay
