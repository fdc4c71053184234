#include "statistics/multiplicity.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "base/error.h"

namespace assay {

std::vector<double> HolmAdjust(std::span<const double> p_values) {
  // Every hypothesis can be rejected with any p.
  return TaroneHolmAdjust(p_values, std::vector<double>(p_values.size(), 0.0));
}

std::vector<double> TaroneHolmAdjust(std::span<const double> p_values, std::span<const double> least) {
  ASSAY_CHECK(p_values.size() == least.size());
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return p_values[x] < p_values[y]; });
  std::vector<double> open(least.begin(), least.end()), adjusted(p_values.size());
  std::sort(open.begin(), open.end());
  double running = 0;
  for (size_t i : order) {
    const auto count = std::upper_bound(open.begin(), open.end(), p_values[i]) - open.begin();
    running = std::max(running, std::min(1.0, static_cast<double>(count) * p_values[i]));
    adjusted[i] = running;
    open.erase(std::lower_bound(open.begin(), open.end(), least[i]));
  }
  return adjusted;
}

}  // namespace assay
