#include "statistics/power.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

/// Tables less likely than this are left out of an enumeration; thousands of them stay far below the third decimal.
constexpr double kNegligible = 1e-12;

/// Log of k!, k up to n at least. It grows as it is asked and stays: one enumeration follows another.
const std::vector<double>& LogFactorials(int64_t n) {
  thread_local std::vector<double> table = {0.0};
  while (static_cast<int64_t>(table.size()) <= n)
    table.push_back(table.back() + std::log(static_cast<double>(table.size())));
  return table;
}

/// Probabilities of Binomial(n, p) for n up to `most`.
class BinomialTable {
 public:
  BinomialTable(int64_t most, double p)
      : p_(p),
        log_p_(p > 0 && p < 1 ? std::log(p) : 0),
        log_rest_(p > 0 && p < 1 ? std::log1p(-p) : 0),
        log_factorials_(LogFactorials(most)) {}
  double Pmf(int64_t n, int64_t k) const {
    if (p_ <= 0) return k == 0 ? 1.0 : 0.0;
    if (p_ >= 1) return k == n ? 1.0 : 0.0;
    const auto kd = static_cast<double>(k), rest = static_cast<double>(n - k);
    return std::exp(log_factorials_[static_cast<size_t>(n)] - log_factorials_[static_cast<size_t>(k)] -
                    log_factorials_[static_cast<size_t>(n - k)] + kd * log_p_ + rest * log_rest_);
  }
  /// The first k whose probability, times `factor`, is not negligible; k with the most of all when none is. Below the
  /// mode each is larger than the one before by far more than rounding moves it.
  int64_t FirstThatCounts(int64_t n, double factor) const {
    int64_t low = 0, high = static_cast<int64_t>(static_cast<double>(n) * p_);
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (factor * Pmf(n, middle) < kNegligible)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }

 private:
  double p_, log_p_, log_rest_;
  const std::vector<double>& log_factorials_;
};

/// Fewest regressions among `flips` changed outcomes with which the test rejects; flips + 1 when none do. One-sided p
/// falls as regressions grow at a fixed number of flips, so the answer moves by 0 or 1 from one number of flips to the
/// next.
class CriticalRegressions {
 public:
  /// The table of a level grows as it is asked and stays: one enumeration follows another.
  static CriticalRegressions& Of(double alpha, bool mid_p) {
    thread_local std::map<std::pair<double, bool>, CriticalRegressions> tables;
    return tables.try_emplace({alpha, mid_p}, alpha, mid_p).first->second;
  }
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

/// Calls visit(b, c, probability) for every table that is not negligible, b and c rising, until it says that this is
/// enough.
template <typename Visit>
void ForEachTable(int64_t n, const PairedRates& rates, Visit visit) {
  ASSAY_CHECK(n > 0 && rates.regression >= 0 && rates.fix >= 0 && rates.regression + rates.fix <= 1 + 1e-12);
  const double fix_given_no_regression =
      rates.regression >= 1 ? 0.0 : std::min(1.0, rates.fix / (1 - rates.regression));
  const BinomialTable regressions(n, rates.regression), fixes(n, fix_given_no_regression);
  for (int64_t b = regressions.FirstThatCounts(n, 1); b <= n; ++b) {
    const double p_b = regressions.Pmf(n, b);
    if (p_b < kNegligible) {
      if (static_cast<double>(b) > static_cast<double>(n) * rates.regression) break;
      continue;
    }
    const int64_t rest = n - b;
    for (int64_t c = fixes.FirstThatCounts(rest, p_b); c <= rest; ++c) {
      const double p = p_b * fixes.Pmf(rest, c);
      if (p < kNegligible) {
        if (static_cast<double>(c) > static_cast<double>(rest) * fix_given_no_regression) break;
        continue;
      }
      if (!visit(b, c, p)) return;
    }
  }
}

/// The chances, or, once can't tell is more likely than `most_cant_tell`, those summed so far.
RuleChances Chances(int64_t n, const PairedRates& rates, double margin, double alpha, double most_cant_tell) {
  CriticalRegressions& critical = CriticalRegressions::Of(alpha, true);
  const double z = NormalQuantile(1 - alpha);
  RuleChances chances;
  // With as many regressions, more fixes only lower the score: where the rule begins to say holds is looked for once.
  int64_t row = -1, holds_from = 0;
  auto holds = [&](int64_t b, int64_t c) { return TangoScore({n, b, c}, margin) < -z; };
  ForEachTable(n, rates, [&](int64_t b, int64_t c, double p) {
    if (b != row) {
      row = b;
      holds_from = c;
      for (int64_t high = n - b + 1; holds_from < high;) {
        const int64_t middle = holds_from + (high - holds_from) / 2;
        if (holds(b, middle))
          high = middle;
        else
          holds_from = middle + 1;
      }
    }
    const bool rejects = b >= critical(b + c);
    if (rejects) chances.cracks_test += p;
    if (c >= holds_from) {
      chances.holds += p;
    } else if (rejects) {
      chances.cracks += p;
    } else {
      chances.cant_tell += p;
    }
    return chances.cant_tell <= most_cant_tell;
  });
  return chances;
}

}  // namespace

RuleChances ThreeWayChances(int64_t n, const PairedRates& rates, double margin, double alpha) {
  return Chances(n, rates, margin, alpha, 1e300);
}

double McNemarPower(int64_t n, const PairedRates& rates, double alpha, bool mid_p) {
  CriticalRegressions& critical = CriticalRegressions::Of(alpha, mid_p);
  double power = 0;
  ForEachTable(n, rates, [&](int64_t b, int64_t c, double p) {
    if (b >= critical(b + c)) power += p;
    return true;
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
  // Chances only grow as they are summed: well past the bound no more has to be looked at.
  auto settles = [&](int64_t n) { return 1 - Chances(n, rates, margin, alpha, 1 - power + 1e-9).cant_tell >= power; };
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
