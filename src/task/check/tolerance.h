#pragma once
// How far a number may be off: `tolerance`, or `relative` times the expected value, whichever is larger. Decimal: 29.76
// is within 29.75 ± 0.01, which no two doubles say.

#include "base/decimal.h"
#include "base/json.h"

namespace assay {

struct Tolerance {
  Decimal absolute, relative;
  bool zero() const { return absolute.zero() && relative.zero(); }
};

/// The members "tolerance" and "relative" of a check or comparator. Throws FieldError.
Tolerance ReadTolerance(const Json& spec);
bool Within(const Decimal& found, const Decimal& expected, const Tolerance& tolerance);

}  // namespace assay
