#pragma once
// What a paired run of n examples can and cannot find, by exact enumeration of the tables it may give.

#include <cstdint>
#include <optional>

#include "statistics/paired.h"

namespace assay {

/// True rates per example.
struct PairedRates {
  double regression = 0, fix = 0;
};

/// Chances of the three verdicts: holds if the one-sided Tango bound at level alpha is below the margin, else cracks if
/// mid-p <= alpha, else can't tell. `cracks_test` is the chance that mid-p alone rejects, `holds` that Tango alone
/// does.
struct RuleChances {
  double holds = 0, cracks = 0, cant_tell = 0;
  double cracks_test = 0;
};
RuleChances ThreeWayChances(int64_t n, const PairedRates& rates, double margin, double alpha = 0.05);

/// Chance that the mid-p (or exact) McNemar test rejects.
double McNemarPower(int64_t n, const PairedRates& rates, double alpha = 0.05, bool mid_p = true);

/// Smallest true drop that the mid-p test finds with chance `power` when fixes come at rate `fix`, to 0.001; none for n
/// that is too small for any.
std::optional<double> MinimumDetectableDrop(int64_t n, double fix, double alpha = 0.05, double power = 0.8,
                                            bool mid_p = true);

/// Rates to plan with: the posterior mean under Dirichlet(1/2, 1/2, 1), so that an empty cell does not read as "never".
PairedRates PlanningRates(const PairedCounts& counts);

/// About how many examples the three-way rule needs to say holds or cracks with chance `power` when outcomes keep
/// coming at `rates`: a multiple of 10, more than `from`. None when `limit` is not enough.
std::optional<int64_t> ExamplesToSettle(const PairedRates& rates, double margin, int64_t from, double alpha = 0.05,
                                        double power = 0.8, int64_t limit = 20000);

}  // namespace assay
