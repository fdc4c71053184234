#pragma once
// Two models answer the same n examples: tests and intervals for the drop in pass rate, (regressions - fixes) / n.
// All rates and margins here are shares (0.10), not points (10).

#include <cstdint>

#include "statistics/interval.h"

namespace assay {

/// A paired pass/fail table.
struct PairedCounts {
  int64_t n = 0;            // examples
  int64_t regressions = 0;  // baseline passes, candidate fails ("b")
  int64_t fixes = 0;        // baseline fails, candidate passes ("c")
  double drop() const { return n ? static_cast<double>(regressions - fixes) / static_cast<double>(n) : 0.0; }
};

/// One-sided McNemar test of "the candidate is worse": P(X >= b), X ~ Binomial(b + c, 1/2).
double McNemarExact(int64_t regressions, int64_t fixes);
/// The same with half the weight on the observed table: P(X > b) + P(X = b) / 2 (Fagerland, Lydersen and Laake 2013).
double McNemarMidP(int64_t regressions, int64_t fixes);

/// The most likely rate of fixes when the drop is held at `drop`.
double RestrictedFixRate(const PairedCounts& counts, double drop);
/// Score statistic of the hypothesis "the true drop is `drop`" (Tango 1998); negative when the table shows less. -1 <
/// drop < 1.
double TangoScore(const PairedCounts& counts, double drop);
/// Inverted score test: the drops that the table does not reject; `confidence` is two-sided.
Interval TangoInterval(const PairedCounts& counts, double confidence);
/// One-sided p-value against "the drop is at least `margin`": below 0.05 exactly when the upper end of the 90% interval
/// is below it.
double NonInferiorityP(const PairedCounts& counts, double margin);

/// Hybrid score interval of the drop (Newcombe 1998, method 10). `both_pass` completes the 2x2 table.
Interval NewcombeInterval(const PairedCounts& counts, int64_t both_pass, double confidence);

/// P(true drop > `drop` | table) with the prior Dirichlet(1/2, 1/2, 1) on (regression, fix, neither); by quadrature,
/// good to 1e-7.
double PosteriorDropAbove(const PairedCounts& counts, double drop);

}  // namespace assay
