#include "statistics/power.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

/// Tables less likely than this are left out of an enumeration; thousands of them stay far below the third decimal.
constexpr double kNegligible = 1e-12;

/// Log of k!, tabulated once per enumeration.
std::vector<double> LogFactorials(int64_t n) {
  std::vector<double> table(static_cast<size_t>(n) + 1, 0.0);
  for (size_t i = 1; i < table.size(); ++i) table[i] = table[i - 1] + std::log(static_cast<double>(i));
  return table;
}

class BinomialTable {
 public:
  explicit BinomialTable(int64_t n) : log_factorials_(LogFactorials(n)) {}
  double Pmf(int64_t n, int64_t k, double p) const {
    if (p <= 0) return k == 0 ? 1.0 : 0.0;
    if (p >= 1) return k == n ? 1.0 : 0.0;
    const auto kd = static_cast<double>(k), rest = static_cast<double>(n - k);
    return std::exp(log_factorials_[static_cast<size_t>(n)] - log_factorials_[static_cast<size_t>(k)] -
                    log_factorials_[static_cast<size_t>(n - k)] + kd * std::log(p) + rest * std::log1p(-p));
  }

 private:
  std::vector<double> log_factorials_;
};

/// Fewest regressions among `flips` changed outcomes with which the test rejects; flips + 1 when none do. One-sided p
/// falls as regressions grow at a fixed number of flips, so the answer moves by 0 or 1 from one number of flips to the
/// next.
class CriticalRegressions {
 public:
  CriticalRegressions(double alpha, bool mid_p) : alpha_(alpha), mid_p_(mid_p) {}
  int64_t operator()(int64_t flips) {
    while (static_cast<int64_t>(table_.size()) <= flips) {
      const auto m = static_cast<int64_t>(table_.size());
      int64_t b = table_.empty() ? 0 : table_.back();
      while (b <= m && P(b, m - b) > alpha_) ++b;
      table_.push_back(b);
    }
    return table_[static_cast<size_t>(flips)];
  }

 private:
  double P(int64_t b, int64_t c) const { return mid_p_ ? McNemarMidP(b, c) : McNemarExact(b, c); }
  double alpha_;
  bool mid_p_;
  std::vector<int64_t> table_;
};

/// Calls visit(b, c, probability) for every table that is not negligible.
template <typename Visit>
void ForEachTable(int64_t n, const PairedRates& rates, Visit visit) {
  ASSAY_CHECK(n > 0 && rates.regression >= 0 && rates.fix >= 0 && rates.regression + rates.fix <= 1 + 1e-12);
  const BinomialTable binomial(n);
  const double fix_given_no_regression =
      rates.regression >= 1 ? 0.0 : std::min(1.0, rates.fix / (1 - rates.regression));
  for (int64_t b = 0; b <= n; ++b) {
    const double p_b = binomial.Pmf(n, b, rates.regression);
    if (p_b < kNegligible) {
      if (static_cast<double>(b) > static_cast<double>(n) * rates.regression) break;
      continue;
    }
    const int64_t rest = n - b;
    for (int64_t c = 0; c <= rest; ++c) {
      const double p = p_b * binomial.Pmf(rest, c, fix_given_no_regression);
      if (p < kNegligible) {
        if (static_cast<double>(c) > static_cast<double>(rest) * fix_given_no_regression) break;
        continue;
      }
      visit(b, c, p);
    }
  }
}

}  // namespace

RuleChances ThreeWayChances(int64_t n, const PairedRates& rates, double margin, double alpha) {
  CriticalRegressions critical(alpha, true);
  const double z = NormalQuantile(1 - alpha);
  RuleChances chances;
  ForEachTable(n, rates, [&](int64_t b, int64_t c, double p) {
    const bool rejects = b >= critical(b + c);
    if (rejects) chances.cracks_test += p;
    if (TangoScore({n, b, c}, margin) < -z) {
      chances.holds += p;
    } else if (rejects) {
      chances.cracks += p;
    } else {
      chances.cant_tell += p;
    }
  });
  return chances;
}

double McNemarPower(int64_t n, const PairedRates& rates, double alpha, bool mid_p) {
  CriticalRegressions critical(alpha, mid_p);
  double power = 0;
  ForEachTable(n, rates, [&](int64_t b, int64_t c, double p) {
    if (b >= critical(b + c)) power += p;
  });
  return power;
}

std::optional<double> MinimumDetectableDrop(int64_t n, double fix, double alpha, double power, bool mid_p) {
  ASSAY_CHECK(fix >= 0 && fix < 1);
  constexpr double kStep = 0.001;
  // drop = regression - fix, and regression + fix <= 1.
  auto low = int64_t{0}, high = static_cast<int64_t>(std::floor((1 - 2 * fix) / kStep));
  auto power_at = [&](int64_t steps) {
    return McNemarPower(n, {static_cast<double>(steps) * kStep + fix, fix}, alpha, mid_p);
  };
  if (high < 1 || power_at(high) < power) return std::nullopt;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (power_at(middle) >= power ? high : low) = middle;
  }
  return static_cast<double>(high) * kStep;
}

PairedRates PlanningRates(const PairedCounts& counts) {
  const double total = static_cast<double>(counts.n) + 2;
  return {(static_cast<double>(counts.regressions) + 0.5) / total, (static_cast<double>(counts.fixes) + 0.5) / total};
}

std::optional<int64_t> ExamplesToSettle(const PairedRates& rates, double margin, int64_t from, double alpha,
                                        double power, int64_t limit) {
  if (from >= limit) return std::nullopt;
  auto settles = [&](int64_t n) { return 1 - ThreeWayChances(n, rates, margin, alpha).cant_tell >= power; };
  // The chance rises with n but for a sawtooth of a few points, so doubling and bisection find it to about ten
  // examples.
  int64_t low = std::max<int64_t>(from / 10, 0) * 10, high = low + 10;
  while (!settles(high)) {
    if (high >= limit) return std::nullopt;
    low = high;
    high = std::min(limit, std::max<int64_t>(high + 10, high * 2 / 10 * 10));
  }
  while (high - low > 10) {
    const int64_t middle = (low + high) / 20 * 10;
    (settles(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace assay
