#include "schema/json_schema.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "base/error.h"
#include "base/json_number.h"
#include "schema/compile.h"
#include "schema/uri.h"

namespace assay {

using json_schema::Dialect;
using json_schema::Program;
using json_schema::Resource;
using json_schema::Schema;

struct JsonSchema::Compiled {
  std::shared_ptr<const Program> program;
};

namespace {

constexpr uint64_t kMaxSteps = 2'000'000;
constexpr int kMaxDepth = 150;  // a frame takes some kilobytes under the sanitizers
constexpr size_t kMaxErrors = 64;

// A path built on the stack; text only when an error needs it.
struct Path {
  const Path* parent = nullptr;
  std::string_view token;
  size_t index = SIZE_MAX;

  std::string Text() const {
    std::vector<const Path*> parts;
    for (const Path* path = this; path->parent; path = path->parent) parts.push_back(path);
    std::string out;
    for (auto it = parts.rbegin(); it != parts.rend(); ++it)
      out += "/" +
             ((*it)->index != SIZE_MAX ? std::to_string((*it)->index) : json_schema::EscapePointerToken((*it)->token));
    return out;
  }
};

// Which members or items some keyword has looked at successfully: what `unevaluated...` leaves out.
using Seen = std::vector<bool>;

void Merge(Seen& into, const Seen& from) {
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i]) into[i] = true;
}

