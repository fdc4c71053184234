#pragma once
// A schema made ready: references resolved, keywords checked, patterns compiled.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/json.h"
#include "schema/json_schema.h"
#include "schema/work.h"

namespace assay::json_schema {

/// Published metaschemas, which references may name.
const std::vector<std::string_view>& MetaschemaTexts();

/// An ECMA-262 pattern by way of PCRE2. Throws Error{kInvalid} for a bad one.
class Pattern {
 public:
  Pattern(const std::string& source, const std::string& place);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  /// Somewhere in the text. Throws Error{kResource} when `work` is used up.
  bool Matches(const std::string& text, Work& work) const;
  const std::string& source() const { return source_; }

 private:
  std::string source_;
  void* code_ = nullptr;
};

enum class Draft { k7, k2020 };

struct Dialect {
  Draft draft = Draft::k2020;
  bool validation = true;  // the vocabularies of the custom metaschema include it
  bool applicator = true;
  bool unevaluated = true;
};

/// A document or a part of one with its own `$id`.
struct Resource {
  std::string uri;
  const Json* root = nullptr;
  Dialect dialect;
  std::unordered_map<std::string, const Json*> anchors;
  std::unordered_map<std::string, const Json*> dynamic_anchors;
};

enum TypeBit : unsigned { kNull = 1, kBoolean = 2, kObject = 4, kArray = 8, kNumber = 16, kString = 32, kInteger = 64 };

struct Schema {
  const Json* json = nullptr;
  const Resource* resource = nullptr;
  std::optional<bool> constant;  // true and false as schemas

  unsigned types = 0;  // 0: any
  const Json* enumeration = nullptr;
  const Json* const_value = nullptr;
  const Json *multiple_of = nullptr, *maximum = nullptr, *exclusive_maximum = nullptr, *minimum = nullptr,
             *exclusive_minimum = nullptr;
  std::optional<uint64_t> max_length, min_length, max_items, min_items, max_properties, min_properties, min_contains,
      max_contains;
  std::unique_ptr<Pattern> pattern;
  bool unique_items = false;
  std::vector<std::string> required;
  struct DependentRequired {
    const char* keyword;  // "dependentRequired", or "dependencies" of draft-07
    std::string trigger;
    std::vector<std::string> names;
  };
  std::vector<DependentRequired> dependent_required;

  const Schema* ref = nullptr;
  const Schema* dynamic_ref = nullptr;
  std::string dynamic_anchor;  // of dynamic_ref; empty when it is as static as a $ref
  std::vector<const Schema*> all_of, any_of, one_of, prefix_items;
  const Schema *not_schema = nullptr, *if_schema = nullptr, *then_schema = nullptr, *else_schema = nullptr;
  const Schema *items = nullptr, *contains = nullptr, *additional_properties = nullptr, *property_names = nullptr;
  const Schema *unevaluated_items = nullptr, *unevaluated_properties = nullptr;
  const char* items_keyword = "items";         // "additionalItems" of draft-07
  const char* prefix_keyword = "prefixItems";  // "items" of draft-07
  std::unordered_map<std::string, const Schema*> properties;
  std::vector<std::pair<std::unique_ptr<Pattern>, const Schema*>> pattern_properties;
  struct DependentSchema {
    const char* keyword;
    std::string trigger;
    const Schema* schema;
  };
  std::vector<DependentSchema> dependent_schemas;
};

struct Program {
  std::deque<Json> documents;  // stay where they are
  std::deque<Resource> resources;
  std::deque<Schema> schemas;
  const Schema* root = nullptr;
  std::string where;
  std::vector<std::string> doubts;
  /// Targets of dynamic references: any resource's anchor of that name.
  std::unordered_map<const Json*, const Schema*> by_json;
};

std::shared_ptr<const Program> CompileSchema(const Json& schema, std::string_view where,
                                             const JsonSchema::Registry& registry);

/// Exact on the decimal forms: 0.0075 is a multiple of 0.0001.
bool IsMultipleOf(const Json& value, const Json& divisor);

}  // namespace assay::json_schema
