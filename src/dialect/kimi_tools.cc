#include "dialect/kimi_tools.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_member.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "jinja/template.h"

namespace assay {
namespace {

constexpr const char* kIndent = "  ";

[[noreturn]] void GiveUp(const Json& schema) {
  Fail(ErrorKind::kUnsupported, "not in the published code: {}", DumpJson(schema));
}

/// Python's str(value), or json.dumps(value): the template language has both.
std::string PythonText(const Json& value, bool as_json) {
  return jinja::Template::Parse(as_json ? "{{ value | tojson }}" : "{{ value }}", "tools")
      ->Render(Json{{"value", value}}, 0);
}

Json Sorted(const Json& value) {
  Json out = value;
  if (value.is_array()) {
    for (Json& item : out) item = Sorted(item);
  } else if (value.is_object()) {
    std::map<std::string, Json> members;
    for (const auto& [key, member] : value.items()) members.emplace(key, Sorted(member));
    out = Json::object();
    for (auto& [key, member] : members) out[key] = std::move(member);
  }
  return out;
}

std::string Comment(const std::string& text, const std::string& indent) {
  std::vector<std::string> lines = Split(text, '\n');
  for (std::string& line : lines)
    if (!line.empty()) line = indent + "// " + line;
  return Join(lines, "\n");
}

std::string Description(const Json& schema) {
  const Json* text = FindMember(schema, "description");
  if (!text) return "";
  if (!text->is_string()) GiveUp(schema);
  return text->get<std::string>();
}

/// The type of one function's parameter, and what it registers on the way.
class FunctionTypes {
 public:
  struct Field {
    std::string name, text;
    bool optional;
  };
  struct Fields {
    std::vector<Field> named;  // as they are declared
    std::string additional;    // empty: none
  };

  std::string Type(const Json& schema, const std::string& indent) {
    if (schema.is_boolean()) return schema.get<bool>() ? "any" : "null";
    if (!schema.is_object()) GiveUp(schema);
    if (schema.contains("$ref")) return Reference(schema);
    if (schema.contains("anyOf")) {
      std::vector<std::string> types;
      for (const Json& type : schema["anyOf"]) types.push_back(Type(type, indent));
      return Join(types, " | ");
    }
    if (schema.contains("enum")) return Enumeration(schema);
    if (!schema.contains("type")) {
      if (schema.empty()) return "any";
      GiveUp(schema);
    }
    const Json& type = schema["type"];
    if (type.is_array()) return Union(schema);
    if (!type.is_string()) GiveUp(schema);
    if (type == "object") return Object(FieldsOf(schema, indent), indent);
    if (type == "array") return Array(schema, indent);
    return type == "integer" ? "number" : type.get<std::string>();
  }

  Fields FieldsOf(const Json& schema, const std::string& indent) {
    const std::string inner = indent + kIndent;
    if (const Json* named = FindMember(schema, "$defs"))
      for (const auto& [name, definition] : named->items()) definitions_[name] = definition;
    Fields out;
    if (const Json* other = FindMember(schema, "additionalProperties")) {
      if (!other->is_boolean() && !other->is_object()) GiveUp(schema);
      out.additional = inner + "[k: string]: " +
                       (other->is_object()   ? Type(*other, inner)
                        : other->get<bool>() ? "any"
                                             : "never");
    }
    if (schema.contains("properties")) {
      const Json required = schema.contains("required") ? schema["required"] : Json::array();
      if (!schema["properties"].is_object() || !required.is_array()) GiveUp(schema);
      for (const auto& [name, type] : schema["properties"].items()) {
        const bool optional = std::find(required.begin(), required.end(), Json(name)) == required.end();
        std::string text = Documentation(type, inner);
        if (const Json* value = type.is_object() ? FindMember(type, "default") : nullptr)
          text += inner + "// Default: " + PythonText(*value, !IsNumber(*value) && !value->is_boolean()) + "\n";
        text += inner + name + (optional ? "?: " : ": ") + Type(type, inner);
        out.named.push_back({name, std::move(text), optional});
      }
    }
    return out;
  }

  /// The required ones first, by name.
  static std::string Object(Fields fields, const std::string& indent) {
    std::stable_sort(fields.named.begin(), fields.named.end(), [](const Field& a, const Field& b) {
      return std::tie(a.optional, a.name) < std::tie(b.optional, b.name);
    });
    std::vector<std::string> texts;
    for (Field& field : fields.named) texts.push_back(std::move(field.text));
    if (!fields.additional.empty()) texts.push_back(std::move(fields.additional));
    return texts.empty() ? "{}" : "{\n" + Join(texts, ",\n") + "\n" + indent + "}";
  }

  std::vector<std::pair<std::string, Json>> Definitions() const {
    std::vector<std::pair<std::string, Json>> out;
    for (const auto& [name, definition] : definitions_.items()) out.emplace_back(name, definition);
    return out;
  }
  bool refers_to_itself() const { return refers_to_itself_; }

 private:
  std::string Reference(const Json& schema) {
    if (!schema["$ref"].is_string()) GiveUp(schema);
    const std::string name = schema["$ref"].get<std::string>();
    if (name == "#") {
      refers_to_itself_ = true;
      return "parameters";
    }
    const std::string last = name.substr(name.rfind('/') + 1);
    if (!name.starts_with("#/$defs/") || !definitions_.contains(last)) GiveUp(schema);
    return last;
  }

