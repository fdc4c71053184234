#include "schema/compile.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "schema/uri.h"

namespace assay::json_schema {
namespace {

constexpr int kMaxDepth = 600;
constexpr size_t kMaxDoubts = 20;
constexpr std::string_view kDraft2020 = "https://json-schema.org/draft/2020-12/schema";

// Where subschemas sit.
enum class Shape { kSchema, kSchemas, kMap, kSchemaOrSchemas, kDependencies };
struct Place {
  const char* keyword;
  Shape shape;
  bool in7, in2020;
};
constexpr Place kPlaces[] = {
    {"$defs", Shape::kMap, true, true},
    {"additionalItems", Shape::kSchema, true, false},
    {"additionalProperties", Shape::kSchema, true, true},
    {"allOf", Shape::kSchemas, true, true},
    {"anyOf", Shape::kSchemas, true, true},
    {"contains", Shape::kSchema, true, true},
    {"definitions", Shape::kMap, true, true},
    {"dependencies", Shape::kDependencies, true, true},
    {"dependentSchemas", Shape::kMap, false, true},
    {"else", Shape::kSchema, true, true},
    {"if", Shape::kSchema, true, true},
    {"items", Shape::kSchemaOrSchemas, true, true},
    {"not", Shape::kSchema, true, true},
    {"oneOf", Shape::kSchemas, true, true},
    {"patternProperties", Shape::kMap, true, true},
    {"prefixItems", Shape::kSchemas, false, true},
    {"properties", Shape::kMap, true, true},
    {"propertyNames", Shape::kSchema, true, true},
    {"then", Shape::kSchema, true, true},
    {"unevaluatedItems", Shape::kSchema, false, true},
    {"unevaluatedProperties", Shape::kSchema, false, true},
};

// Keywords that say where subschemas sit are in kPlaces.
struct Keyword {
  const char* name;
  bool in7, in2020;
};
constexpr Keyword kKeywords[] = {
    {"$anchor", false, true},
    {"$comment", true, true},
    {"$dynamicAnchor", false, true},
    {"$dynamicRef", false, true},
    {"$id", true, true},
    {"$ref", true, true},
    {"$schema", true, true},
    {"$vocabulary", false, true},
    {"const", true, true},
    {"contentEncoding", true, true},
    {"contentMediaType", true, true},
    {"contentSchema", false, true},
    {"default", true, true},
    {"dependentRequired", false, true},
    {"deprecated", true, true},
    {"description", true, true},
    {"enum", true, true},
    {"examples", true, true},
    {"exclusiveMaximum", true, true},
    {"exclusiveMinimum", true, true},
    {"format", true, true},
    {"maxContains", false, true},
    {"maxItems", true, true},
    {"maxLength", true, true},
    {"maxProperties", true, true},
    {"maximum", true, true},
    {"minContains", false, true},
    {"minItems", true, true},
    {"minLength", true, true},
    {"minProperties", true, true},
    {"minimum", true, true},
    {"multipleOf", true, true},
    {"pattern", true, true},
    {"readOnly", true, true},
    {"required", true, true},
    {"title", true, true},
    {"type", true, true},
    {"uniqueItems", true, true},
    {"writeOnly", true, true},
};

const Json* Find(const Json& object, std::string_view key) {
  auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

class Compiler {
 public:
  Compiler(std::string_view where, const JsonSchema::Registry& registry)
      : registry_(registry), program_(std::make_shared<Program>()) {
    program_->where = where;
  }

  std::shared_ptr<const Program> Run(const Json& schema) {
    Resource& root = LoadDocument(schema, "");
    program_->root = Want(*root.root, &root, "#");
    Drain();
    // A dynamic reference may end at any anchor of its name: all are made ready.
    for (size_t i = 0; i < program_->resources.size(); ++i)
      for (const auto& [name, json] : program_->resources[i].dynamic_anchors) Want(*json, OwnerOf(*json), "#" + name);
    Drain();
    return program_;
  }

 private:
  struct Task {
    Schema* schema;
    std::string place;
  };

  [[noreturn]] void Bad(const std::string& place, const std::string& reason) const {
    Fail(ErrorKind::kInvalid, "{}: schema at {}: {}", program_->where, place, reason);
  }
  [[noreturn]] void Expected(const std::string& place, std::string_view what, const Json& found) const {
    std::string text = DumpJson(found);
    if (text.size() > 60) text = TypeName(found);
    Bad(place, fmt::format("expected {}, found {}", what, text));
  }

  // Documents and resources.

  Resource& LoadDocument(const Json& json, const std::string& uri) {
    program_->documents.push_back(json);
    const Json& root = program_->documents.back();
    Dialect dialect;
    Resource& resource = AddResource(root, uri, dialect);
    Scan(root, &resource, "#", 0);
    return resource;
  }

  Resource& AddResource(const Json& root, const std::string& uri, const Dialect& outer) {
    program_->resources.push_back({uri, &root, outer, {}, {}});
    Resource& resource = program_->resources.back();
    by_uri_.emplace(uri, &resource);
    if (root.is_object())
      if (const Json* schema = Find(root, "$schema"); schema && schema->is_string())
        resource.dialect = DialectOf(schema->get<std::string>());
    return resource;
  }

  Dialect DialectOf(const std::string& uri) {
    std::string plain = WithoutFragment(uri);
    if (plain == kDraft2020) return {};
    if (plain == "http://json-schema.org/draft-07/schema" || plain == "https://json-schema.org/draft-07/schema")
      return {Draft::k7, true, true, false};
    auto it = registry_.find(plain);
    if (it == registry_.end() || !it->second.is_object())
      Fail(ErrorKind::kUnsupported,
           "{}: $schema {}: only draft 2020-12 ({}) and draft-07 are known; say one of them, or leave it out",
           program_->where, uri.substr(0, 200), kDraft2020);
    if (!seen_metaschemas_.insert(plain).second) return {};  // a metaschema may name itself
    const Json* parent = Find(it->second, "$schema");
    Dialect dialect = parent && parent->is_string() ? DialectOf(parent->get<std::string>()) : Dialect{};
    seen_metaschemas_.erase(plain);
    const Json* vocabularies = Find(it->second, "$vocabulary");
    if (!vocabularies || !vocabularies->is_object()) return dialect;
    auto has = [&](const char* name) {
      return vocabularies->contains("https://json-schema.org/draft/2020-12/vocab/" + std::string(name));
    };
    for (const auto& [name, needed] : vocabularies->items())
      if (!name.starts_with("https://json-schema.org/draft/2020-12/vocab/") && needed == true)
        Fail(ErrorKind::kUnsupported, "{}: vocabulary {} is required, and not known here", program_->where,
             name.substr(0, 200));
    dialect.validation = has("validation");
    dialect.applicator = has("applicator");
    dialect.unevaluated = has("unevaluated");
    return dialect;
  }

  // Finds what has a name (`$id`, anchors), and whose resource each subschema belongs to.
  void Scan(const Json& json, Resource* resource, const std::string& place, int depth) {
    if (depth > kMaxDepth)
      Bad(place.substr(0, 200),
          fmt::format("expected at most {} schemas inside each other; refer to \"$defs\"", kMaxDepth));
    if (!json.is_object()) {
      owner_.emplace(&json, resource);
      return;
    }
    bool is_root = resource->root == &json;
    if (const Json* id = Find(json, "$id"); id && id->is_string()) {
      std::string text = id->get<std::string>();
      bool draft7 = resource->dialect.draft == Draft::k7;
      // In draft-07 an $id beside a $ref does not count, and "#name" is an anchor.
      bool ignored = draft7 && Find(json, "$ref");
      if (!ignored && draft7 && text.starts_with("#")) {
        resource->anchors.emplace(text.substr(1), &json);
      } else if (!ignored) {
        std::string uri = WithoutFragment(ResolveUri(resource->uri, text));
        if (is_root) {
          resource->uri = uri;
          by_uri_.emplace(uri, resource);
        } else {
          resource = &AddResource(json, uri, resource->dialect);
        }
      }
    }
    owner_.emplace(&json, resource);
    if (resource->dialect.draft == Draft::k2020) {
      if (const Json* anchor = Find(json, "$anchor"); anchor && anchor->is_string())
        resource->anchors.emplace(anchor->get<std::string>(), &json);
      if (const Json* anchor = Find(json, "$dynamicAnchor"); anchor && anchor->is_string()) {
        resource->anchors.emplace(anchor->get<std::string>(), &json);
        resource->dynamic_anchors.emplace(anchor->get<std::string>(), &json);
      }
    }
    for (const Place& where : kPlaces) {
      if (!(resource->dialect.draft == Draft::k7 ? where.in7 : where.in2020)) continue;
      const Json* value = Find(json, where.keyword);
      if (!value) continue;
      std::string inside = place + "/" + where.keyword;
      bool each = value->is_array()
                      ? where.shape == Shape::kSchemas || where.shape == Shape::kSchemaOrSchemas
                      : value->is_object() && (where.shape == Shape::kMap || where.shape == Shape::kDependencies);
      bool whole = !each && (where.shape == Shape::kSchema || where.shape == Shape::kSchemaOrSchemas);
      if (whole) Scan(*value, resource, inside, depth + 1);
      if (!each) continue;
      for (const auto& item : value->items())
        if (where.shape != Shape::kDependencies || !item.value().is_array())
          Scan(item.value(), resource, inside + "/" + EscapePointerToken(item.key()), depth + 1);
    }
  }

  const Resource* OwnerOf(const Json& json) const { return owner_.at(&json); }

  Resource* FindResource(const std::string& uri) {
    if (auto it = by_uri_.find(uri); it != by_uri_.end()) return it->second;
    auto registered = registry_.find(uri);
    if (registered != registry_.end()) return &LoadDocument(registered->second, uri);
    static const auto* metaschemas = [] {
      auto* map = new std::map<std::string, Json>();
      for (std::string_view text : MetaschemaTexts()) {
        Json json = ParseJson(text, "metaschema");
        std::string id = WithoutFragment(json["$id"].get<std::string>());
        map->emplace(std::move(id), std::move(json));
      }
      return map;
    }();
    auto meta = metaschemas->find(uri);
    return meta == metaschemas->end() ? nullptr : &LoadDocument(meta->second, uri);
  }

  // References.

  struct Reference {
    const Schema* schema = nullptr;
    std::string dynamic_anchor;  // when it was found through one
  };

  Reference Refer(const Json& value, const Resource* from, const std::string& place) {
    if (!value.is_string()) Expected(place, "a reference (a string)", value);
    std::string text = value.get<std::string>(), uri = ResolveUri(from->uri, text), fragment = Fragment(uri);
    const Resource* resource = text.starts_with("#") ? from : FindResource(WithoutFragment(uri));
    if (!resource)
      Bad(place, fmt::format("{} leads to an unknown document: nothing is fetched; put it into \"$defs\" and "
                             "refer to \"#/$defs/NAME\"",
                             uri.substr(0, 200)));
    std::vector<std::string> tokens;
    if (SplitPointer(fragment, tokens)) return {Follow(tokens, resource, place, text), ""};
    auto it = resource->anchors.find(fragment);
    if (it == resource->anchors.end()) Nowhere(place, text);
    bool dynamic = resource->dynamic_anchors.count(fragment) > 0;
    return {Want(*it->second, OwnerOf(*it->second), place), dynamic ? fragment : ""};
  }

  [[noreturn]] void Nowhere(const std::string& place, const std::string& reference) const {
    Bad(place, fmt::format("{} leads nowhere: expected a place in this schema, such as \"#/$defs/NAME\"",
                           reference.substr(0, 200)));
  }

  // Json looks its members up one by one: many references into a large $defs need an index.
  const Json* FindMember(const Json& object, const std::string& key) {
    if (object.size() <= 32) return Find(object, key);
    auto& members = members_[&object];
    if (members.empty())
      for (const auto& item : object.items()) members.emplace(item.key(), &item.value());
    auto it = members.find(key);
    return it == members.end() ? nullptr : it->second;
  }

  const Schema* Follow(const std::vector<std::string>& tokens, const Resource* resource, const std::string& place,
                       const std::string& text) {
    const Json* at = resource->root;
    for (const std::string& token : tokens) {
      const Json* next = nullptr;
      if (at->is_object()) {
        next = FindMember(*at, token);
      } else if (at->is_array() && !token.empty() && token.size() < 10 &&
                 token.find_first_not_of("0123456789") == std::string::npos) {
        size_t i = std::stoul(token);
        if (i < at->size()) next = &(*at)[i];
      }
      if (!next) Nowhere(place, text);
      at = next;
      if (auto it = owner_.find(at); it != owner_.end()) resource = it->second;
    }
    // A place that no keyword makes a schema.
    if (!owner_.count(at)) Scan(*at, const_cast<Resource*>(resource), place, 0);
    return Want(*at, OwnerOf(*at), place);
  }

  // Schemas, each once; their keywords are read later, so that long chains of references need no deep stack.

  const Schema* Want(const Json& json, const Resource* resource, const std::string& place) {
    auto [it, added] = program_->by_json.emplace(&json, nullptr);
    if (!added) return it->second;
    program_->schemas.emplace_back();
    Schema& schema = program_->schemas.back();
    schema.json = &json;
    schema.resource = resource;
    it->second = &schema;
    tasks_.push_back({&schema, place});
    return &schema;
  }

  void Drain() {
    while (!tasks_.empty()) {
      Task task = std::move(tasks_.back());
      tasks_.pop_back();
      Read(*task.schema, task.place);
    }
  }

  const Schema* Sub(const Json& json, const std::string& place) {
    auto it = owner_.find(&json);
    if (it == owner_.end()) Expected(place, "a schema (an object, true or false)", json);
    return Want(json, it->second, place);
  }

  const Schema* SubAt(const Json& json, const char* keyword, const std::string& place) {
    const Json* value = Find(json, keyword);
    return value ? Sub(*value, place + "/" + keyword) : nullptr;
  }

  std::vector<const Schema*> SubList(const Json& value, const std::string& place) {
    if (!value.is_array()) Expected(place, "an array of schemas", value);
    std::vector<const Schema*> list;
    for (size_t i = 0; i < value.size(); ++i) list.push_back(Sub(value[i], place + "/" + std::to_string(i)));
    return list;
  }

  template <typename Take>
  void SubMap(const Json& json, const char* keyword, const std::string& place, Take take) {
    const Json* value = Find(json, keyword);
    if (!value) return;
    std::string inside = place + "/" + keyword;
    if (!value->is_object()) Expected(inside, "an object of schemas", *value);
    for (const auto& item : value->items())
      take(item.key(), item.value(), inside + "/" + EscapePointerToken(item.key()));
  }

  void Read(Schema& schema, const std::string& place) {
    const Json& json = *schema.json;
    if (json.is_boolean()) {
      schema.constant = json.get<bool>();
      return;
    }
    if (!json.is_object()) Expected(place, "a schema (an object, true or false)", json);
    const Dialect& dialect = schema.resource->dialect;
    Doubt(json, dialect.draft == Draft::k7, place);
    if (const Json* ref = Find(json, "$ref")) {
      schema.ref = Refer(*ref, schema.resource, place + "/$ref").schema;
      if (dialect.draft == Draft::k7) return;  // its neighbours do not count
    }
    if (const Json* ref = Find(json, "$dynamicRef"); ref && dialect.draft == Draft::k2020) {
      Reference target = Refer(*ref, schema.resource, place + "/$dynamicRef");
      schema.dynamic_ref = target.schema;
      schema.dynamic_anchor = target.dynamic_anchor;
    }
    if (dialect.validation) ReadAssertions(schema, json, place);
    if (dialect.applicator) ReadApplicators(schema, json, place);
    if (dialect.unevaluated) {
      schema.unevaluated_items = SubAt(json, "unevaluatedItems", place);
      schema.unevaluated_properties = SubAt(json, "unevaluatedProperties", place);
    }
  }

  // What a schema says without effect.
  void Doubt(const Json& json, bool draft7, const std::string& place) {
    auto doubt = [&](const std::string& message) {
      if (program_->doubts.size() < kMaxDoubts) program_->doubts.push_back(place.substr(0, 200) + ": " + message);
    };
    if (draft7 && json.contains("$ref")) {
      for (const auto& item : json.items())
        if (item.key() != "$ref" && item.key() != "definitions" && item.key() != "$comment" && item.key() != "title" &&
            item.key() != "description")
          doubt(fmt::format("{} does not count beside \"$ref\" in draft-07", DumpJson(item.key()).substr(0, 100)));
      return;
    }
    std::vector<std::string> known;
    auto add = [&](const auto& rows, auto name) {
      for (const auto& row : rows)
        if (draft7 ? row.in7 : row.in2020) known.emplace_back(name(row));
    };
    add(kKeywords, [](const Keyword& row) { return row.name; });
    add(kPlaces, [](const Place& row) { return row.keyword; });
    for (const auto& item : json.items()) {
      const std::string& key = item.key();
      if (key == "format") doubt("\"format\" is not asserted: any string passes; \"pattern\" is");
      if (key == "nullable")
        doubt("\"nullable\" is OpenAPI's, no keyword of JSON Schema: say \"type\": [\u2026, \"null\"]");
      if (key == "nullable" || key.starts_with("x-") || std::find(known.begin(), known.end(), key) != known.end())
        continue;
      std::string near = Nearest(key, known);
      doubt(fmt::format("{} is no keyword of {} and does nothing{}", DumpJson(key).substr(0, 100),
                        draft7 ? "draft-07" : "draft 2020-12",
                        near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
    }
  }

  std::optional<uint64_t> Count(const Json& json, const char* keyword, const std::string& place) {
    const Json* value = Find(json, keyword);
    if (!value) return std::nullopt;
    bool good = IsNumber(*value) && IsWholeNumber(*value) && !NumberOf(*value).negative();
    if (!good) Expected(place + "/" + keyword, "a whole number of at least 0", *value);
    return value->is_number_integer() ? value->get<uint64_t>()
                                      : static_cast<uint64_t>(std::min(NumberOf(*value).Rounded(), 1.8e19));
  }

  const Json* Number(const Json& json, const char* keyword, const std::string& place) {
    const Json* value = Find(json, keyword);
    if (value && !IsNumber(*value)) Expected(place + "/" + keyword, "a number", *value);
    return value;
  }

  std::vector<std::string> Strings(const Json& value, const std::string& place) {
    if (!value.is_array()) Expected(place, "an array of strings", value);
    std::vector<std::string> out;
    for (const Json& item : value) {
      if (!item.is_string()) Expected(place, "an array of strings", value);
      out.push_back(item.get<std::string>());
    }
    return out;
  }

  unsigned TypeBits(const Json& value, const std::string& place) {
    static constexpr std::pair<const char*, unsigned> kTypes[] = {
        {"null", kNull},     {"boolean", kBoolean}, {"object", kObject},  {"array", kArray},
        {"number", kNumber}, {"string", kString},   {"integer", kInteger}};
    if (value.is_string()) {
      for (auto [name, bit] : kTypes)
        if (value == name) return bit;
      std::string near =
          Nearest(value.get<std::string>(), {"null", "boolean", "object", "array", "number", "string", "integer"});
      for (auto [other, name] : {std::pair{"str", "string"},
                                 {"int", "integer"},
                                 {"float", "number"},
                                 {"double", "number"},
                                 {"bool", "boolean"},
                                 {"dict", "object"},
                                 {"list", "array"},
                                 {"None", "null"}})
        if (value == other) near = name;
      Bad(place, fmt::format("unknown type {}{}", DumpJson(value).substr(0, 100),
                             near.empty() ? ": expected null, boolean, object, array, number, string or integer"
                                          : fmt::format("; did you mean \"{}\"?", near)));
    }
    if (!value.is_array() || value.empty()) Expected(place, "a type or an array of types", value);
    unsigned bits = 0;
    for (const Json& item : value) {
      if (!item.is_string()) Expected(place, "a type or an array of types", value);
      bits |= TypeBits(item, place);
    }
    return bits;
  }

  void ReadAssertions(Schema& schema, const Json& json, const std::string& place) {
    bool draft7 = schema.resource->dialect.draft == Draft::k7;
    if (const Json* type = Find(json, "type")) schema.types = TypeBits(*type, place + "/type");
    schema.enumeration = Find(json, "enum");
    if (schema.enumeration && !schema.enumeration->is_array())
      Expected(place + "/enum", "an array", *schema.enumeration);
    schema.const_value = Find(json, "const");
    schema.multiple_of = Number(json, "multipleOf", place);
    if (schema.multiple_of && CompareNumbers(*schema.multiple_of, Json(0)) <= 0)
      Expected(place + "/multipleOf", "a number above 0", *schema.multiple_of);
    schema.maximum = Number(json, "maximum", place);
    schema.minimum = Number(json, "minimum", place);
    schema.exclusive_maximum = Number(json, "exclusiveMaximum", place);
    schema.exclusive_minimum = Number(json, "exclusiveMinimum", place);
    schema.max_length = Count(json, "maxLength", place);
    schema.min_length = Count(json, "minLength", place);
    schema.max_items = Count(json, "maxItems", place);
    schema.min_items = Count(json, "minItems", place);
    schema.max_properties = Count(json, "maxProperties", place);
    schema.min_properties = Count(json, "minProperties", place);
    if (!draft7) {
      schema.max_contains = Count(json, "maxContains", place);
      schema.min_contains = Count(json, "minContains", place);
    }
    if (const Json* pattern = Find(json, "pattern")) {
      if (!pattern->is_string()) Expected(place + "/pattern", "a string", *pattern);
      schema.pattern =
          std::make_unique<Pattern>(pattern->get<std::string>(), program_->where + ": schema at " + place + "/pattern");
    }
    if (const Json* unique = Find(json, "uniqueItems")) {
      if (!unique->is_boolean()) Expected(place + "/uniqueItems", "true or false", *unique);
      schema.unique_items = unique->get<bool>();
    }
    if (const Json* required = Find(json, "required")) schema.required = Strings(*required, place + "/required");
    if (!draft7)
      SubMap(json, "dependentRequired", place,
             [&](const std::string& key, const Json& value, const std::string& inside) {
               schema.dependent_required.push_back({"dependentRequired", key, Strings(value, inside)});
             });
  }

  void ReadApplicators(Schema& schema, const Json& json, const std::string& place) {
    for (auto [keyword, list] :
         {std::pair{"allOf", &schema.all_of}, {"anyOf", &schema.any_of}, {"oneOf", &schema.one_of}})
      if (const Json* value = Find(json, keyword)) *list = SubList(*value, place + "/" + keyword);
    schema.not_schema = SubAt(json, "not", place);
    schema.if_schema = SubAt(json, "if", place);
    schema.then_schema = SubAt(json, "then", place);
    schema.else_schema = SubAt(json, "else", place);
    schema.contains = SubAt(json, "contains", place);
    schema.additional_properties = SubAt(json, "additionalProperties", place);
    schema.property_names = SubAt(json, "propertyNames", place);
    ReadItems(schema, json, place);
    SubMap(json, "properties", place, [&](const std::string& key, const Json& value, const std::string& inside) {
      schema.properties.emplace(key, Sub(value, inside));
    });
    SubMap(json, "patternProperties", place, [&](const std::string& key, const Json& value, const std::string& inside) {
      schema.pattern_properties.emplace_back(std::make_unique<Pattern>(key, program_->where + ": schema at " + inside),
                                             Sub(value, inside));
    });
    if (schema.resource->dialect.draft == Draft::k2020)
      SubMap(json, "dependentSchemas", place,
             [&](const std::string& key, const Json& value, const std::string& inside) {
               schema.dependent_schemas.push_back({"dependentSchemas", key, Sub(value, inside)});
             });
    // Of draft-07; 2020-12 lets it live on.
    SubMap(json, "dependencies", place, [&](const std::string& key, const Json& value, const std::string& inside) {
      if (value.is_array())
        schema.dependent_required.push_back({"dependencies", key, Strings(value, inside)});
      else
        schema.dependent_schemas.push_back({"dependencies", key, Sub(value, inside)});
    });
  }

  void ReadItems(Schema& schema, const Json& json, const std::string& place) {
    const Json* items = Find(json, "items");
    if (schema.resource->dialect.draft == Draft::k7) {
      if (items && items->is_array()) {
        schema.prefix_items = SubList(*items, place + "/items");
        schema.prefix_keyword = "items";
        schema.items_keyword = "additionalItems";
        schema.items = SubAt(json, "additionalItems", place);
      } else {
        schema.items = SubAt(json, "items", place);
      }
      return;
    }
    if (const Json* prefix = Find(json, "prefixItems")) schema.prefix_items = SubList(*prefix, place + "/prefixItems");
    if (items && items->is_array())
      Bad(place + "/items", "expected a schema, found an array: draft 2020-12 calls that prefixItems");
    schema.items = SubAt(json, "items", place);
  }

  const JsonSchema::Registry& registry_;
  std::shared_ptr<Program> program_;
  std::unordered_map<std::string, Resource*> by_uri_;
  std::unordered_map<const Json*, Resource*> owner_;
  std::unordered_set<std::string> seen_metaschemas_;
  std::unordered_map<const Json*, std::unordered_map<std::string, const Json*>> members_;
  std::vector<Task> tasks_;
};

}  // namespace

std::shared_ptr<const Program> CompileSchema(const Json& schema, std::string_view where,
                                             const JsonSchema::Registry& registry) {
  return Compiler(where, registry).Run(schema);
}

}  // namespace assay::json_schema
