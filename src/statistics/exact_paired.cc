#include "statistics/exact_paired.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

/// Statistics and p-values that differ by less are ties: tables of equal evidence belong together.
constexpr double kTie = 1e-9;
/// Columns of a table less likely than this are left out of a sum.
constexpr double kNegligible = 1e-17;

/// The largest value of a function on [0, 1] that is smooth but may have several peaks: a grid, then golden sections
/// around its best points.
template <typename Function>
double Largest(const Function& f, int points) {
  std::vector<double> values(static_cast<size_t>(points) + 1);
  for (int i = 0; i <= points; ++i) values[static_cast<size_t>(i)] = f(static_cast<double>(i) / points);
  double most = *std::max_element(values.begin(), values.end());
  const double near = most * 0.98;
  for (int i = 0; i <= points; ++i) {
    const double here = values[static_cast<size_t>(i)];
    const double left = i > 0 ? values[static_cast<size_t>(i - 1)] : -1.0;
    const double right = i < points ? values[static_cast<size_t>(i + 1)] : -1.0;
    if (here < near || here < left || here < right) continue;
    double low = std::max(0.0, static_cast<double>(i - 1) / points);
    double high = std::min(1.0, static_cast<double>(i + 1) / points);
    constexpr double kGolden = 0.6180339887498949;
    double x1 = high - kGolden * (high - low), x2 = low + kGolden * (high - low), f1 = f(x1), f2 = f(x2);
    for (int step = 0; step < 40 && high - low > 1e-9; ++step) {
      if (f1 < f2) {
        low = x1;
        x1 = x2;
        f1 = f2;
        f2 = f(x2 = low + kGolden * (high - low));
      } else {
        high = x2;
        x2 = x1;
        f2 = f1;
        f1 = f(x1 = high - kGolden * (high - low));
      }
    }
    most = std::max({most, f1, f2});
  }
  return most;
}

/// log(k!) for k up to n.
std::vector<double> LogFactorials(int64_t n) {
  std::vector<double> table(static_cast<size_t>(n) + 1);
  for (size_t k = 1; k < table.size(); ++k) table[k] = table[k - 1] + std::log(static_cast<double>(k));
  return table;
}

/// Most regressions, for each number of fixes, of the tables of a region; -1: none.
using Region = std::vector<int64_t>;
/// Below so many examples the order of tables has holes at margins of a few points: they are asked one by one.
constexpr int64_t kFew = 8;

/// The tables of n examples under "the drop is `margin`": regressions come at rate q + margin, fixes at rate q.
class NullTables {
 public:
  NullTables(int64_t n, double margin)
      : n_(n), margin_(margin), least_(std::max(0.0, -margin)), most_((1 - margin) / 2), log_(LogFactorials(n)) {
    scores_.resize(static_cast<size_t>((n + 1) * (n + 1)));
    for (int64_t c = 0; c <= n; ++c)
      for (int64_t b = 0; b + c <= n; ++b) scores_[Place(b, c)] = TangoScore({n, b, c}, margin);
  }

  double Score(int64_t b, int64_t c) const { return scores_[Place(b, c)]; }

  /// Tables whose score is at most that of (b, c): no weaker evidence for a smaller drop.
  Region AsExtreme(int64_t b, int64_t c) const {
    const double score = Score(b, c), limit = score + kTie * std::max(1.0, std::abs(score));
    Region region(static_cast<size_t>(n_) + 1, -1);
    int64_t most = -1;  // more fixes only lower the score
    for (int64_t fixes = 0; fixes <= n_; ++fixes) {
      most = std::min(most, n_ - fixes);
      while (most + 1 + fixes <= n_ && Score(most + 1, fixes) <= limit) ++most;
      region[static_cast<size_t>(fixes)] = most;
    }
    return region;
  }