  static std::string Enumeration(const Json& schema) {
    const Json& values = schema["enum"];
    if (!values.is_array()) GiveUp(schema);
    Json type = schema.contains("type") ? schema["type"] : Json(nullptr);
    if (type.is_array()) {
      const bool nullable = type.size() == 2 && (type[0] == "null" || type[1] == "null");
      if (type.size() != 1 && !nullable) GiveUp(schema);
      type = Json(type[nullable && type[0] == "null" ? 1 : 0]);
    }
    std::vector<std::string> texts;
    for (const Json& value : values) {
      const bool fits = value.is_null()     ? true
                        : type == "string"  ? value.is_string()
                        : type == "number"  ? IsNumber(value) || value.is_boolean()
                        : type == "integer" ? (IsNumber(value) && !value.is_number_float()) || value.is_boolean()
                        : type == "boolean" ? value.is_boolean()
                                            : true;
      if (!fits) GiveUp(schema);
      texts.push_back(value.is_string() ? "\"" + value.get<std::string>() + "\"" : PythonText(value, false));
    }
    return Join(texts, " | ");
  }

  static std::string Union(const Json& schema) {
    constexpr std::pair<const char*, const char*> kTypes[] = {
        {"string", "string"}, {"number", "number"}, {"integer", "number"},  {"boolean", "boolean"},
        {"null", "null"},     {"object", "{}"},     {"array", "Array<any>"}};
    std::vector<std::string> texts;
    for (const Json& type : schema["type"]) {
      const auto* found =
          std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) { return type == t.first; });
      if (found == std::end(kTypes)) GiveUp(schema);
      texts.emplace_back(found->second);
    }
    return Join(texts, " | ");
  }

  std::string Array(const Json& schema, const std::string& indent) {
    const Json* items = FindMember(schema, "items");
    if (!items || items->empty() || *items == false) return "Array<any>";
    const std::string inner = indent + kIndent, documentation = Documentation(*items, inner);
    if (documentation.empty()) return "Array<" + Type(*items, indent) + ">";
    return "Array<\n" + documentation + inner + Type(*items, inner) + "\n" + indent + ">";
  }

  /// Comment lines: the description, and limits where the kind of type has some.
  static std::string Documentation(const Json& schema, const std::string& indent) {
    if (!schema.is_object()) return "";
    std::string out;
    if (std::string text = Description(schema); !text.empty()) out = Comment(text, indent) + "\n";
    if (schema.contains("$ref") || schema.contains("anyOf") || schema.contains("enum")) return out;
    const Json type = schema.contains("type") ? schema["type"] : Json(nullptr);
    std::vector<const char*> keys;
    if (type == "string") keys = {"maxLength", "minLength", "pattern"};
    if (type == "number" || type == "integer") keys = {"maximum", "minimum"};
    if (type == "array") keys = {"maxItems", "minItems"};
    std::vector<std::string> limits;
    for (const char* key : keys)
      if (schema.contains(key)) limits.push_back(std::string(key) + ": " + PythonText(schema[key], false));
    if (!limits.empty()) out += indent + "// " + Join(limits, ", ") + "\n";
    return out;
  }

  Json definitions_ = Json::object();
  bool refers_to_itself_ = false;
};

std::string Function(const Json& function) {
  FunctionTypes types;
  const Json* given = FindMember(function, "parameters");
  const Json parameters = given ? *given : Json::object();
  if (!parameters.is_object()) GiveUp(parameters);
  const FunctionTypes::Fields fields = types.FieldsOf(parameters, "");
  std::vector<std::string> lines;
  if (types.refers_to_itself()) {
    std::vector<std::string> texts;
    for (const auto& field : fields.named) texts.push_back(field.text);
    lines.push_back("interface parameters {" + (texts.empty() ? "" : "\n" + Join(texts, ",\n") + "\n") + "}");
  }
  for (const auto& [name, definition] : types.Definitions()) {
    std::string type = types.Type(definition, "");
    std::string text = definition.is_object() ? Description(definition) : "";
    lines.push_back((text.empty() ? "" : Comment(text, "") + "\n") + "interface " + name + " " + type);
  }
  if (std::string text = Description(function); !text.empty()) lines.push_back(Comment(text, ""));
  const Json* name = FindMember(function, "name");
  lines.push_back("type " + (name && name->is_string() ? name->get<std::string>() : "function") +
                  " = (_: " + (types.refers_to_itself() ? "parameters" : types.Object(fields, "")) + ") => any;");
  return Join(lines, "\n");
}

}  // namespace

std::optional<std::string> TypeScriptTools(const Json& tools) {
  try {
    std::vector<std::string> functions;
    for (const Json& tool : tools) {
      if (!tool.is_object()) GiveUp(tool);
      const Json* function = FindMember(tool, "function");
      if (tool.contains("type") && tool["type"] == "function" && function && function->is_object() &&
          !function->empty())
        functions.push_back(Function(*function));
    }
    if (functions.empty()) return "";
    return "# Tools\n\n## functions\nnamespace functions {\n" + Join(functions, "\n") + "\n}\n";
  } catch (const Error&) {
    return std::nullopt;
  }
}

void PrepareKimiTools(const ChatTemplate& chat_template, ChatTemplate::Input& input) {
  if (!input.tools.is_array() || chat_template.source().find("tool_declare<|im_middle|>") == std::string::npos) return;
  input.tools = Sorted(input.tools);
  if (input.tools.empty() || chat_template.source().find("tools_ts_str") == std::string::npos) return;
  if (input.extra.is_object() && input.extra.contains("tools_ts_str")) return;
  if (std::optional<std::string> text = TypeScriptTools(input.tools)) input.extra["tools_ts_str"] = *text;
}

}  // namespace assay
