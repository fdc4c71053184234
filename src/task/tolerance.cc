#include "task/tolerance.h"

#include "task/check.h"

namespace assay {

Tolerance ReadTolerance(const Json& spec) {
  Tolerance tolerance{SpecNumber(spec, "tolerance", {}), SpecNumber(spec, "relative", {})};
  if (tolerance.absolute.negative()) throw FieldError{"tolerance", "may not be negative"};
  if (tolerance.relative.negative()) throw FieldError{"relative", "may not be negative"};
  return tolerance;
}

bool Within(const Decimal& found, const Decimal& expected, const Tolerance& tolerance) {
  Decimal distance = found.Minus(expected).Magnitude();
  return Decimal::Compare(distance, tolerance.absolute) <= 0 ||
         Decimal::Compare(distance, expected.Magnitude().Times(tolerance.relative)) <= 0;
}

}  // namespace assay
