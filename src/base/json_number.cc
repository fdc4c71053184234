#include "base/json_number.h"

#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace assay {
namespace {

constexpr uint64_t kNumberTag = 0xDEC;

bool IsKept(const Json& value) {
  return value.is_binary() && value.get_binary().has_subtype() && value.get_binary().subtype() == kNumberTag;
}

/// Of a JSON number: an integer's.
bool IsDigits(std::string_view text) {
  return text.find_first_of(".eE") == std::string_view::npos;
}

/// f(its value), in the type that holds it.
template <typename Function>
auto WithInteger(const Json& value, const Function& f) {
  return value.is_number_unsigned() ? f(value.get<uint64_t>()) : f(value.get<int64_t>());
}

std::string KeptText(const Json& value) {
  return {value.get_binary().begin(), value.get_binary().end()};
}

}  // namespace

Json ExactNumber(std::string_view text) {
  double rounded = std::strtod(std::string(text).c_str(), nullptr);
  std::optional<Decimal> exact = Decimal::Parse(text);
  // Beyond what a Decimal holds, the double is what remains.
  if (!exact || (!IsDigits(text) && *exact == Decimal::Shortest(rounded))) return rounded;
  return Json::binary(std::vector<uint8_t>(text.begin(), text.end()), kNumberTag);
}

bool IsNumber(const Json& value) {
  return value.is_number() || IsKept(value);
}

Decimal NumberOf(const Json& value) {
  if (value.is_number_float()) return Decimal::Shortest(value.get<double>());
  std::string text;
  if (IsKept(value))
    text = KeptText(value);
  else
    text = WithInteger(value, [](auto integer) { return std::to_string(integer); });
  std::optional<Decimal> number = Decimal::Parse(text);
  ASSAY_CHECK(number.has_value());
  return *number;
}

Json WithDoubles(Json value) {
  if (value.is_structured())
    for (Json& item : value) item = WithDoubles(std::move(item));
  return IsKept(value) ? Json(NumberOf(value).Rounded()) : value;
}

Json AsPythonReads(Json value) {
  if (value.is_structured())
    for (Json& item : value) item = AsPythonReads(std::move(item));
  return IsKept(value) && !IsDigits(KeptText(value)) ? Json(NumberOf(value).Rounded()) : value;
}

const char* TypeName(const Json& value) {
  return IsNumber(value) ? "number" : value.type_name();
}

bool IsWholeNumber(const Json& value) {
  return value.is_number_integer() || (IsNumber(value) && NumberOf(value).whole());
}

int CompareNumbers(const Json& a, const Json& b) {
  if (a.is_number_float() && b.is_number_float()) {
    double x = a.get<double>(), y = b.get<double>();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (a.is_number_integer() && b.is_number_integer())
    return WithInteger(a, [&](auto x) {
      return WithInteger(b, [&](auto y) { return std::cmp_less(x, y) ? -1 : std::cmp_less(y, x) ? 1 : 0; });
    });
  int order = Decimal::Compare(NumberOf(a), NumberOf(b));
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool SameValue(const Json& a, const Json& b) {
  if (IsNumber(a) && IsNumber(b)) return CompareNumbers(a, b) == 0;
  if (a.type() != b.type() || a.size() != b.size()) return false;
  if (a.is_array()) {
    for (size_t i = 0; i < a.size(); ++i)
      if (!SameValue(a[i], b[i])) return false;
    return true;
  }
  if (a.is_object()) {
    auto other = b.begin();
    for (auto it = a.begin(); it != a.end(); ++it, ++other) {
      // Mostly the order is the same, and the look-up is saved.
      auto match = other.key() == it.key() ? other : b.find(it.key());
      if (match == b.end() || !SameValue(*it, *match)) return false;
    }
    return true;
  }
  return a == b;
}

}  // namespace assay
