#include "base/json_number.h"

#include <cmath>
#include <cstdlib>

#include "base/error.h"

namespace assay {
namespace {

constexpr uint64_t kNumberTag = 0xDEC;

bool IsKept(const Json& value) {
  return value.is_binary() && value.get_binary().has_subtype() && value.get_binary().subtype() == kNumberTag;
}

}  // namespace

Json ExactNumber(std::string_view text) {
  double rounded = std::strtod(std::string(text).c_str(), nullptr);
  std::optional<Decimal> exact = Decimal::Parse(text);
  // Beyond what a Decimal holds, the double is what remains.
  if (!exact || *exact == Decimal::Shortest(rounded)) return rounded;
  return Json::binary(std::vector<uint8_t>(text.begin(), text.end()), kNumberTag);
}

bool IsNumber(const Json& value) {
  return value.is_number() || IsKept(value);
}

Decimal NumberOf(const Json& value) {
  if (value.is_number_float()) return Decimal::Shortest(value.get<double>());
  std::string text;
  if (IsKept(value))
    text.assign(value.get_binary().begin(), value.get_binary().end());
  else
    text = value.is_number_unsigned() ? std::to_string(value.get<uint64_t>()) : std::to_string(value.get<int64_t>());
  std::optional<Decimal> number = Decimal::Parse(text);
  ASSAY_CHECK(number.has_value());
  return *number;
}

Json WithDoubles(Json value) {
  if (value.is_structured())
    for (Json& item : value) item = WithDoubles(std::move(item));
  return IsKept(value) ? Json(NumberOf(value).Rounded()) : value;
}

const char* TypeName(const Json& value) {
  return IsNumber(value) ? "number" : value.type_name();
}

int CompareNumbers(const Json& a, const Json& b) {
  if (a.is_number_float() && b.is_number_float()) {
    double x = a.get<double>(), y = b.get<double>();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  int order = Decimal::Compare(NumberOf(a), NumberOf(b));
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

}  // namespace assay
