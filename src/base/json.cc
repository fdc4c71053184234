#include "base/json.h"

#include <unordered_set>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

constexpr int kMaxDepth = 512;

const Json* Member(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", where, object.type_name());
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return nullptr;
  return &*it;
}

const Json& Required(const Json& object, std::string_view key, std::string_view where) {
  const Json* member = Member(object, key, where);
  if (!member) Fail(ErrorKind::kInvalid, "{}: \"{}\" is missing", where, key);
  return *member;
}

[[noreturn]] void WrongType(const Json& value, std::string_view key, std::string_view where,
                            std::string_view expected) {
  Fail(ErrorKind::kInvalid, "{}: \"{}\" should be {}, found {}", where, key, expected, value.type_name());
}

std::string AsString(const Json& value, std::string_view key, std::string_view where) {
  if (!value.is_string()) WrongType(value, key, where, "a string");
  return value.get<std::string>();
}

int64_t AsInt(const Json& value, std::string_view key, std::string_view where) {
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    Fail(ErrorKind::kInvalid, "{}: \"{}\" is too large", where, key);
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number_float()) {
    double number = value.get<double>();
    if (number > -9e15 && number < 9e15 && number == static_cast<double>(static_cast<int64_t>(number)))
      return static_cast<int64_t>(number);
  }
  WrongType(value, key, where, "an integer");
}

}  // namespace

Json ParseJson(std::string_view text, std::string_view where, bool strict) {
  std::vector<std::unordered_set<std::string>> keys;
  auto callback = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) Fail(ErrorKind::kCorrupt, "{}: JSON nested deeper than {}", where, kMaxDepth);
    if (!strict) return true;
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.empty() && !keys.back().insert(parsed.get<std::string>()).second)
      Fail(ErrorKind::kCorrupt, "{}: duplicate key \"{}\"", where, parsed.get<std::string>());
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), callback, true, false);
  } catch (const nlohmann::json::exception& e) {
    std::string message = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..." says it all after the bracket.
    if (auto end = message.find("] "); end != std::string::npos) message = message.substr(end + 2);
    Fail(ErrorKind::kCorrupt, "{}: not JSON: {}", where, message);
  }
}

std::string DumpJson(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string JsonString(const Json& object, std::string_view key, std::string_view where) {
  return AsString(Required(object, key, where), key, where);
}
std::string JsonString(const Json& object, std::string_view key, std::string_view where, std::string_view fallback) {
  const Json* member = Member(object, key, where);
  return member ? AsString(*member, key, where) : std::string(fallback);
}
int64_t JsonInt(const Json& object, std::string_view key, std::string_view where) {
  return AsInt(Required(object, key, where), key, where);
}
int64_t JsonInt(const Json& object, std::string_view key, std::string_view where, int64_t fallback) {
  const Json* member = Member(object, key, where);
  return member ? AsInt(*member, key, where) : fallback;
}
double JsonNumber(const Json& object, std::string_view key, std::string_view where, double fallback) {
  const Json* member = Member(object, key, where);
  if (!member) return fallback;
  if (!member->is_number()) WrongType(*member, key, where, "a number");
  return member->get<double>();
}
bool JsonBool(const Json& object, std::string_view key, std::string_view where, bool fallback) {
  const Json* member = Member(object, key, where);
  if (!member) return fallback;
  if (!member->is_boolean()) WrongType(*member, key, where, "true or false");
  return member->get<bool>();
}

}  // namespace assay
