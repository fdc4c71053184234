#pragma once
// Numbers of JSON by value, without rounding. A strict ParseJson keeps a number that no 64-bit integer and no double
// says exactly (123456789012345678901234567890, 0.12345678901234567890) as its text, in a binary value: JSON itself has
// none. Json::is_number() does not know these.

#include <string_view>

#include "base/decimal.h"
#include "base/json.h"

namespace assay {

/// A double where it says `text` exactly, the kept text otherwise. `text` is a JSON number of finite value.
Json ExactNumber(std::string_view text);
/// Any number, kept text included.
bool IsNumber(const Json& value);
/// As it was written; a double stands for its shortest text. IsNumber(value) holds.
Decimal NumberOf(const Json& value);
/// The same with doubles for kept texts, for those who compute with doubles.
Json WithDoubles(Json value);
/// Json::type_name(), "number" for all numbers.
const char* TypeName(const Json& value);
/// A number without a fraction: 5, 5.0, 5e0. No other value is one.
bool IsWholeNumber(const Json& value);
/// -1, 0 or 1; both are numbers.
int CompareNumbers(const Json& a, const Json& b);
/// Equal, numbers by value wherever they stand: 1 equals 1.0, true is no number. Linear where the members of objects
/// stand in the same order.
bool SameValue(const Json& a, const Json& b);

}  // namespace assay
