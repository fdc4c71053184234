#include "task/check/tolerance.h"

#include <fmt/core.h>

#include "task/check/check.h"

namespace assay {

Tolerance ReadTolerance(const Json& spec) {
  Tolerance tolerance{SpecNumber(spec, "tolerance", {}), SpecNumber(spec, "relative", {})};
  for (const auto& [key, value] : {std::pair{"tolerance", tolerance.absolute}, {"relative", tolerance.relative}})
    if (value.negative())
      throw FieldError{key, fmt::format("expected a number of at least 0, found {}", QuoteJson(spec[key]))};
  return tolerance;
}

bool Within(const Decimal& found, const Decimal& expected, const Tolerance& tolerance) {
  Decimal distance = found.Minus(expected).Magnitude();
  return Decimal::Compare(distance, tolerance.absolute) <= 0 ||
         Decimal::Compare(distance, expected.Magnitude().Times(tolerance.relative)) <= 0;
}

}  // namespace assay
