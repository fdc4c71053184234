#include "record/json_fields.h"

#include <fmt/core.h>

#include <cstdlib>

namespace assay {

Json FloatJson(float value) {
  if (!std::isfinite(value)) return nullptr;
  return std::strtod(fmt::format("{}", value).c_str(), nullptr);
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

std::vector<std::string> JsonTexts(const Json& object, std::string_view key, std::string_view where) {
  std::vector<std::string> out;
  if (!object.contains(key)) return out;
  for (const Json& text : JsonArray(object, key, where)) {
    if (!text.is_string())
      Fail(ErrorKind::kCorrupt, "{}: \"{}\" should hold texts, found {}", where, key, text.type_name());
    out.push_back(text.get<std::string>());
  }
  return out;
}

std::vector<int64_t> JsonInts(const Json& object, std::string_view key, std::string_view where) {
  std::vector<int64_t> out;
  if (!object.contains(key)) return out;
  for (const Json& number : JsonArray(object, key, where)) {
    if (!number.is_number_integer())
      Fail(ErrorKind::kCorrupt, "{}: \"{}\" should hold whole numbers, found {}", where, key, number.type_name());
    out.push_back(number.get<int64_t>());
  }
  return out;
}

uint64_t JsonUnsigned(const Json& object, std::string_view key, std::string_view where) {
  const int64_t value = JsonInt(object, key, where, 0);
  if (value < 0) Fail(ErrorKind::kCorrupt, "{}: \"{}\" should not be negative, found {}", where, key, value);
  return static_cast<uint64_t>(value);
}

double JsonDouble(const Json& object, std::string_view key, std::string_view where, double null) {
  if (object.is_object()) {
    auto it = object.find(key);
    if (it != object.end() && it->is_null()) return null;
    if (it != object.end() && it->is_number_float()) return it->get<double>();  // not yet dumped: NaN and infinity too
  }
  return JsonNumber(object, key, where, 0);
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

}  // namespace assay
