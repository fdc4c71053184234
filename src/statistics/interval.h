#pragma once
// Confidence intervals of one proportion.

#include <cstdint>

namespace assay {

struct Interval {
  double lower = 0, upper = 0;
};

/// Upper-tail standard normal quantile: NormalQuantile(0.95) = 1.6449. `p` in (0, 1).
double NormalQuantile(double p);
/// Standard normal distribution function.
double NormalCdf(double z);

/// P(X = k), P(X <= k) and P(X >= k) of X ~ Binomial(n, p); k may lie outside [0, n].
double BinomialPmf(int64_t n, int64_t k, double p);
double BinomialLowerTail(int64_t n, int64_t k, double p);
double BinomialUpperTail(int64_t n, int64_t k, double p);

/// Exact interval for k passes of n (Clopper and Pearson 1934); `confidence` is two-sided: 0.90 gives one-sided 95%
/// bounds. n = 0 gives [0, 1].
Interval ClopperPearson(int64_t k, int64_t n, double confidence);
/// Score interval for k passes of n (Wilson 1927).
Interval Wilson(int64_t k, int64_t n, double confidence);

}  // namespace assay
