#pragma once
// Numbers of JSON by value, without rounding. A strict ParseJson keeps a number that no 64-bit integer and no double
// says exactly (0.12345678901234567890), and every integer beyond 64 bits, as its text, in a binary value: JSON itself
// has none. Json::is_number() does not know these.

#include <string_view>

#include "base/decimal.h"
#include "base/json.h"

namespace assay {

/// A double where it says `text` exactly and is none of an integer's digits, the kept text otherwise. `text` is a JSON
/// number of finite value that fits no 64-bit integer.
Json ExactNumber(std::string_view text);
/// As ParseJson, strict in its numbers alone: of members of one name the last counts.
Json ParseExactJson(std::string_view text, std::string_view where);
/// Any number, kept text included.
bool IsNumber(const Json& value);
/// As it was written; a double stands for its shortest text. IsNumber(value) holds.
Decimal NumberOf(const Json& value);
/// The same with doubles for kept texts, for those who compute with doubles.
Json WithDoubles(Json value);
/// As Python reads JSON: integers as they were written, other numbers as the nearest double.
Json AsPythonReads(Json value);
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
