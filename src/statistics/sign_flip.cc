#include "statistics/sign_flip.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "base/error.h"

namespace assay {

double SignFlipP(std::span<const int64_t> differences) {
  int64_t unit = 0, sum = 0, total = 0;
  size_t nonzero = 0;
  for (int64_t d : differences) {
    unit = std::gcd(unit, std::abs(d));
    nonzero += d != 0;
  }
  if (unit == 0) return 1;
  for (int64_t d : differences) {
    sum += d / unit;
    total += std::abs(d) / unit;
  }
  if (static_cast<double>(total) * static_cast<double>(nonzero) > 2147483648.0)
    Fail(ErrorKind::kResource, "a permutation test of {} units with {} differences is more work than 2^31 steps",
         nonzero, total);
  // Chances of the sum of the magnitudes that get a plus; the sum of all is twice that less the total.
  std::vector<double> chances(static_cast<size_t>(total) + 1);
  chances[0] = 1;
  size_t reach = 0;
  for (int64_t d : differences) {
    const auto step = static_cast<size_t>(std::abs(d) / unit);
    if (step == 0) continue;
    for (size_t s = reach + step + 1; s-- > 0;)
      chances[s] = ((s <= reach ? chances[s] : 0.0) + (s >= step ? chances[s - step] : 0.0)) / 2;
    reach += step;
  }
  const auto plus = static_cast<size_t>((sum + total) / 2);
  double p = 0;
  for (size_t s = chances.size(); s-- > plus;) p += chances[s];
  return std::min(1.0, p);
}

double LeastSignFlipP(std::span<const int64_t> differences) {
  const auto nonzero = std::count_if(differences.begin(), differences.end(), [](int64_t d) { return d != 0; });
  return std::exp2(-static_cast<double>(nonzero));
}

}  // namespace assay
