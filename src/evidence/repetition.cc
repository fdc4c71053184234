#include "evidence/repetition.h"

#include <algorithm>
#include <cstddef>

namespace assay {
namespace {

/// Whether the end, of `least` units or more, repeats itself three times or more.
template <typename Units>
bool RepeatsAtTheEnd(const Units& units, size_t least) {
  const size_t size = units.size();
  for (size_t period = 1; 3 * period <= size; ++period) {
    const size_t tail = std::max(3 * period, least);
    if (tail > size) return false;
    const auto begin = units.end() - static_cast<ptrdiff_t>(tail), shifted = begin + static_cast<ptrdiff_t>(period);
    if (std::equal(shifted, units.end(), begin)) return true;
  }
  return false;
}

}  // namespace

bool EndsInRepetition(const ExampleResult& result) {
  if (result.finish != "length") return false;
  return result.answer_ids.empty() ? RepeatsAtTheEnd(result.answer, 64) : RepeatsAtTheEnd(result.answer_ids, 16);
}

}  // namespace assay
