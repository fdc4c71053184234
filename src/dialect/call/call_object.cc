#include "dialect/call/call_object.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"

namespace assay {
namespace {

constexpr int kMaxDepth = 16;  // of lists and objects around a call

// Members of an object that describes a tool.
constexpr std::string_view kDescriptive[] = {"description", "properties", "required", "returns",  "usage", "purpose",
                                             "summary",     "doc",        "example",  "examples", "type"};
constexpr std::string_view kTypeWords[] = {"string", "str",   "integer", "int",    "number", "float",    "boolean",
                                           "bool",   "array", "list",    "object", "dict",   "null",     "none",
                                           "value",  "text",  "any",     "enum",   "date",   "required", "optional"};

template <typename Words, typename Word>
bool Has(const Words& words, const Word& word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool LooksLikeName(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.-:/").find(c) != std::string_view::npos;
  });
}

bool IsOffered(std::string_view name, const OfferedTools& tools) {
  return tools.Contains(tools.Resolve(std::string(Trim(name))));
}

// OpenAI's own form of arguments: JSON in a string.
bool IsJsonText(const Json& value) {
  return value.is_string() && Trim(value.get_ref<const std::string&>()).starts_with("{");
}

// The schema of arguments where arguments would stand.
bool IsSchema(const Json& arguments, const std::string& tool, const OfferedTools& tools) {
  if (!arguments.is_object() || arguments.empty()) return false;
  auto properties = arguments.find("properties");
  if (properties != arguments.end() && properties->is_object() && !tools.Parameter(tool, "properties").schema)
    return true;
  return std::all_of(arguments.begin(), arguments.end(), [](const Json& value) {
    auto type = value.is_object() ? value.find("type") : value.end();
    return value.is_object() && type != value.end() && type->is_string() &&
           Has(kTypeWords, std::string_view(type->get_ref<const std::string&>()));
  });
}

// A schema, or nothing but types and placeholders.
bool Describes(const Json& arguments, const std::string& tool, const OfferedTools& tools) {
  if (IsSchema(arguments, tool, tools)) return true;
  return arguments.is_object() && !arguments.empty() &&
         std::all_of(arguments.items().begin(), arguments.items().end(), [](const auto& member) {
           const Json& value = member.value();
           return value.is_string() &&
                  PlaceholderOf(value.template get_ref<const std::string&>(), member.key()) != Placeholder::kNo;
         });
}

std::optional<std::pair<std::string, std::string>> NameMember(const Json& object) {
  for (std::string_view key : kCallNameKeys) {
    auto it = object.find(key);
    if (it != object.end() && it->is_string()) return std::pair(std::string(key), it->get<std::string>());
  }
  return {};
}

std::pair<std::string_view, const Json*> ArgumentMember(const Json& object) {
  for (std::string_view key : kCallArgumentKeys) {
    auto it = object.find(key);
    if (it != object.end()) return {key, &*it};
  }
  return {"", nullptr};
}

// {"tool": "NAME", "args": {…}} and kin, and {"name": "NAME", "city": "Oslo"}.
bool NamesCall(const Json& object, const OfferedTools& tools) {
  auto named = NameMember(object);
  if (!named) return false;
  const auto& [key, name] = *named;
  bool offered = IsOffered(name, tools);
  std::string tool = tools.Resolve(name);
  auto [argument_key, arguments] = ArgumentMember(object);
  if (arguments && !tools.Parameter(tool, std::string(argument_key)).schema) {
    if (Describes(*arguments, tool, tools)) return false;
    if (offered) return true;
    bool sure = Has(kSureCallPairs, std::pair(std::string_view(key), argument_key)) ||
                (argument_key == "input" && object.value("type", Json()) == "tool_use");
    return sure && LooksLikeName(name) && (arguments->is_object() || key != "name" || IsJsonText(*arguments));
  }
  if (!offered) return false;
  bool bare = true;
  for (const auto& [member, value] : object.items()) {
    if (member == key || member == "id" || member == "call_id" || member == "index") continue;
    if (member == "type" && value == "function") continue;
    if (tools.Parameter(tool, member).schema) return true;
    bare = false;
  }
  return bare && (key == "name" || key == "function" || key == "tool_name" || key == "recipient_name");
}

// {"NAME": {arguments}}.
bool IsNameKeyed(const Json& object, const OfferedTools& tools) {
  for (const auto& [key, value] : object.items()) {
    if (!IsOffered(key, tools)) continue;
    std::string tool = tools.Resolve(key);
    const Json& arguments = value.is_array() && value.size() == 1 ? value[0] : value;
    if (!arguments.is_object() || Describes(arguments, tool, tools)) continue;
    bool declared = false, descriptive = false;
    for (const auto& [name, argument] : arguments.items()) {
      if (tools.Parameter(tool, name).schema)
        declared = true;
      else
        descriptive = descriptive || Has(kDescriptive, name);
    }
    if (declared || (!descriptive && object.size() == 1)) return true;
  }
  return false;
}

bool HoldsCall(const Json& json, const OfferedTools& tools, int depth) {
  if (depth > kMaxDepth || !json.is_structured()) return false;
  if (json.is_object() && (NamesCall(json, tools) || IsNameKeyed(json, tools))) return true;
  return std::any_of(json.begin(), json.end(), [&](const Json& one) { return HoldsCall(one, tools, depth + 1); });
}

}  // namespace

