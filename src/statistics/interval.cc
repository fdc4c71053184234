#include "statistics/interval.h"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>

#include "base/error.h"

namespace assay {

double NormalQuantile(double p) {
  ASSAY_CHECK(p > 0 && p < 1);
  return boost::math::quantile(boost::math::normal_distribution<double>(), p);
}

double NormalCdf(double z) {
  return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

double BinomialPmf(int64_t n, int64_t k, double p) {
  ASSAY_CHECK(n >= 0 && p >= 0 && p <= 1);
  if (k < 0 || k > n) return 0;
  return boost::math::pdf(boost::math::binomial_distribution<double>(static_cast<double>(n), p),
                          static_cast<double>(k));
}

double BinomialLowerTail(int64_t n, int64_t k, double p) {
  ASSAY_CHECK(n >= 0 && p >= 0 && p <= 1);
  if (k < 0) return 0;
  if (k >= n) return 1;
  return boost::math::cdf(boost::math::binomial_distribution<double>(static_cast<double>(n), p),
                          static_cast<double>(k));
}

double BinomialUpperTail(int64_t n, int64_t k, double p) {
  ASSAY_CHECK(n >= 0 && p >= 0 && p <= 1);
  if (k <= 0) return 1;
  if (k > n) return 0;
  boost::math::binomial_distribution<double> distribution(static_cast<double>(n), p);
  return boost::math::cdf(boost::math::complement(distribution, static_cast<double>(k - 1)));
}

Interval ClopperPearson(int64_t k, int64_t n, double confidence) {
  ASSAY_CHECK(k >= 0 && k <= n && confidence > 0 && confidence < 1);
  if (n == 0) return {0, 1};
  const double tail = (1 - confidence) / 2;
  const auto passes = static_cast<double>(k), fails = static_cast<double>(n - k);
  Interval interval{0, 1};
  if (k > 0) interval.lower = boost::math::quantile(boost::math::beta_distribution<double>(passes, fails + 1), tail);
  if (k < n) {
    boost::math::beta_distribution<double> upper(passes + 1, fails);
    interval.upper = boost::math::quantile(boost::math::complement(upper, tail));
  }
  return interval;
}

Interval Wilson(int64_t k, int64_t n, double confidence) {
  ASSAY_CHECK(k >= 0 && k <= n && confidence > 0 && confidence < 1);
  if (n == 0) return {0, 1};
  const double z = NormalQuantile(0.5 + confidence / 2);
  const auto count = static_cast<double>(n);
  const double rate = static_cast<double>(k) / count;
  const double center = rate + z * z / (2 * count);
  const double half = z * std::sqrt(rate * (1 - rate) / count + z * z / (4 * count * count));
  const double scale = 1 + z * z / count;
  Interval interval{std::max(0.0, (center - half) / scale), std::min(1.0, (center + half) / scale)};
  if (k == 0) interval.lower = 0;  // exactly, not up to rounding
  if (k == n) interval.upper = 1;
  return interval;
}

}  // namespace assay
