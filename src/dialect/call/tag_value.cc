#include "dialect/call/tag_value.h"

#include <fmt/core.h>

#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "dialect/answer_json.h"
#include "dialect/call/python_call.h"
#include "schema/json_schema.h"

namespace assay {
namespace {

constexpr int kMaxDepth = 32;  // of schemas in schemas, references followed

enum Type : unsigned { kNull = 1, kBoolean = 2, kInteger = 4, kReal = 8, kText = 16, kArray = 32, kObject = 64 };
constexpr unsigned kNumber = kInteger | kReal;
constexpr unsigned kAny = kNull | kBoolean | kNumber | kText | kArray | kObject;

// JSON Schema's names and those that tools carry over from elsewhere.
constexpr std::pair<std::string_view, unsigned> kTypeNames[] = {
    {"null", kNull},   {"none", kNull},     {"boolean", kBoolean}, {"bool", kBoolean}, {"integer", kInteger},
    {"int", kInteger}, {"long", kInteger},  {"number", kNumber},   {"float", kNumber}, {"double", kNumber},
    {"string", kText}, {"str", kText},      {"text", kText},       {"array", kArray},  {"list", kArray},
    {"tuple", kArray}, {"object", kObject}, {"dict", kObject},
};
// Keywords that say what is meant where no type is given.
constexpr std::pair<std::string_view, unsigned> kHints[] = {
    {"pattern", kText},
    {"minLength", kText},
    {"maxLength", kText},
    {"format", kText},
    {"contentEncoding", kText},
    {"properties", kObject},
    {"additionalProperties", kObject},
    {"items", kArray},
    {"prefixItems", kArray},
    {"minItems", kArray},
    {"minimum", kNumber},
    {"maximum", kNumber},
    {"multipleOf", kNumber},
};

unsigned TypeOf(const Json& value) {
  if (value.is_null()) return kNull;
  if (value.is_boolean()) return kBoolean;
  if (value.is_string()) return kText;
  if (value.is_array()) return kArray;
  if (value.is_object()) return kObject;
  return IsWholeNumber(value) ? kNumber : kReal;  // 5.0 is an integer too
}

unsigned TypeNamed(const Json& name) {
  if (!name.is_string()) return kAny;
  std::string lower = ToLowerAscii(name.get_ref<const std::string&>());
  for (const auto& [known, type] : kTypeNames)
    if (known == lower) return type;
  return kAny;
}

const Json* Member(const Json& object, std::string_view key) {
  auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

std::string PercentDecoded(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    unsigned byte = 0;
    const char* code = text.data() + at + 1;
    if (text[at] == '%' && at + 2 < text.size() && std::from_chars(code, code + 2, byte, 16).ptr == code + 2)
      out += static_cast<char>(byte), at += 2;
    else
      out += text[at];
  }
  return out;
}

// "#", "#/$defs/zip" or "#anchor" in `root`; null when it leads nowhere.
const Json* Referred(const Json& root, const std::string& reference) {
  if (!reference.starts_with("#")) return nullptr;
  std::string pointer = PercentDecoded(std::string_view(reference).substr(1));
  try {
    if (pointer.empty() || pointer.starts_with("/")) return &root.at(Json::json_pointer(pointer));
  } catch (const Json::exception&) {
    return nullptr;
  }
  for (const char* place : {"$defs", "definitions"})
    if (const Json* definitions = Member(root, place); definitions && definitions->is_object())
      for (const auto& [name, schema] : definitions->items())
        if (schema.is_object() && schema.value("$anchor", "") == pointer) return &schema;
  return nullptr;
}

// The types that a schema allows.
class Allowed {
 public:
  explicit Allowed(const Json& root) : root_(root) {}

  unsigned Of(const Json& schema, int depth = 0) {
    if (schema.is_boolean()) return schema.get<bool>() ? kAny : 0;
    if (!schema.is_object() || depth > kMaxDepth || ++steps_ > kMaxSteps) return kAny;
    unsigned allowed = OwnType(schema);
    if (const Json* values = Member(schema, "enum"); values && values->is_array()) {
      unsigned any = 0;
      for (const Json& value : *values) any |= TypeOf(value);
      allowed &= any;
    }
    if (const Json* value = Member(schema, "const")) allowed &= TypeOf(*value);
    for (const char* keyword : {"$ref", "$dynamicRef"})
      if (const Json* reference = Member(schema, keyword); reference && reference->is_string())
        if (const Json* target = Referred(root_, reference->get<std::string>())) allowed &= Of(*target, depth + 1);
    if (const Json* all = Member(schema, "allOf"); all && all->is_array())
      for (const Json& one : *all) allowed &= Of(one, depth + 1);
    for (const char* keyword : {"anyOf", "oneOf"})
      if (const Json* some = Member(schema, keyword); some && some->is_array()) {
        unsigned any = 0;
        for (const Json& one : *some) any |= Of(one, depth + 1);
        allowed &= any;
      }
    const Json *then = Member(schema, "then"), *otherwise = Member(schema, "else");
    if (then && otherwise) allowed &= Of(*then, depth + 1) | Of(*otherwise, depth + 1);
    if (const Json* no = Member(schema, "not"); no && no->is_object() && no->size() == 1 && no->contains("type"))
      allowed &= ~OwnType(*no);
    if (allowed != kAny) return allowed;
    for (const auto& [keyword, type] : kHints)
      if (schema.contains(keyword)) return type;
    return allowed;
  }

 private:
  static unsigned OwnType(const Json& schema) {
    const Json* type = Member(schema, "type");
    if (!type) return kAny;
    unsigned own = type->is_array() ? 0 : TypeNamed(*type);
    if (type->is_array())
      for (const Json& one : *type) own |= TypeNamed(one);
    const Json* nullable = Member(schema, "nullable");  // OpenAPI 3.0
    return nullable && *nullable == Json(true) ? own | kNull : own;
  }

  static constexpr int kMaxSteps = 10'000;
  const Json& root_;
  int steps_ = 0;
};

std::string PointerToken(std::string_view name) {
  std::string out;
  for (char c : name) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')
      out += c;
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

// Of the two readings of a text, whether the JSON one counts.
bool PrefersJson(const Json& json, std::string_view text, const DeclaredParameter& declared) {
  constexpr std::string_view kRoot = "assay:parameters";
  try {
    Json reference = {{"$ref", fmt::format("{}#/properties/{}", kRoot, PointerToken(declared.name))}};
    JsonSchema schema = JsonSchema::Compile(reference, "parameters", {{std::string(kRoot), *declared.root}});
    return schema.Validate(json).empty() || !schema.Validate(Json(std::string(text))).empty();
  } catch (const Error&) {  // a schema that cannot be used tells no more than its types did
    return true;
  }
}

}  // namespace

Json TagValue(std::string_view text, const DeclaredParameter& declared) {
  Json value;
  std::string error;
  std::string_view bare = Trim(text);
  bool parsed = ParseStrictJson(bare, value, error) || ParsePythonLiteral(bare, value);
  unsigned allowed = declared.schema ? Allowed(*declared.root).Of(*declared.schema) : kAny & ~kText;
  if (!parsed) return std::string(text);
  if (!(allowed & kText)) return value;
  if (value.is_string() || !(TypeOf(value) & allowed)) return std::string(text);
  return value.is_null() || PrefersJson(value, text, declared) ? std::move(value) : Json(std::string(text));
}

}  // namespace assay