size_t CountCodePoints(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

size_t HashValue(const Json& value) {
  if (IsNumber(value)) return std::hash<double>()(NumberOf(value).Rounded() + 0.0);
  if (value.is_string()) return std::hash<std::string>()(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? 3 : 5;
  size_t hash = value.size() * 31 + static_cast<size_t>(value.type() == Json::value_t::array);
  if (value.is_array())
    for (const Json& item : value) hash = hash * 1000003 + HashValue(item);
  if (value.is_object())  // whatever the order
    for (const auto& item : value.items())
      hash += std::hash<std::string>()(item.key()) ^ (HashValue(item.value()) * 31);
  return hash;
}

std::string Shown(const Json& value) {
  std::string text = DumpJson(value);
  if (text.size() <= 60) return text;
  size_t cut = 57;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return text.substr(0, cut) + "...";
}

unsigned TypeOf(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return json_schema::kNull;
    case Json::value_t::boolean:
      return json_schema::kBoolean;
    case Json::value_t::object:
      return json_schema::kObject;
    case Json::value_t::array:
      return json_schema::kArray;
    case Json::value_t::string:
      return json_schema::kString;
    default:
      return IsWholeNumber(value) ? json_schema::kNumber | json_schema::kInteger : json_schema::kNumber;
  }
}

std::string TypeNames(unsigned bits) {
  static constexpr const char* kNames[] = {"null", "boolean", "object", "array", "number", "string", "integer"};
  std::string out;
  for (unsigned i = 0; i < 7; ++i)
    if (bits >> i & 1) out += (out.empty() ? "" : " or ") + std::string(kNames[i]);
  return out;
}

class Validator {
 public:
  Validator(const Program& program, std::vector<SchemaError>& errors) : program_(program), errors_(errors) {}

  void Run(const Json& value) {
    Path root;
    Check(*program_.root, value, {root, root, true}, nullptr);
  }

 private:
  // Where the check stands, and whether its failures are told or only counted.
  struct At {
    const Path& instance;
    const Path& schema;
    bool told;
  };

  bool Bad(const At& at, std::string_view keyword, std::string message) {
    if (at.told && errors_.size() < kMaxErrors) {
      Path end{&at.schema, keyword};
      errors_.push_back({at.instance.Text(), keyword.empty() ? at.schema.Text() : end.Text(), std::move(message)});
    }
    return false;
  }

  void Step(uint64_t count = 1) {
    steps_ += count;
    if (steps_ > kMaxSteps)
      Fail(ErrorKind::kResource, "{}: validation takes more than {} steps", program_.where, kMaxSteps);
  }

  // Applies a subschema to the same value under `keyword`.
  bool Sub(const Schema& schema, const Json& value, const At& at, std::string_view keyword, Seen* seen,
           bool told = true) {
    Path path{&at.schema, keyword};
    return Check(schema, value, {at.instance, path, at.told && told}, seen);
  }
  bool SubAt(const Schema& schema, const Json& value, const At& at, std::string_view keyword, size_t index, Seen* seen,
             bool told = true) {
    Path path{&at.schema, keyword};
    Path inner{&path, {}, index};
    return Check(schema, value, {at.instance, inner, at.told && told}, seen);
  }

  bool Check(const Schema& schema, const Json& value, const At& at, Seen* seen) {
    Step();
    if (schema.constant) return *schema.constant || Bad(at, "", "nothing is allowed here");
    struct Depth {
      int& depth;
      ~Depth() { --depth; }
    } depth{++depth_};
    if (depth_ > kMaxDepth)
      Fail(ErrorKind::kResource, "{}: the schema refers to itself without end, or the value is nested too deeply",
           program_.where);
    bool new_resource = scope_.empty() || scope_.back() != schema.resource;
    if (new_resource) scope_.push_back(schema.resource);
    struct Scope {
      std::vector<const Resource*>& scope;
      bool pop;
      ~Scope() {
        if (pop) scope.pop_back();
      }
    } scope{scope_, new_resource};

    // What is seen here counts for the caller only if all holds.
    bool wants = seen || schema.unevaluated_items || schema.unevaluated_properties;
    Seen own(wants && value.is_structured() ? value.size() : 0);
    Seen* mine = own.empty() ? nullptr : &own;
    bool good = CheckReferences(schema, value, at, mine);
    if (good || at.told) good = CheckAny(schema, value, at) && good;
    if (good || at.told) good = CheckCombined(schema, value, at, mine) && good;
    if (IsNumber(value) && (good || at.told)) good = CheckNumber(schema, value, at) && good;
    if (value.is_string() && (good || at.told)) good = CheckString(schema, value, at) && good;
    if (value.is_array() && (good || at.told)) good = CheckArray(schema, value, at, mine) && good;
    if (value.is_object() && (good || at.told)) good = CheckObject(schema, value, at, mine) && good;
    if (good && seen && mine) Merge(*seen, own);
    return good;
  }

  bool CheckReferences(const Schema& schema, const Json& value, const At& at, Seen* seen) {
    bool good = true;
    if (schema.ref) good = Sub(*schema.ref, value, at, "$ref", seen);
    if (schema.dynamic_ref && (good || at.told)) {
      const Schema* target = schema.dynamic_ref;
      if (!schema.dynamic_anchor.empty())
        for (const Resource* resource : scope_) {  // outermost first
          Step();
          auto it = resource->dynamic_anchors.find(schema.dynamic_anchor);
          if (it == resource->dynamic_anchors.end()) continue;
          target = program_.by_json.at(it->second);
          break;
        }
      good = Sub(*target, value, at, "$dynamicRef", seen) && good;
    }
    return good;
  }

  bool CheckAny(const Schema& schema, const Json& value, const At& at) {
    bool good = true;
    if (schema.types && !(schema.types & TypeOf(value))) {
      unsigned found = TypeOf(value);
      good = Bad(at, "type",
                 fmt::format("expected {}, found {}", TypeNames(schema.types),
                             found & json_schema::kInteger ? "integer" : TypeNames(found)));
    }
    if (schema.const_value && !SameValue(*schema.const_value, value))
      good = Bad(at, "const", fmt::format("expected {}, found {}", Shown(*schema.const_value), Shown(value)));
    if (schema.enumeration) {
      Step(schema.enumeration->size());
      bool found = std::any_of(schema.enumeration->begin(), schema.enumeration->end(),
                               [&](const Json& each) { return SameValue(each, value); });
      if (!found)
        good = Bad(at, "enum", fmt::format("expected one of {}, found {}", Shown(*schema.enumeration), Shown(value)));
    }
    return good;
  }

  bool CheckCombined(const Schema& schema, const Json& value, const At& at, Seen* seen) {
    bool good = true;
    for (size_t i = 0; i < schema.all_of.size() && (good || at.told); ++i)
      good = SubAt(*schema.all_of[i], value, at, "allOf", i, seen) && good;
    if (!schema.any_of.empty()) {
      bool any = false;
      // With annotations to gather, every branch is looked at.
      for (size_t i = 0; i < schema.any_of.size() && (!any || seen); ++i)
        any = SubAt(*schema.any_of[i], value, at, "anyOf", i, seen, false) || any;
      if (!any) good = Bad(at, "anyOf", fmt::format("none of {} schemas holds", schema.any_of.size()));
    }
    if (!schema.one_of.empty()) {
      size_t count = 0;
      for (size_t i = 0; i < schema.one_of.size() && count < 2; ++i) {
        Seen branch(seen ? seen->size() : 0);
        if (!SubAt(*schema.one_of[i], value, at, "oneOf", i, seen ? &branch : nullptr, false)) continue;
        ++count;
        if (seen) Merge(*seen, branch);
      }
      if (count != 1)
        good = Bad(at, "oneOf",
                   fmt::format("{} of {} schemas holds, expected exactly one", count ? "more than one" : "none",
                               schema.one_of.size()));
    }
    if (schema.not_schema && Sub(*schema.not_schema, value, at, "not", nullptr, false))
      good = Bad(at, "not", "the forbidden schema holds");
    if (schema.if_schema) {
      bool holds = Sub(*schema.if_schema, value, at, "if", seen, false);
      const Schema* then = holds ? schema.then_schema : schema.else_schema;
      if (then) good = Sub(*then, value, at, holds ? "then" : "else", seen) && good;
    }
    return good;
  }

  bool CheckNumber(const Schema& schema, const Json& value, const At& at) {
    bool good = true;
    auto bound = [&](const Json* limit, const char* keyword, const char* words, bool (*fits)(int)) {
      if (limit && !fits(CompareNumbers(value, *limit)))
        good = Bad(at, keyword, fmt::format("expected {} {}, found {}", words, Shown(*limit), Shown(value)));
    };
    bound(schema.maximum, "maximum", "at most", [](int order) { return order <= 0; });
    bound(schema.minimum, "minimum", "at least", [](int order) { return order >= 0; });
    bound(schema.exclusive_maximum, "exclusiveMaximum", "less than", [](int order) { return order < 0; });
    bound(schema.exclusive_minimum, "exclusiveMinimum", "more than", [](int order) { return order > 0; });
    if (schema.multiple_of && !json_schema::IsMultipleOf(value, *schema.multiple_of))
      good = Bad(at, "multipleOf",
                 fmt::format("expected a multiple of {}, found {}", Shown(*schema.multiple_of), Shown(value)));
    return good;
  }

  bool Count(const At& at, size_t count, const std::optional<uint64_t>& most, const char* most_keyword,
             const std::optional<uint64_t>& least, const char* least_keyword, const char* what) {
    bool good = true;
    if (most && count > *most)
      good = Bad(at, most_keyword, fmt::format("expected at most {} {}, found {}", *most, what, count));
    if (least && count < *least)
      good = Bad(at, least_keyword, fmt::format("expected at least {} {}, found {}", *least, what, count));
    return good;
  }

  bool Matches(const json_schema::Pattern& pattern, const std::string& text) {
    Step(1 + text.size() / 64);
    return pattern.Matches(text, work_);
  }

  bool CheckString(const Schema& schema, const Json& value, const At& at) {
    const auto& text = value.get_ref<const std::string&>();
    bool good = true;
    if (schema.max_length || schema.min_length)
      good = Count(at, CountCodePoints(text), schema.max_length, "maxLength", schema.min_length, "minLength",
                   "characters");
    if (schema.pattern && !Matches(*schema.pattern, text))
      good = Bad(at, "pattern",
                 fmt::format("{} does not match {}", Shown(value), schema.pattern->source().substr(0, 100)));
    return good;
  }

  bool CheckArray(const Schema& schema, const Json& value, const At& at, Seen* seen) {
    bool good = Count(at, value.size(), schema.max_items, "maxItems", schema.min_items, "minItems", "items");
    if (schema.unique_items && (good || at.told)) good = CheckUnique(value, at) && good;
    auto check = [&](const Schema& item_schema, size_t i, const Path& schema_path) {
      Path instance{&at.instance, {}, i};
      bool holds = Check(item_schema, value[i], {instance, schema_path, at.told}, nullptr);
      if (holds && seen) (*seen)[i] = true;
      good = holds && good;
    };
    size_t prefix = std::min(schema.prefix_items.size(), value.size());
    for (size_t i = 0; i < prefix && (good || at.told); ++i) {
      Path path{&at.schema, schema.prefix_keyword}, inner{&path, {}, i};
      check(*schema.prefix_items[i], i, inner);
    }
    if (schema.items) {
      Path path{&at.schema, schema.items_keyword};
      for (size_t i = prefix; i < value.size() && (good || at.told); ++i) check(*schema.items, i, path);
    }
    if (schema.contains && (good || at.told)) good = CheckContains(schema, value, at, seen) && good;
    if (schema.unevaluated_items && (good || at.told)) {
      Path path{&at.schema, "unevaluatedItems"};
      for (size_t i = 0; i < value.size() && (good || at.told); ++i)
        if (!(*seen)[i]) check(*schema.unevaluated_items, i, path);
    }
    return good;
  }

  bool CheckUnique(const Json& value, const At& at) {
    Step(value.size());
    std::unordered_multimap<size_t, size_t> by_hash;
    for (size_t i = 0; i < value.size(); ++i) {
      size_t hash = HashValue(value[i]);
      auto [begin, end] = by_hash.equal_range(hash);
      for (auto it = begin; it != end; ++it) {
        Step();
        if (SameValue(value[it->second], value[i]))
          return Bad(at, "uniqueItems", fmt::format("items {} and {} are the same", it->second, i));
      }
      by_hash.emplace(hash, i);
    }
    return true;
  }

  bool CheckContains(const Schema& schema, const Json& value, const At& at, Seen* seen) {
    uint64_t count = 0, least = schema.min_contains.value_or(1);
    for (size_t i = 0; i < value.size(); ++i) {
      Path instance{&at.instance, {}, i}, path{&at.schema, "contains"};
      if (!Check(*schema.contains, value[i], {instance, path, false}, nullptr)) continue;
      ++count;
      // draft-07 has no unevaluatedItems; in 2020-12 contains counts for it.
      if (seen) (*seen)[i] = true;
    }
    if (count < least)
      return Bad(at, schema.min_contains ? "minContains" : "contains",
                 fmt::format("expected at least {} items that match, found {}", least, count));
    if (schema.max_contains && count > *schema.max_contains)
      return Bad(at, "maxContains",
                 fmt::format("expected at most {} items that match, found {}", *schema.max_contains, count));
    return true;
  }

  bool CheckObject(const Schema& schema, const Json& value, const At& at, Seen* seen) {
    bool good = Count(at, value.size(), schema.max_properties, "maxProperties", schema.min_properties, "minProperties",
                      "properties");
    auto need = [&](const std::string& name, std::string_view keyword) {
      Step(1 + value.size() / 16);
      if (!value.contains(name)) good = Bad(at, keyword, fmt::format("property {} is missing", DumpJson(name)));
    };
    for (const std::string& name : schema.required) need(name, "required");
    for (const auto& [keyword, trigger, names] : schema.dependent_required) {
      Step(1 + value.size() / 16);
      if (!value.contains(trigger)) continue;
      for (const std::string& name : names) need(name, keyword);
    }
    size_t i = 0;
    for (auto it = value.begin(); it != value.end() && (good || at.told); ++it, ++i)
      good = CheckMember(schema, it.key(), *it, i, at, seen) && good;
    for (const auto& [keyword, trigger, dependent] : schema.dependent_schemas) {
      if (!good && !at.told) break;
      Step(1 + value.size() / 16);
      if (!value.contains(trigger)) continue;
      Path path{&at.schema, keyword}, inner{&path, trigger};
      good = Check(*dependent, value, {at.instance, inner, at.told}, seen) && good;
    }
    if (schema.unevaluated_properties && (good || at.told)) {
      Path path{&at.schema, "unevaluatedProperties"};
      i = 0;
      for (auto it = value.begin(); it != value.end() && (good || at.told); ++it, ++i) {
        if ((*seen)[i]) continue;
        Path instance{&at.instance, it.key()};
        bool holds = Check(*schema.unevaluated_properties, *it, {instance, path, at.told}, nullptr);
        if (holds && seen) (*seen)[i] = true;
        good = holds && good;
      }
    }
    return good;
  }

  bool CheckMember(const Schema& schema, const std::string& name, const Json& value, size_t i, const At& at,
                   Seen* seen) {
    bool good = true, evaluated = false;
    Path instance{&at.instance, name};
    auto check = [&](const Schema& member_schema, const Path& path) {
      evaluated = true;
      good = Check(member_schema, value, {instance, path, at.told}, nullptr) && good;
    };
    if (schema.property_names) {
      Path path{&at.schema, "propertyNames"};
      good = Check(*schema.property_names, Json(name), {instance, path, at.told}, nullptr);
    }
    if (auto it = schema.properties.find(name); it != schema.properties.end()) {
      Path path{&at.schema, "properties"}, inner{&path, name};
      check(*it->second, inner);
    }
    for (const auto& [pattern, member_schema] : schema.pattern_properties) {
      if (!Matches(*pattern, name)) continue;
      Path path{&at.schema, "patternProperties"}, inner{&path, pattern->source()};
      check(*member_schema, inner);
    }
    if (!evaluated && schema.additional_properties) {
      Path path{&at.schema, "additionalProperties"};
      check(*schema.additional_properties, path);
    }
    if (evaluated && seen) (*seen)[i] = true;
    return good;
  }

  const Program& program_;
  std::vector<SchemaError>& errors_;
  std::vector<const Resource*> scope_;
  uint64_t steps_ = 0;
  Work work_;  // of patterns
  int depth_ = 0;
};

}  // namespace

JsonSchema JsonSchema::Compile(const Json& schema, std::string_view where, const Registry& registry) {
  auto compiled = std::make_shared<Compiled>();
  compiled->program = json_schema::CompileSchema(schema, where, registry);
  return JsonSchema(std::move(compiled));
}

const std::vector<std::string>& JsonSchema::doubts() const {
  return compiled_->program->doubts;
}

std::vector<SchemaError> JsonSchema::Validate(const Json& value) const {
  std::vector<SchemaError> errors;
  Validator(*compiled_->program, errors).Run(value);
  return errors;
}

}  // namespace assay
