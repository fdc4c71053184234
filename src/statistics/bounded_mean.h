#pragma once
// A bound for the mean of a bounded variable that holds at small n and for any distribution.

#include <cstdint>
#include <span>

#include "statistics/interval.h"

namespace assay {

/// Upper confidence bound at one-sided level `level` for the mean of a variable that is never above `most`, from
/// independent values (Gaffke 2005): the 1 - level quantile of the values' and `most`'s mean under random weights,
/// uniform on the simplex. No distribution is known for which it fails, and none is proved not to exist. Not empty.
double GaffkeUpperBound(std::span<const double> values, double most, double level);
/// Both ends, each at `level`, of the mean of a variable between `least` and `most`.
Interval GaffkeInterval(std::span<const double> values, double least, double most, double level);
/// The smallest level at which the upper bound lies below `mean`.
double GaffkeP(std::span<const double> values, double most, double mean);

/// What a source of several examples lost, less what it gained, and how many examples it has.
struct SourceLoss {
  int64_t lost = 0, examples = 0;
};
/// One-sided p-value against "the drop, over all examples, is at least `margin`", where sources and not examples are
/// independent: Gaffke's for the mean of lost - margin · examples being at least 0.
double SourcesHoldP(std::span<const SourceLoss> sources, double margin);
/// The drops that neither of two such tests at `level` rejects.
Interval SourcesDropInterval(std::span<const SourceLoss> sources, double level);

}  // namespace assay
