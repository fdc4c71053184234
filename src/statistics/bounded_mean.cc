#include "statistics/bounded_mean.h"

#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>
#include <map>
#include <numbers>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

using Weighted = std::map<double, double>;  // values and how many there are of each

Weighted Grouped(std::span<const double> values, double most) {
  ASSAY_CHECK(!values.empty());
  Weighted groups;
  for (double value : values) {
    ASSAY_CHECK(value <= most);
    groups[value] += 1;
  }
  groups[most] += 1;
  return groups;
}

/// P(random weighted mean <= x). Weights uniform on the simplex are exponential variables over their sum, and equal
/// values share a gamma variable: the chance that sum (value - x) Gamma(count) is not positive, by inverting its
/// characteristic function (Gil-Pelaez 1951, Imhof 1961).
double ChanceBelow(const Weighted& groups, double x) {
  if (x >= groups.rbegin()->first) return 1;
  if (x <= groups.begin()->first) return 0;
  double variance = 0;
  for (const auto& [value, count] : groups) variance += count * (value - x) * (value - x);
  const double scale = 1 / std::sqrt(variance);
  auto integrand = [&](double u) {
    if (u <= 0 || u >= 1) return 0.0;
    const double t = scale * u / (1 - u);
    double angle = 0, log_size = 0;
    for (const auto& [value, count] : groups) {
      const double at = (value - x) * t;
      angle += count * std::atan(at);
      log_size += count / 2 * std::log1p(at * at);
    }
    return std::sin(angle) * std::exp(-log_size) / (u * (1 - u));  // dt / t = du / (u (1 - u))
  };
  double total = 0;
  for (double from = 0; from < 1; from += 0.125)
    total += boost::math::quadrature::gauss_kronrod<double, 31>::integrate(integrand, from, from + 0.125, 10, 1e-11);
  return std::clamp(0.5 - total / std::numbers::pi, 0.0, 1.0);
}

}  // namespace

double GaffkeUpperBound(std::span<const double> values, double most, double level) {
  ASSAY_CHECK(level > 0 && level < 1);
  const Weighted groups = Grouped(values, most);
  double low = groups.begin()->first, high = most;
  while (high - low > 1e-9 * std::max(1.0, std::abs(most))) {
    const double middle = (low + high) / 2;
    (ChanceBelow(groups, middle) < 1 - level ? low : high) = middle;
  }
  return high;
}

Interval GaffkeInterval(std::span<const double> values, double least, double most, double level) {
  std::vector<double> negated(values.begin(), values.end());
  for (double& value : negated) value = -value;
  return {-GaffkeUpperBound(negated, -least, level), GaffkeUpperBound(values, most, level)};
}

double GaffkeP(std::span<const double> values, double most, double mean) {
  return 1 - ChanceBelow(Grouped(values, most), mean);
}

double SourcesHoldP(std::span<const SourceLoss> sources, double margin) {
  std::vector<double> excess;
  double most = 0;
  for (const SourceLoss& source : sources) {
    const auto examples = static_cast<double>(source.examples);
    excess.push_back(static_cast<double>(source.lost) - margin * examples);
    most = std::max(most, (1 - margin) * examples);
  }
  return GaffkeP(excess, most, 0);
}

Interval SourcesDropInterval(std::span<const SourceLoss> sources, double level) {
  auto upper = [level](std::span<const SourceLoss> of) {
    double low = -1, high = 1;
    while (high - low > 1e-5) {
      const double middle = (low + high) / 2;
      (SourcesHoldP(of, middle) <= level ? high : low) = middle;
    }
    return high;
  };
  std::vector<SourceLoss> gained(sources.begin(), sources.end());
  for (SourceLoss& source : gained) source.lost = -source.lost;
  return {-upper(gained), upper(sources)};
}

}  // namespace assay
