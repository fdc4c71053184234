#include "statistics/paired.h"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

void CheckCounts(const PairedCounts& counts) {
  ASSAY_CHECK(counts.n > 0 && counts.regressions >= 0 && counts.fixes >= 0);
  ASSAY_CHECK(counts.regressions + counts.fixes <= counts.n);
}

/// The end of the score interval where TangoScore(drop) = target, by bisection; the score falls as the drop grows.
double SolveTango(const PairedCounts& counts, double target) {
  double low = -1, high = 1;
  for (int i = 0; i < 200 && high - low > 1e-14; ++i) {
    double middle = (low + high) / 2;
    (TangoScore(counts, middle) > target ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

double McNemarExact(int64_t regressions, int64_t fixes) {
  return BinomialUpperTail(regressions + fixes, regressions, 0.5);
}

double McNemarMidP(int64_t regressions, int64_t fixes) {
  const int64_t flips = regressions + fixes;
  return BinomialUpperTail(flips, regressions + 1, 0.5) + BinomialPmf(flips, regressions, 0.5) / 2;
}

double RestrictedFixRate(const PairedCounts& counts, double drop) {
  const auto n = static_cast<double>(counts.n), b = static_cast<double>(counts.regressions),
             c = static_cast<double>(counts.fixes);
  // The larger root of 2n q^2 + linear q + constant. A negative drop is the same problem with the roles exchanged,
  // which keeps the constant's sign and so the root real; q is then the rate of regressions.
  const double d = std::abs(drop), gain = drop < 0 ? c : b, loss = drop < 0 ? b : c;
  const double linear = -gain - loss + (2 * n - gain + loss) * d;
  const double constant = -loss * d * (1 - d);
  const double root = std::sqrt(std::max(0.0, linear * linear - 8 * n * constant));
  // Written so that nothing cancels when linear > 0.
  const double q = linear > 0 ? (root + linear > 0 ? -2 * constant / (root + linear) : 0.0) : (root - linear) / (4 * n);
  return drop < 0 ? q + d : q;
}

double TangoScore(const PairedCounts& counts, double drop) {
  CheckCounts(counts);
  ASSAY_CHECK(drop > -1 && drop < 1);
  const auto n = static_cast<double>(counts.n);
  const double q = RestrictedFixRate(counts, drop), variance = n * (2 * q + drop * (1 - drop));
  const double difference = static_cast<double>(counts.regressions - counts.fixes) - n * drop;
  if (variance <= 0) return difference == 0 ? 0.0 : std::copysign(HUGE_VAL, difference);
  return difference / std::sqrt(variance);
}

Interval TangoInterval(const PairedCounts& counts, double confidence) {
  CheckCounts(counts);
  ASSAY_CHECK(confidence > 0 && confidence < 1);
  const double z = NormalQuantile(0.5 + confidence / 2);
  Interval interval{SolveTango(counts, z), SolveTango(counts, -z)};
  if (counts.regressions == counts.n) interval.upper = 1;
  if (counts.fixes == counts.n) interval.lower = -1;
  return interval;
}

double NonInferiorityP(const PairedCounts& counts, double margin) {
  return NormalCdf(TangoScore(counts, margin));
}

Interval NewcombeInterval(const PairedCounts& counts, int64_t both_pass, double confidence) {
  CheckCounts(counts);
  ASSAY_CHECK(both_pass >= 0 && both_pass + counts.regressions + counts.fixes <= counts.n);
  const auto n = static_cast<double>(counts.n), a = static_cast<double>(both_pass);
  const auto b = static_cast<double>(counts.regressions), c = static_cast<double>(counts.fixes);
  const double d = n - a - b - c;
  const double rate1 = (a + b) / n, rate2 = (a + c) / n;
  const Interval first = Wilson(both_pass + counts.regressions, counts.n, confidence);
  const Interval second = Wilson(both_pass + counts.fixes, counts.n, confidence);
  // Correlation of the two outcomes, continuity-corrected when positive (this is what makes it method 10).
  const double product = (a + b) * (c + d) * (a + c) * (b + d);
  double phi = 0;
  if (product > 0) {
    double determinant = a * d - b * c;
    if (determinant > 0) determinant = std::max(0.0, determinant - n / 2);
    phi = determinant / std::sqrt(product);
  }
  auto half_width = [phi](double x, double y) { return std::sqrt(std::max(0.0, x * x - 2 * phi * x * y + y * y)); };
  const double drop = rate1 - rate2;
  return {drop - half_width(rate1 - first.lower, second.upper - rate2),
          drop + half_width(rate2 - second.lower, first.upper - rate1)};
}

double PosteriorDropAbove(const PairedCounts& counts, double drop) {
  CheckCounts(counts);
  if (drop >= 1) return 0;
  if (drop <= -1) return 1;
  // With s = rate of either flip and r = share of regressions among flips, which the Dirichlet makes independent,
  // the drop is s (2r - 1); so P = E_s[P(r > (1 + drop / s) / 2)].
  const auto b = static_cast<double>(counts.regressions), c = static_cast<double>(counts.fixes);
  const auto same = static_cast<double>(counts.n) - b - c;
  const boost::math::beta_distribution<double> flips(b + c + 1, same + 1), share(b + 0.5, c + 0.5);
  auto integrand = [&](double s) {
    const double cut = (1 + drop / s) / 2;
    const double above = cut >= 1 ? 0.0 : cut <= 0 ? 1.0 : boost::math::cdf(boost::math::complement(share, cut));
    return above * boost::math::pdf(flips, s);
  };
  // Below |drop| every s gives 0 (positive drop) or 1 (negative drop); above it the integrand is smooth except near its
  // ends, so the range is cut into panels by quantiles of s, where the density lives.
  const double start = std::abs(drop);
  double total = drop < 0 ? boost::math::cdf(flips, start) : 0.0;
  double from = start;
  for (double q : {1e-10, 1e-6, 1e-3, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1 - 1e-3, 1 - 1e-6, 1 - 1e-10, 1.0}) {
    const double to = q >= 1 ? 1.0 : boost::math::quantile(flips, q);
    if (to <= from) continue;
    // Substituting s = from + width t^2 removes the square-root behaviour at the lower end.
    const double width = to - from, base = from;
    auto panel = [&](double t) { return 2 * t * width * integrand(base + width * t * t); };
    total += boost::math::quadrature::gauss_kronrod<double, 31>::integrate(panel, 0.0, 1.0, 8, 1e-10);
    from = to;
  }
  return std::clamp(total, 0.0, 1.0);
}

}  // namespace assay
