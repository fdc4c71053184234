#include "task/call_syntax.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/strings.h"
#include "task/answer_json.h"
#include "task/check.h"
#include "task/python_call.h"

namespace assay {
namespace {

constexpr std::string_view kToolCallOpen = "<tool_call>", kToolCallClose = "</tool_call>";
constexpr std::string_view kMistral = "[TOOL_CALLS]", kMistralArgs = "[ARGS]";
constexpr std::string_view kPythonTag = "<|python_tag|>";
constexpr std::string_view kFunctionOpen = "<function=", kFunctionClose = "</function>";

// Reads one call object: {"name", "arguments" | "parameters"}, or the same inside OpenAI's {"function": …}. `why` on
// failure.
bool ReadCall(const Json& json, ToolCall& call, std::string& why) {
  const Json* object = &json;
  if (json.is_object() && json.contains("function") && json["function"].is_object()) object = &json["function"];
  if (!object->is_object()) {
    why = fmt::format("a call is an object, found {}", QuoteJson(*object, 60));
    return false;
  }
  auto name = object->find("name");
  if (name == object->end() || !name->is_string() || name->get_ref<const std::string&>().empty()) {
    why = fmt::format("a call needs a \"name\", found {}", QuoteJson(*object, 60));
    return false;
  }
  call.name = name->get<std::string>();
  auto arguments = object->find("arguments");
  if (arguments == object->end()) arguments = object->find("parameters");
  if (arguments == object->end()) {
    call.arguments = Json::object();
    return true;
  }
  call.arguments = *arguments;
  if (call.arguments.is_string()) {  // OpenAI's own form: JSON in a string
    Json inner;
    if (!ParseStrictJson(call.arguments.get_ref<const std::string&>(), inner, why)) {
      why = "arguments: " + why;
      return false;
    }
    call.arguments = std::move(inner);
  }
  if (call.arguments.is_null()) call.arguments = Json::object();
  if (!call.arguments.is_object()) {
    why = fmt::format("\"arguments\" should be an object, found {}", QuoteJson(call.arguments, 60));
    return false;
  }
  return true;
}

// One call or a list of them.
void ReadCalls(const Json& json, ParsedCalls& out) {
  size_t count = json.is_array() ? json.size() : 1;
  if (json.is_array() && json.empty()) out.error = "an empty list of calls";
  for (size_t i = 0; i < count && out.error.empty(); ++i) {
    if (out.calls.size() >= kMaxCalls) {
      out.error = fmt::format("more than {} calls", kMaxCalls);
      return;
    }
    ToolCall call;
    std::string why;
    if (ReadCall(json.is_array() ? json[i] : json, call, why))
      out.calls.push_back(std::move(call));
    else
      out.error = why;
  }
}

void ReadCallText(std::string_view text, ParsedCalls& out) {
  Json json;
  std::string error;
  if (ParseStrictJson(Trim(text), json, error))
    ReadCalls(json, out);
  else
    out.error = error;
}

// End of the JSON value that begins at `begin` ('{' or '['), by counting brackets outside strings; npos when it does
// not end.
size_t JsonEnd(std::string_view text, size_t begin) {
  int depth = 0;
  bool in_string = false;
  for (size_t at = begin; at < text.size(); ++at) {
    char c = text[at];
    if (in_string) {
      if (c == '\\')
        ++at;
      else if (c == '"')
        in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at + 1;
  }
  return std::string_view::npos;
}

// Values one after the other, with white space, ';' or ',' between them.
void ReadSequence(std::string_view text, ParsedCalls& out) {
  text = Trim(text);
  while (!text.empty() && out.error.empty()) {
    size_t end = text[0] == '{' || text[0] == '[' ? JsonEnd(text, 0) : std::string_view::npos;
    ReadCallText(text.substr(0, end), out);
    if (end == std::string_view::npos) return;
    text = Trim(text.substr(end));
    if (!text.empty() && (text[0] == ';' || text[0] == ',')) text = Trim(text.substr(1));
  }
}

bool ParseHermes(std::string_view text, const std::vector<std::string>&, ParsedCalls& out) {
  size_t at = text.find(kToolCallOpen);
  if (at == std::string_view::npos) return false;
  while (at != std::string_view::npos && out.error.empty()) {
    size_t begin = at + kToolCallOpen.size();
    size_t end = text.find(kToolCallClose, begin);
    size_t next = text.find(kToolCallOpen, begin);
    // The closing tag may have served as a stop string; then the block ends where the next one begins.
    std::string_view block =
        text.substr(begin, std::min(end, next) == std::string_view::npos ? end : std::min(end, next) - begin);
    if (Trim(block).starts_with(kFunctionOpen))
      out.error = "<function=…> with <parameter=…> inside <tool_call> is not read";
    else
      ReadSequence(block, out);
    if (Trim(block).empty()) out.error = "an empty <tool_call>";
    at = next;
  }
  return true;
}

// [TOOL_CALLS] [{…}, …], and since tokenizer v11 [TOOL_CALLS]name[ARGS]{…}.
bool ParseMistral(std::string_view text, const std::vector<std::string>&, ParsedCalls& out) {
  size_t at = text.find(kMistral);
  if (at == std::string_view::npos) return false;
  while (at != std::string_view::npos && out.error.empty()) {
    size_t next = text.find(kMistral, at + kMistral.size());
    std::string_view block =
        Trim(text.substr(at + kMistral.size(), next == std::string_view::npos ? next : next - at - kMistral.size()));
    at = next;
    if (block.starts_with("[") || block.starts_with("{")) {
      ReadSequence(block, out);
      continue;
    }
    size_t brace = block.find('{');
    std::string_view name = Trim(block.substr(0, std::min(block.find('['), brace)));
    ToolCall call;
    std::string error;
    if (name.empty() || brace == std::string_view::npos) {
      out.error = fmt::format("[TOOL_CALLS] without a call: {}", Quote(block, 60));
    } else if (!ParseStrictJson(block.substr(brace), call.arguments, error)) {
      out.error = error;
    } else if (!call.arguments.is_object() || out.calls.size() >= kMaxCalls) {
      out.error = "arguments should be an object";
    } else {
      call.name = name;
      out.calls.push_back(std::move(call));
    }
  }
  return true;
}

void ReadPython(std::string_view text, ParsedCalls& out) {
  std::string error = ParsePythonCalls(text, kMaxCalls, out.calls);
  if (!error.empty()) out.error = error;
}

// Llama 3: <|python_tag|> and JSON objects separated by ';', or a built-in tool's brave_search.call(query="…").
bool ParsePythonTag(std::string_view text, const std::vector<std::string>&, ParsedCalls& out) {
  size_t at = text.find(kPythonTag);
  if (at == std::string_view::npos) return false;
  std::string_view rest = Trim(text.substr(at + kPythonTag.size()));
  if (rest.starts_with("{") || (rest.starts_with("[") && !LooksLikePythonList(rest))) {
    ReadSequence(rest, out);
  } else {
    ReadPython(rest, out);
    for (ToolCall& call : out.calls)
      if (call.name.ends_with(".call")) call.name.resize(call.name.size() - 5);
  }
  if (rest.empty()) out.error = "nothing after <|python_tag|>";
  return true;
}

// Llama 3.1: <function=name>{…}</function>.
bool ParseFunctionTag(std::string_view text, const std::vector<std::string>&, ParsedCalls& out) {
  size_t at = text.find(kFunctionOpen);
  if (at == std::string_view::npos) return false;
  while (at != std::string_view::npos && out.error.empty()) {
    size_t begin = at + kFunctionOpen.size();
    size_t bracket = text.find('>', begin);
    if (bracket == std::string_view::npos) {
      out.error = "<function= is not closed";
      break;
    }
    size_t end = text.find(kFunctionClose, bracket);
    size_t next = text.find(kFunctionOpen, bracket);
    size_t stop = std::min(end, next);
    ToolCall call;
    call.name = Trim(text.substr(begin, bracket - begin));
    std::string error;
    std::string_view body = Trim(text.substr(bracket + 1, stop == std::string_view::npos ? stop : stop - bracket - 1));
    if (body.starts_with("(") && body.ends_with(")")) body = body.substr(1, body.size() - 2);
    if (call.name.empty() || out.calls.size() >= kMaxCalls)
      out.error = "<function=…> needs a name";
    else if (!ParseStrictJson(body, call.arguments, error))
      out.error = error;
    else if (!call.arguments.is_object())
      out.error = "arguments should be an object";
    else
      out.calls.push_back(std::move(call));
    at = next;
  }
  return true;
}

bool Offered(const std::vector<std::string>& tools, std::string_view name) {
  return std::find(tools.begin(), tools.end(), name) != tools.end();
}

// {"name": "…", "arguments"|"parameters": {…}}; without arguments only for a tool on offer, since {"name": …} may just
// be data.
bool LooksLikeCall(const Json& json, const std::vector<std::string>& tools) {
  if (json.is_array()) return !json.empty() && LooksLikeCall(json[0], tools);
  if (!json.is_object()) return false;
  if (json.contains("function") && json["function"].is_object()) return LooksLikeCall(json["function"], tools);
  auto name = json.find("name");
  if (name == json.end() || !name->is_string()) return false;
  if (json.contains("arguments") || json.contains("parameters")) return true;
  return Offered(tools, name->get_ref<const std::string&>());
}

// The whole answer (or its one ```json fence) is JSON that looks like calls.
bool ParseBareJson(std::string_view text, const std::vector<std::string>& tools, ParsedCalls& out) {
  std::string_view body = Trim(text);
  if (!body.starts_with("{") && !body.starts_with("[")) {
    body = Trim(OnlyJsonFence(text));
    if (!body.starts_with("{") && !body.starts_with("[")) return false;
    out.recovered = true;
  }
  size_t end = JsonEnd(body, 0);
  Json first;
  std::string error;
  if (end != std::string_view::npos && ParseStrictJson(body.substr(0, end), first, error) &&
      LooksLikeCall(first, tools)) {
    ReadSequence(body, out);
    return true;
  }
  out.recovered = false;
  return false;
}

// [f(a=1), g(b="x")], or f(a=1) alone for a tool on offer.
bool ParsePythonic(std::string_view text, const std::vector<std::string>& tools, ParsedCalls& out) {
  std::string_view body = Trim(text);
  if (!LooksLikePythonList(body)) {
    std::string_view name = Trim(body.substr(0, body.find('(')));
    if (body.find('(') == std::string_view::npos || !Offered(tools, name)) return false;
  }
  ReadPython(body, out);
  return true;
}

// The keys of a call in text that no syntax could read: broken JSON, or a call inside prose. One of them alone may be
// an ordinary word.
bool LooksLikeBrokenCall(std::string_view text, const std::vector<std::string>& tools) {
  bool name = text.find("\"name\"") != std::string_view::npos;
  bool arguments =
      text.find("\"arguments\"") != std::string_view::npos || text.find("\"parameters\"") != std::string_view::npos;
  if (name && arguments) return true;
  for (std::string_view tag : {kToolCallClose, kFunctionClose, kMistralArgs})
    if (text.find(tag) != std::string_view::npos) return true;
  for (const std::string& tool : tools) {
    if (tool.empty()) continue;
    for (const std::string& form : {"\"name\": \"" + tool + "\"", "\"name\":\"" + tool + "\"", "[" + tool + "("})
      if (text.find(form) != std::string_view::npos) return true;
  }
  return false;
}

std::string CallJson(const ToolCall& call, std::string_view arguments) {
  return fmt::format("{{\"name\": {}, \"{}\": {}}}", DumpJson(Json(call.name)), arguments, DumpJson(call.arguments));
}

std::string RenderEach(const std::vector<ToolCall>& calls, std::string_view separator,
                       std::string (*render)(const ToolCall&)) {
  std::string out;
  for (size_t i = 0; i < calls.size(); ++i) out += (i ? std::string(separator) : "") + render(calls[i]);
  return out;
}

std::string RenderHermes(const std::vector<ToolCall>& calls) {
  return RenderEach(calls, "\n", [](const ToolCall& call) {
    return "<tool_call>\n" + CallJson(call, "arguments") + "\n</tool_call>";
  });
}
std::string RenderBare(const std::vector<ToolCall>& calls) {
  std::string list = RenderEach(calls, ", ", [](const ToolCall& call) { return CallJson(call, "arguments"); });
  return calls.size() == 1 ? list : "[" + list + "]";
}
std::string RenderMistral(const std::vector<ToolCall>& calls) {
  return "[TOOL_CALLS] [" + RenderEach(calls, ", ", [](const ToolCall& call) { return CallJson(call, "arguments"); }) +
         "]";
}
std::string RenderLlama(const std::vector<ToolCall>& calls) {
  return "<|python_tag|>" + RenderEach(calls, "; ", [](const ToolCall& call) { return CallJson(call, "parameters"); });
}
std::string RenderFunctionTag(const std::vector<ToolCall>& calls) {
  return RenderEach(calls, "", [](const ToolCall& call) {
    return "<function=" + call.name + ">" + DumpJson(call.arguments) + "</function>";
  });
}
std::string RenderPythonic(const std::vector<ToolCall>& calls) {
  return "[" + RenderEach(calls, ", ", RenderPythonCall) + "]";
}

struct Syntax {
  std::string_view name;
  /// True when the text is in this syntax: then calls or error are set.
  bool (*parse)(std::string_view text, const std::vector<std::string>& tools, ParsedCalls& out);
  std::string (*render)(const std::vector<ToolCall>& calls);
};

// Marked syntaxes first.
constexpr Syntax kSyntaxes[] = {
    {"hermes", ParseHermes, RenderHermes},   {"mistral", ParseMistral, RenderMistral},
    {"llama3", ParsePythonTag, RenderLlama}, {"function_tag", ParseFunctionTag, RenderFunctionTag},
    {"json", ParseBareJson, RenderBare},     {"pythonic", ParsePythonic, RenderPythonic},
};

}  // namespace

ParsedCalls ParseCalls(std::string_view text, const std::vector<std::string>& tools) {
  for (const Syntax& syntax : kSyntaxes) {
    ParsedCalls out;
    if (!syntax.parse(text, tools, out)) continue;
    out.syntax = syntax.name;
    return out;
  }
  ParsedCalls out;
  if (LooksLikeBrokenCall(text, tools)) out.error = "looks like a call, but not in a syntax that a parser accepts";
  return out;
}

std::vector<std::string_view> CallSyntaxNames() {
  std::vector<std::string_view> names;
  for (const Syntax& syntax : kSyntaxes) names.push_back(syntax.name);
  return names;
}

std::string RenderCalls(const std::vector<ToolCall>& calls, std::string_view name) {
  for (const Syntax& syntax : kSyntaxes)
    if (syntax.name == name) return syntax.render(calls);
  return {};
}

}  // namespace assay