  /// P(table in region) when fixes come at rate q.
  double Probability(const Region& region, double q) const {
    const double loss = std::clamp(q + margin_, 0.0, 1.0), gain = std::clamp(q, 0.0, 1.0);
    const double loss_if_no_gain = gain < 1 ? std::min(1.0, loss / (1 - gain)) : 0.0;
    const double log_gain = std::log(gain), log_no_gain = std::log1p(-gain);
    const double log_loss = std::log(loss_if_no_gain), log_no_loss = std::log1p(-loss_if_no_gain);
    double total = 0;
    const auto mode = static_cast<int64_t>(static_cast<double>(n_) * gain);
    for (int64_t c = 0; c <= n_; ++c) {
      const int64_t rest = n_ - c, most = std::min(region[static_cast<size_t>(c)], rest);
      const double column = Pmf(n_, c, log_gain, log_no_gain);
      if (column < kNegligible) {
        if (c > mode) break;
        continue;
      }
      if (most < 0) continue;
      total += most == rest ? column : column * LowerTail(rest, most, loss_if_no_gain, log_loss, log_no_loss);
    }
    return std::min(1.0, total);
  }

  /// The p-value that the score of (b, c) has at the rate of fixes estimated under the hypothesis.
  double Estimated(int64_t b, int64_t c) const {
    return Probability(AsExtreme(b, c), RestrictedFixRate({n_, b, c}, margin_));
  }

  double MostProbable(const Region& region) const {
    return MostOver([&](double q) { return Probability(region, q); });
  }

  /// The largest probability of the tables for which `in` is true; for few examples.
  template <typename In>
  double MostProbableOf(const In& in) const {
    std::vector<Region> with, without;  // the region of a table is what lies up to it, without what lies below
    for (int64_t c = 0; c <= n_; ++c)
      for (int64_t b = 0; b + c <= n_; ++b) {
        if (!in(b, c)) continue;
        with.emplace_back(static_cast<size_t>(n_) + 1, -1)[static_cast<size_t>(c)] = b;
        without.emplace_back(static_cast<size_t>(n_) + 1, -1)[static_cast<size_t>(c)] = b - 1;
      }
    return MostOver([&](double q) {
      double total = 0;
      for (size_t i = 0; i < with.size(); ++i) total += Probability(with[i], q) - Probability(without[i], q);
      return total;
    });
  }

 private:
  template <typename Function>
  double MostOver(const Function& f) const {
    // Small rates are where the chances of tables move fastest.
    return Largest([&](double u) { return f(least_ + (most_ - least_) * u * u); }, 160);
  }

  size_t Place(int64_t b, int64_t c) const { return static_cast<size_t>(c * (n_ + 1) + b); }

  double Pmf(int64_t n, int64_t k, double log_p, double log_rest) const {
    const double rest = static_cast<double>(n - k);
    return std::exp(log_[static_cast<size_t>(n)] - log_[static_cast<size_t>(k)] - log_[static_cast<size_t>(n - k)] +
                    (k > 0 ? static_cast<double>(k) * log_p : 0.0) + (rest > 0 ? rest * log_rest : 0.0));
  }

  /// P(X <= k) of X ~ Binomial(n, p), summed from its largest term on.
  double LowerTail(int64_t n, int64_t k, double p, double log_p, double log_rest) const {
    if (p <= 0) return 1;
    if (p >= 1) return k >= n ? 1 : 0;
    const double odds = p / (1 - p);
    const auto mode = static_cast<int64_t>(static_cast<double>(n + 1) * p);
    double total = 0;
    if (k <= mode) {
      double term = Pmf(n, k, log_p, log_rest);
      for (int64_t i = k; i >= 0; --i) {
        total += term;
        if (term < kNegligible * total) break;
        term *= static_cast<double>(i) / (static_cast<double>(n - i + 1) * odds);
      }
      return total;
    }
    double term = Pmf(n, k + 1, log_p, log_rest);
    for (int64_t i = k + 1; i <= n; ++i) {
      total += term;
      if (term < kNegligible) break;
      term *= odds * static_cast<double>(n - i) / static_cast<double>(i + 1);
    }
    return std::max(0.0, 1 - total);
  }

  int64_t n_;
  double margin_, least_, most_;
  std::vector<double> log_, scores_;
};

