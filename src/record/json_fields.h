#pragma once
// Reading and writing numbers of records: exact, and never a token that JSON lacks.

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace assay {

/// Not finite becomes null.
inline Json NumberJson(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}
/// The shortest decimal that reads back as the same float.
Json FloatJson(float value);

/// A member that must be an array or an object.
const Json& JsonArray(const Json& object, std::string_view key, std::string_view where);
const Json& JsonObject(const Json& object, std::string_view key, std::string_view where);
/// A list of texts; empty when absent.
/// The numbers of a list; none where the member is absent.
std::vector<int64_t> JsonInts(const Json& object, std::string_view key, std::string_view where);
std::vector<std::string> JsonTexts(const Json& object, std::string_view key, std::string_view where);
/// 0 when absent; refuses negative numbers.
uint64_t JsonUnsigned(const Json& object, std::string_view key, std::string_view where);
/// Absent gives 0; `null` is what a null stands for, which NumberJson wrote.
double JsonDouble(const Json& object, std::string_view key, std::string_view where,
                  double null = std::numeric_limits<double>::infinity());
/// A null that stands for what is no number.
inline double JsonDoubleOrNan(const Json& object, std::string_view key, std::string_view where) {
  return JsonDouble(object, key, where, std::numeric_limits<double>::quiet_NaN());
}
/// Refuses a version above `newest`; `what` names the record.
int JsonVersion(const Json& object, std::string_view key, int newest, std::string_view what, std::string_view where);

}  // namespace assay