Placeholder PlaceholderOf(std::string_view text, std::string_view parameter) {
  std::string word = ToLowerAscii(Trim(text)), own = ToLowerAscii(parameter);
  if (word.empty()) return Placeholder::kLikely;
  for (std::string_view dots : {"...", "…", "___"})
    if (word.starts_with(dots) || word.ends_with(dots)) return Placeholder::kSure;
  auto within = [&word](char open, char close) { return word.front() == open && word.back() == close; };
  if (within('<', '>') || within('{', '}') || within('[', ']')) return Placeholder::kSure;
  for (std::string_view start : {"your ", "your_", "name of", "user's "})
    if (word.starts_with(start)) return Placeholder::kSure;
  if (word == own || Has(kTypeWords, word) || word == "xxx" || word == "foo" || word == "bar")
    return Placeholder::kLikely;
  for (std::string_view start : {"the ", "some ", "a string", "an integer", "a number"})
    if (word.starts_with(start)) return Placeholder::kLikely;
  // city_name, user_city, CITY NAME
  bool holds = own.size() > 2 && word.find(own) != std::string::npos &&
               word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_ ") == std::string::npos &&
               (word.find('_') != std::string::npos || word.ends_with(" name"));
  return holds ? Placeholder::kLikely : Placeholder::kNo;
}

bool IsCall(const Json& json, const OfferedTools& tools) {
  if (json.is_array()) return !json.empty() && !json[0].is_array() && IsCall(json[0], tools);
  if (!json.is_object()) return false;
  if (json.contains("function") && json["function"].is_object()) return IsCall(json["function"], tools);
  auto name = json.find("name");
  if (name == json.end()) name = json.find("tool_name");
  if (name == json.end() || !name->is_string()) return false;
  std::string tool = tools.Resolve(name->get<std::string>());
  auto arguments = json.find("arguments");
  if (arguments == json.end()) arguments = json.find("parameters");
  if (arguments != json.end()) {
    // {"name": "Ann Lee", "parameters": …} of no tool on offer is data.
    bool data = !tools.Contains(tool) && (!LooksLikeName(tool) || (arguments->is_string() && !IsJsonText(*arguments)));
    return !data && !IsSchema(*arguments, tool, tools);
  }
  return tools.Contains(tool) && std::none_of(json.items().begin(), json.items().end(), [&](const auto& member) {
           return member.key() != "name" && member.key() != "type" && member.key() != "id" &&
                  member.key() != "tool_name";
         });
}

bool HoldsCall(const Json& json, const OfferedTools& tools) {
  return HoldsCall(json, tools, 0);
}

}  // namespace assay
