#include "dialect/call/call_body.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/strings.h"
#include "dialect/answer_json.h"
#include "dialect/answer_text.h"
#include "dialect/call/python_call.h"
#include "dialect/fence.h"

namespace assay {
namespace {

constexpr size_t kMaxArguments = 1000;  // of a call between tags; each is looked for among the others

bool Full(ParsedCalls& out) {
  if (out.calls.size() < kMaxCalls) return false;
  out.error = fmt::format("more than {} calls", kMaxCalls);
  return true;
}

void Add(ToolCall call, ParsedCalls& out) {
  if (Full(out)) return;
  if (call.name.empty())
    out.error = "a call without a name";
  else if (!call.arguments.is_object())
    out.error = fmt::format("arguments should be an object, found {}", QuoteJson(call.arguments, 60));
  else
    out.calls.push_back(std::move(call));
}

// {"name", "arguments" | "parameters"}, {"tool_name", "parameters"} (Command), or the same inside OpenAI's {"function":
// …}.
void ReadCall(const Json& json, ParsedCalls& out) {
  const Json* object = &json;
  if (json.is_object() && json.contains("function") && json["function"].is_object()) object = &json["function"];
  if (!object->is_object()) {
    out.error = fmt::format("a call is an object, found {}", QuoteJson(*object, 60));
    return;
  }
  auto name = object->find("name");
  if (name == object->end()) name = object->find("tool_name");
  if (name == object->end() || !name->is_string() || name->get_ref<const std::string&>().empty()) {
    out.error = fmt::format("a call needs a \"name\", found {}", QuoteJson(*object, 60));
    return;
  }
  ToolCall call{name->get<std::string>(), Json::object()};
  auto arguments = object->find("arguments");
  if (arguments == object->end()) arguments = object->find("parameters");
  if (arguments != object->end() && !arguments->is_null()) call.arguments = *arguments;
  if (call.arguments.is_string()) {  // OpenAI's own form: JSON in a string
    Json inner;
    std::string why;
    if (!ParseStrictJson(call.arguments.get_ref<const std::string&>(), inner, why)) {
      out.error = "arguments: " + why;
      return;
    }
    call.arguments = inner.is_null() ? Json::object() : std::move(inner);
  }
  // Command-R's way of saying that it answers itself.
  if (call.name == "directly_answer" || call.name == "directly-answer") return;
  Add(std::move(call), out);
}

void ReadCalls(const Json& json, ParsedCalls& out) {
  if (json.is_array() && json.empty()) out.error = "an empty list of calls";
  size_t count = json.is_array() ? json.size() : 1;
  for (size_t i = 0; i < count && out.error.empty(); ++i)
    if (!Full(out)) ReadCall(json.is_array() ? json[i] : json, out);
}

// Templates put a value on lines of its own.
std::string_view WithoutLineEnds(std::string_view text) {
  if (text.starts_with("\n")) text.remove_prefix(1);
  if (text.ends_with("\n")) text.remove_suffix(1);
  constexpr std::string_view kOpen = "<![CDATA[", kClose = "]]>";
  if (text.starts_with(kOpen) && text.ends_with(kClose) && text.size() >= kOpen.size() + kClose.size())
    text = text.substr(kOpen.size(), text.size() - kOpen.size() - kClose.size());
  return text;
}

// DeepSeek's and Kimi K3's own word for it beside the name.
bool SaysText(std::string_view attributes) {
  return attributes.find("string=\"true\"") != std::string_view::npos ||
         attributes.find("type=\"string\"") != std::string_view::npos;
}

// The part of `text` at `at` up to `end`, and `at` behind it; false when `end` does not come.
bool Take(std::string_view text, size_t& at, std::string_view end, std::string_view& part) {
  size_t found = text.find(end, at);
  if (found == std::string_view::npos) return false;
  part = text.substr(at, found - at);
  at = found + end.size();
  return true;
}

// One call's parameters; `at` is behind its head and then behind its end.
void ReadTagParameters(std::string_view text, size_t& at, const TagStyle& style, const OfferedTools& tools,
                       ToolCall call, ParsedCalls& out) {
  while (out.error.empty()) {
    while (at < text.size() && Trim(text.substr(at, 1)).empty()) ++at;
    std::string_view rest = text.substr(at);
    if (rest.starts_with(style.call_close)) {
      at += style.call_close.size();
      return Add(std::move(call), out);
    }
    std::string_view key, attributes, value;
    if (!rest.starts_with(style.parameter_open)) {
      out.error = fmt::format("expected {}…, found {}", style.parameter_open, Quote(rest, 30));
      return;
    }
    at += style.parameter_open.size();
    bool closed = Take(text, at, style.key_end, key) &&
                  (style.key_end == style.head_end || Take(text, at, style.head_end, attributes)) &&
                  Take(text, at, style.parameter_close, value);
    std::string name(Trim(key));
    if (!closed)
      out.error = fmt::format("{} is not closed", style.parameter_open);
    else if (call.arguments.size() >= kMaxArguments)
      out.error = fmt::format("more than {} arguments", kMaxArguments);
    else if (call.arguments.contains(name))
      out.error = fmt::format("{} is given twice", Quote(name));
    else
      call.arguments[name] = SaysText(attributes)
                                 ? Json(std::string(WithoutLineEnds(value)))
                                 : TagValue(WithoutLineEnds(value), tools.Parameter(tools.Resolve(call.name), name));
  }
}

// Gemma's unquoted keys and <|"|> strings as JSON text.
std::string GemmaJson(std::string_view text) {
  constexpr std::string_view kQuote = "<|\"|>", kStructure = "{}[],:";
  std::string out;
  size_t quote = text.find(kQuote);  // the next one
  for (size_t at = 0; at < text.size();) {
    if (quote < at) quote = text.find(kQuote, at);
    if (quote == at) {
      size_t begin = at + kQuote.size(), end = text.find(kQuote, begin);
      if (end == std::string_view::npos) return {};
      out += DumpJson(Json(std::string(text.substr(begin, end - begin))));
      at = end + kQuote.size();
      continue;
    }
    if (kStructure.find(text[at]) != std::string_view::npos) {
      out += text[at++];
      continue;
    }
    size_t end = std::min({text.size(), text.find_first_of(kStructure, at), quote});
    std::string_view bare = Trim(text.substr(at, end - at));
    Json value;
    bool key = end < text.size() && text[end] == ':';
    if (!bare.empty())
      out += !key && ParsePythonLiteral(bare, value) ? DumpJson(value) : DumpJson(Json(std::string(bare)));
    at = end;
  }
  return out;
}

}  // namespace

OfferedTools::OfferedTools(const Json& tools) {
  if (!tools.is_array()) return;
  for (const Json& tool : tools) {
    if (!tool.is_object()) continue;
    const Json& function = tool.contains("function") && tool["function"].is_object() ? tool["function"] : tool;
    auto name = function.find("name");
    if (name == function.end() || !name->is_string()) continue;
    auto parameters = function.find("parameters");
    parameters_.emplace(name->get<std::string>(), parameters == function.end() ? nullptr : &*parameters);
  }
}

DeclaredParameter OfferedTools::Parameter(const std::string& tool, const std::string& name) const {
  auto found = parameters_.find(tool);
  if (found == parameters_.end() || !found->second || !found->second->is_object()) return {};
  auto properties = found->second->find("properties");
  if (properties == found->second->end() || !properties->is_object()) return {};
  auto schema = properties->find(name);
  if (schema == properties->end()) return {};
  return {&*schema, found->second, name};
}

std::string OfferedTools::Resolve(std::string name) const {
  constexpr std::string_view kNamespace = "functions.";
  if (Contains(name)) return name;
  if (name.starts_with(kNamespace)) return name.substr(kNamespace.size());
  std::string longer = std::string(kNamespace) + name;
  return Contains(longer) ? longer : name;
}

void ReadJsonCalls(std::string_view text, ParsedCalls& out) {
  text = Trim(text);
  if (text.empty()) out.error = "nothing where a call should be";
  while (!text.empty() && out.error.empty()) {
    size_t end = text[0] == '{' || text[0] == '[' ? JsonValueEnd(text, 0) : std::string_view::npos;
    Json json;
    if (ParseStrictJson(Trim(text.substr(0, end)), json, out.error)) {
      out.error.clear();
      ReadCalls(json, out);
    }
    if (end == std::string_view::npos) return;
    text = Trim(text.substr(end));
    if (!text.empty() && (text[0] == ';' || text[0] == ',')) text = Trim(text.substr(1));
  }
}

void ReadPythonCalls(std::string_view text, ParsedCalls& out) {
  if (std::string error = ParsePythonCalls(text, kMaxCalls, out.calls); !error.empty()) out.error = error;
}

void ReadTagCalls(std::string_view text, const TagStyle& style, const OfferedTools& tools, ParsedCalls& out) {
  size_t at = 0;
  text = Trim(text);
  if (text.empty()) out.error = "nothing where a call should be";
  while (at < text.size() && out.error.empty()) {
    while (at < text.size() && Trim(text.substr(at, 1)).empty()) ++at;
    if (at == text.size()) break;
    std::string_view name, attributes;
    bool opens = text.substr(at).starts_with(style.call_open);
    if (opens) at += style.call_open.size();
    if (!opens || !Take(text, at, style.name_end, name) ||
        (style.name_end != style.head_end && !Take(text, at, style.head_end, attributes)) || Trim(name).empty()) {
      out.error = fmt::format("expected {}NAME{}, found {}", style.call_open, style.name_end, Quote(text, 60));
      return;
    }
    ReadTagParameters(text, at, style, tools, {std::string(Trim(name)), Json::object()}, out);
  }
}

void ReadKeyValueCall(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  constexpr std::string_view kKey = "<arg_key>", kKeyEnd = "</arg_key>", kValue = "<arg_value>",
                             kValueEnd = "</arg_value>";
  size_t at = std::min(text.find(kKey), text.size());
  ToolCall call{std::string(Trim(text.substr(0, at))), Json::object()};
  if (call.name.find_first_of(" \t\r\n{}<>\"()") != std::string::npos) {
    out.error = fmt::format("expected a name, found {}", Quote(call.name, 60));
    return;
  }
  while (!Trim(text.substr(at)).empty()) {
    std::string_view between, key, value;
    if (!Take(text, at, kKey, between) || !Take(text, at, kKeyEnd, key) || !Trim(between).empty() ||
        !Take(text, at, kValue, between) || !Trim(between).empty() || !Take(text, at, kValueEnd, value)) {
      out.error = fmt::format("expected <arg_key> and <arg_value>, found {}", Quote(text, 60));
      return;
    }
    std::string name(Trim(key));
    if (call.arguments.size() >= kMaxArguments)
      out.error = fmt::format("more than {} arguments", kMaxArguments);
    else if (call.arguments.contains(name))
      out.error = fmt::format("{} is given twice", Quote(name));
    if (!out.error.empty()) return;
    call.arguments[name] = TagValue(WithoutLineEnds(value), tools.Parameter(tools.Resolve(call.name), name));
  }
  Add(std::move(call), out);
}

void ReadNameKeyedCalls(std::string_view text, ParsedCalls& out) {
  Json list;
  if (!ParseStrictJson(Trim(text), list, out.error)) return;
  out.error.clear();
  if (!list.is_array() || list.empty()) out.error = "expected a list of calls";
  for (size_t i = 0; out.error.empty() && i < list.size(); ++i) {
    if (!list[i].is_object() || list[i].size() != 1)
      out.error = fmt::format("expected {{\"name\": {{…}}}}, found {}", QuoteJson(list[i], 60));
    else
      Add({list[i].items().begin().key(), list[i].items().begin().value()}, out);
  }
}

void ReadGemmaCall(std::string_view text, ParsedCalls& out) {
  constexpr std::string_view kCall = "call:";
  text = Trim(text);
  size_t brace = text.find('{');
  if (!text.starts_with(kCall) || brace == std::string_view::npos) {
    out.error = fmt::format("expected call:NAME{{…}}, found {}", Quote(text, 60));
    return;
  }
  ToolCall call{std::string(Trim(text.substr(kCall.size(), brace - kCall.size()))), {}};
  if (!ParseStrictJson(GemmaJson(text.substr(brace)), call.arguments, out.error)) return;
  out.error.clear();
  Add(std::move(call), out);
}

void AddNamedCall(std::string_view name, std::string_view arguments, ParsedCalls& out) {
  ToolCall call{std::string(Trim(name)), {}};
  arguments = Trim(arguments);
  if (arguments.starts_with("```"))
    if (std::vector<Fence> fences = Fences(arguments); !fences.empty()) arguments = Trim(fences[0].content);
  if (!ParseStrictJson(arguments, call.arguments, out.error)) return;
  out.error.clear();
  Add(std::move(call), out);
}

}  // namespace assay
