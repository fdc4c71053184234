#pragma once
// A value that stands bare between tags (<parameter=zip>03106</parameter>): text or JSON is told by the schema that the
// tool declares for it.

#include <string>
#include <string_view>

#include "base/json.h"

namespace assay {

/// A parameter's JSON Schema, and the schema of all parameters that its references are resolved in. Null: not declared.
struct DeclaredParameter {
  const Json* schema = nullptr;
  const Json* root = nullptr;
  std::string name;
};

/// The value of `text`. What the schema allows (type, enum, const, anyOf, oneOf, allOf, $ref, nullable …) decides.
/// Where it allows text and something else, the reading that is valid counts; of two valid ones, and of two that are
/// not, the one that is not text, as serving engines choose by the types alone (vLLM: null, integer, number, boolean,
/// object, array, string).
Json TagValue(std::string_view text, const DeclaredParameter& declared);

}  // namespace assay
