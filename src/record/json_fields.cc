#include "record/json_fields.h"

#include <cmath>
#include <cstdlib>

#include "base/json_number.h"

namespace assay {
namespace {

struct Word {
  std::string_view text;
  double value;
};
constexpr Word kWords[] = {{"inf", kInfinity}, {"-inf", -kInfinity}, {"nan", kNaN}};

/// A real number; none: it is something else.
std::optional<double> RealNumber(const Json& json, double null) {
  if (json.is_null()) return null;
  if (json.is_number()) return json.get<double>();
  if (json.is_string())
    for (const Word& word : kWords)
      if (json.get_ref<const std::string&>() == word.text) return word.value;
  return std::nullopt;
}

/// A number without a fraction that 64 bits hold.
std::optional<int64_t> WholeNumber(const Json& json) {
  if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  if (json.is_number_integer()) return json.get<int64_t>();
  if (!json.is_number_float()) return std::nullopt;
  const double number = json.get<double>();  // 5.0, as other programs may rewrite a file
  if (!(std::abs(number) < 9e15) || number != std::trunc(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

template <typename T>
const char* TakeAs(const std::optional<T>& found, T& value, const char* expected) {
  if (!found) return expected;
  value = *found;
  return nullptr;
}

}  // namespace

Json NumberJson(double value, double null) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return std::isnan(null) ? Json(nullptr) : Json("nan");
  return value > 0 ? "inf" : "-inf";
}

Json NumberJson(float value, double null) {
  const double number = std::isfinite(value) ? std::strtod(fmt::format("{}", value).c_str(), nullptr) : value;
  return NumberJson(number, null);
}

const Json& JsonArray(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", where, object.type_name());
  auto it = object.find(key);
  if (it == object.end()) Fail(ErrorKind::kCorrupt, "{}: \"{}\" is missing", where, key);
  if (!it->is_array())
    Fail(ErrorKind::kCorrupt, "{}: \"{}\" should be an array, found {}", where, key, it->type_name());
  return *it;
}

const Json& JsonObject(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", where, object.type_name());
  auto it = object.find(key);
  if (it == object.end()) Fail(ErrorKind::kCorrupt, "{}: \"{}\" is missing", where, key);
  if (!it->is_object())
    Fail(ErrorKind::kCorrupt, "{}: \"{}\" should be an object, found {}", where, key, it->type_name());
  return *it;
}

int JsonVersion(const Json& object, std::string_view key, int newest, std::string_view what, std::string_view where) {
  const int64_t version = JsonInt(object, key, where);
  if (version > newest) {
    Fail(ErrorKind::kUnsupported, "{}: version {} of {}, this program reads up to {}; a newer program wrote it", where,
         version, what, newest);
  }
  if (version < 1) Fail(ErrorKind::kCorrupt, "{}: \"{}\" should be at least 1, found {}", where, key, version);
  return static_cast<int>(version);
}

JsonReader::JsonReader(const Json& json, std::string_view where, std::string path)
    : json_(json), where_(where), path_(std::move(path)) {
  if (!json.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", where, TypeName(json));
}

const char* JsonReader::Take(const Json& json, std::string& value, double) {
  return TakeAs(json.is_string() ? std::optional(json.get<std::string>()) : std::nullopt, value, "a string");
}

const char* JsonReader::Take(const Json& json, bool& value, double) {
  return TakeAs(json.is_boolean() ? std::optional(json.get<bool>()) : std::nullopt, value, "true or false");
}

const char* JsonReader::Take(const Json& json, int64_t& value, double) {
  return TakeAs(WholeNumber(json), value, "an integer");
}

const char* JsonReader::Take(const Json& json, uint64_t& value, double) {
  std::optional<uint64_t> found;
  if (json.is_number_unsigned())
    found = json.get<uint64_t>();
  else if (const auto number = WholeNumber(json); number && *number >= 0)
    found = static_cast<uint64_t>(*number);
  return TakeAs(found, value, "an integer from 0");
}

const char* JsonReader::Take(const Json& json, int32_t& value, double) {
  std::optional<int32_t> found;
  if (const auto number = WholeNumber(json); number && *number >= 0 && *number <= INT32_MAX)
    found = static_cast<int32_t>(*number);
  return TakeAs(found, value, "an integer from 0 to 2147483647");
}

const char* JsonReader::Take(const Json& json, double& value, double null) {
  return TakeAs(RealNumber(json, null), value, "a number, null, \"inf\" or \"-inf\"");
}

const char* JsonReader::Take(const Json& json, float& value, double null) {
  double number = 0;
  const char* expected = Take(json, number, null);
  value = static_cast<float>(number);
  return expected;
}

const char* JsonReader::Take(const Json& json, Json& value, double) {
  value = json;
  return nullptr;
}

const Json& JsonReader::At(const char* key) const {
  auto it = json_.find(key);
  if (it == json_.end()) Fail(ErrorKind::kCorrupt, "{}: \"{}\" is missing", where_, Path({key}));
  return *it;
}

std::string JsonReader::Path(const Place& place) const {
  return fmt::format("{}{}{}{}", path_, path_.empty() ? "" : ".", place.key,
                     place.in_list ? fmt::format("[{}]", place.index) : "");
}

void JsonReader::WrongType(const Place& place, const char* expected, const Json& found) const {
  Fail(ErrorKind::kCorrupt, "{}: \"{}\" should be {}, found {}", where_, Path(place), expected,
       found.is_structured() || found.is_string() ? TypeName(found) : DumpJson(found));
}

void JsonReader::Refuse(const char* key, const std::string& message) const {
  Fail(ErrorKind::kCorrupt, "{}: {}: {}", where_, Path({key}), message);
}

}  // namespace assay