double EstimatedThenLargest(const PairedCounts& counts, double margin) {
  const NullTables tables(counts.n, margin);
  const double observed = tables.Estimated(counts.regressions, counts.fixes), limit = observed * (1 + kTie);
  if (counts.n < kFew)
    return tables.MostProbableOf([&](int64_t b, int64_t c) { return tables.Estimated(b, c) <= limit; });
  // Tables ordered no later than the observed one. With as many fixes fewer regressions come earlier, and with more
  // fixes at least as many regressions do: the edge is walked, not searched.
  Region region(static_cast<size_t>(counts.n) + 1, -1);
  int64_t most = -1;
  for (int64_t fixes = 0; fixes <= counts.n; ++fixes) {
    most = std::min(most, counts.n - fixes);
    while (most >= 0 && !(tables.Estimated(most, fixes) <= limit)) --most;
    while (most + 1 + fixes <= counts.n && tables.Estimated(most + 1, fixes) <= limit) ++most;
    region[static_cast<size_t>(fixes)] = most;
  }
  return tables.MostProbable(region);
}

/// The upper bound of the drop, to 0.001 points: the least margin from which on the test at `level` rejects.
double UpperBound(const PairedCounts& counts, double level) {
  if (counts.regressions == counts.n) return 1;
  const double start = TangoInterval(counts, 1 - 2 * level).upper;
  auto rejects = [&](double margin) { return ExactHoldsP(counts, margin) <= level; };
  double low = start, high = start;
  const double near = 0.05 / std::sqrt(static_cast<double>(counts.n));
  for (double step = near; low > -1 && rejects(low); step *= 2) low = std::max(-1.0, low - step);
  for (double step = near; high < 1 && !rejects(high); step *= 2) high = std::min(1.0, high + step);
  auto close_in = [&] {
    while (high - low > 1e-5) {
      const double middle = (low + high) / 2;
      (rejects(middle) ? high : low) = middle;
    }
  };
  close_in();
  // Where the order of tables changes with the margin the test may take back what it rejected: with few examples up to
  // a point further on, with many hardly.
  constexpr double kStep = 0.0005;
  const double first = high, reach = std::max(0.005, 0.3 / static_cast<double>(counts.n));
  for (int k = static_cast<int>(reach / kStep); k > 0; --k) {
    const double look = first + k * kStep;
    if (look >= 1 || rejects(look)) continue;
    low = look;
    high = look + kStep;
    close_in();
    break;
  }
  return high;
}

}  // namespace

double ExactHoldsP(const PairedCounts& counts, double margin) {
  ASSAY_CHECK(counts.n > 0);
  if (margin >= 1) return counts.regressions == counts.n ? 1 : 0;
  if (margin <= -1) return 1;
  if (counts.n > kMostExact) return NonInferiorityP(counts, margin);
  return EstimatedThenLargest(counts, margin);
}

double ExactCracksP(const PairedCounts& counts) {
  ASSAY_CHECK(counts.n > 0);
  const int64_t n = counts.n, b = counts.regressions, c = counts.fixes;
  if (b <= c) return 1;
  if (n > kMostExactCracks) return McNemarMidP(b, c);
  const double score = static_cast<double>(b - c) / std::sqrt(static_cast<double>(b + c)), limit = score * (1 - kTie);
  // Of m flips so many regressions are as extreme.
  std::vector<double> tails(static_cast<size_t>(n) + 1);
  for (int64_t m = 1; m <= n; ++m) {
    const auto flips = static_cast<double>(m);
    const auto least = static_cast<int64_t>(std::ceil((flips + limit * std::sqrt(flips)) / 2));
    tails[static_cast<size_t>(m)] = least > m ? 0.0 : BinomialUpperTail(m, least, 0.5);
  }
  const std::vector<double> log = LogFactorials(n);
  return Largest(
      [&](double u) {
        const double rate = u * u;
        if (rate <= 0) return 0.0;
        if (rate >= 1) return tails.back();
        const double log_p = std::log(rate), log_rest = std::log1p(-rate);
        double total = 0;
        for (int64_t m = 1; m <= n; ++m)
          total += tails[static_cast<size_t>(m)] *
                   std::exp(log.back() - log[static_cast<size_t>(m)] - log[static_cast<size_t>(n - m)] +
                            static_cast<double>(m) * log_p + static_cast<double>(n - m) * log_rest);
        return total;
      },
      400);
}

Interval ExactDropInterval(const PairedCounts& counts, double level) {
  ASSAY_CHECK(counts.n > 0 && level > 0 && level < 0.5);
  if (counts.n > kMostExact) return TangoInterval(counts, 1 - 2 * level);
  return {-UpperBound({counts.n, counts.fixes, counts.regressions}, level), UpperBound(counts, level)};
}

}  // namespace assay
