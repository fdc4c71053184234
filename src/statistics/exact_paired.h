#pragma once
// Exact unconditional tests and bounds for the drop of PairedCounts: valid at every n and every rate of flips, because
// the p-value is the largest over the rate that nobody knows.

#include <cstdint>

#include "statistics/interval.h"
#include "statistics/paired.h"

namespace assay {

/// Tables of more examples are judged by the asymptotic tests: beyond the first by NonInferiorityP and TangoInterval,
/// beyond the second by McNemarMidP.
inline constexpr int64_t kMostExact = 600, kMostExactCracks = 20'000;

/// One-sided p-value against "the drop is at least `margin`", -1 < margin < 1: E+M (Lloyd 2008). Tables are ordered by
/// the p-value that Tango's score has at the rate of fixes estimated under the hypothesis; the p-value is the largest
/// probability of the tables ordered no later than the observed one, over that rate.
double ExactHoldsP(const PairedCounts& counts, double margin);

/// One-sided p-value against "the candidate is no worse": the largest probability, over the rate of flips, of a
/// McNemar statistic (b - c) / sqrt(b + c) as large (Suissa and Shuster 1991).
double ExactCracksP(const PairedCounts& counts);

/// The drops that neither of two one-sided tests at `level` rejects; `level` 0.05 gives one-sided 95% bounds.
Interval ExactDropInterval(const PairedCounts& counts, double level);

}  // namespace assay
