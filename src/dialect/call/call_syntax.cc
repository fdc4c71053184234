#include "dialect/call/call_syntax.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/strings.h"
#include "dialect/answer_json.h"
#include "dialect/answer_text.h"
#include "dialect/call/call_attempt.h"
#include "dialect/call/call_body.h"
#include "dialect/call/call_context.h"
#include "dialect/call/call_object.h"
#include "dialect/call/python_call.h"
#include "dialect/fence.h"

namespace assay {
namespace {

constexpr std::string_view kFunctionOpen = "<function=";
constexpr TagStyle kFunctionTags = {kFunctionOpen, ">", "</function>", ">", "<parameter=", ">", "</parameter>"};
constexpr TagStyle kNamedFunctionTags = {"<function name=\"", "\"", "</function>", ">",
                                         "<param name=\"",    "\"", "</param>"};
constexpr TagStyle kInvokeTags = {"<invoke name=\"",    "\"", "</invoke>",   ">",
                                  "<parameter name=\"", "\"", "</parameter>"};
constexpr TagStyle kDsmlTags = {"<｜DSML｜invoke name=\"",    "\"", "</｜DSML｜invoke>",   ">",
                                "<｜DSML｜parameter name=\"", "\"", "</｜DSML｜parameter>"};
constexpr TagStyle kAtemTags = {"<atem:invoke name=\"",    "\"", "</atem:invoke>",   ">",
                                "<atem:parameter name=\"", "\"", "</atem:parameter>"};
constexpr TagStyle kKimi3Tags = {"<|open|>call tool=\"",    "\"", "<|close|>call<|sep|>",    "<|sep|>",
                                 "<|open|>argument key=\"", "\"", "<|close|>argument<|sep|>"};

// How the body of a marked section is read.
enum class Body : uint8_t {
  kHermes,  // JSON, or <function=…> tags (Qwen3-Coder), or GLM's keys and values
  kJson,
  kPython,
  kJsonOrPython,
  kTags,       // by the row's style
  kNameKeyed,  // Apertus
  kGemma,
  kMistral,    // a list of calls, or name[ARGS]{…}
  kSeparated,  // [something SEP] name SEP {…}
};

// Sections of calls between marks. A closing mark may have served as a stop string: a section also ends where the next
// one begins, or with the text.
struct Section {
  std::string_view name, open, close;
  Body body;
  const TagStyle* style = nullptr;
  std::string_view separator = {};  // kSeparated
};

constexpr Section kSections[] = {
    {"hermes", "<tool_call>", "</tool_call>", Body::kHermes},
    {"seed", "<seed:tool_call>", "</seed:tool_call>", Body::kTags, &kFunctionTags},
    {"minimax", "<minimax:tool_call>", "</minimax:tool_call>", Body::kTags, &kInvokeTags},
    {"dsml", "<｜DSML｜function_calls>", "</｜DSML｜function_calls>", Body::kTags, &kDsmlTags},
    {"dsml4", "<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>", Body::kTags, &kDsmlTags},
    {"atem", "<atem:function_calls>", "</atem:function_calls>", Body::kTags, &kAtemTags},
    {"kimi3", "<|open|>tools<|sep|>", "<|close|>tools<|sep|>", Body::kTags, &kKimi3Tags},
    {"kimi", "<|tool_call_begin|>", "<|tool_call_end|>", Body::kSeparated, nullptr, "<|tool_call_argument_begin|>"},
    {"deepseek", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", Body::kSeparated, nullptr, "<｜tool▁sep｜>"},
    {"solar", "<|tool_call:name|>", "<|tool_call:end|>", Body::kSeparated, nullptr, "<|tool_call:args|>"},
    {"harmony", "to=functions.", "<|call|>", Body::kSeparated, nullptr, "<|message|>"},
    {"mistral", "[TOOL_CALLS]", "</s>", Body::kMistral},
    {"command", "<|START_ACTION|>", "<|END_ACTION|>", Body::kJson},
    {"gemma4", "<|tool_call>", "<tool_call|>", Body::kGemma},
    {"granite", "<|tool_call|>", "<|/tool_call|>", Body::kJson},  // Phi-4-mini too
    {"nemotron", "<TOOLCALL>", "</TOOLCALL>", Body::kJson},
    {"minimax1", "<tool_calls>", "</tool_calls>", Body::kJson},  // Apriel and Hunyuan too
    {"olmo3", "<function_calls>", "</function_calls>", Body::kPython},
    {"lfm2", "<|tool_call_start|>", "<|tool_call_end|>", Body::kJsonOrPython},
    {"llama4", "<|python_start|>", "<|python_end|>", Body::kJsonOrPython},
    {"apertus", "<|tools_prefix|>", "<|tools_suffix|>", Body::kNameKeyed},
    {"gigachat", "<|function_call|>", "<|message_sep|>", Body::kJson},
    {"gigachat3", "function call<|role_sep|>", "<|message_sep|>", Body::kJson},
    {"gemma", "```tool_code\n", "```", Body::kPython},
};

// Kimi: functions.NAME:0. Harmony: NAME<|channel|>commentary <|constrain|>json.
std::string_view BareName(std::string_view name) {
  name = Trim(name.substr(0, name.find("<|")));
  name = Trim(name.substr(0, name.find(' ')));
  size_t colon = name.rfind(':');
  if (colon != std::string_view::npos && colon + 1 < name.size() &&
      name.find_first_not_of("0123456789", colon + 1) == std::string_view::npos)
    name = name.substr(0, colon);
  return name;
}

void ReadSeparated(std::string_view body, std::string_view separator, ParsedCalls& out) {
  size_t at = body.find(separator);
  if (at == std::string_view::npos) {
    out.error = fmt::format("a call without {}: {}", separator, Quote(body, 60));
    return;
  }
  std::string_view name = Trim(body.substr(0, at)), rest = Trim(body.substr(at + separator.size()));
  if (name == "function" &&
      !rest.starts_with("{")) {  // DeepSeek R1: the type comes first, the arguments on lines of their own
    size_t line = std::min(rest.find('\n'), rest.size());
    name = rest.substr(0, line);
    rest = rest.substr(line);
  }
  for (std::string_view end : {"<|call|>", "<|end|>", "<|start|>"}) rest = rest.substr(0, rest.find(end));
  AddNamedCall(BareName(name), rest, out);
}

void ReadMistral(std::string_view body, ParsedCalls& out) {
  body = Trim(body);
  if (body.starts_with("[") || body.starts_with("{")) return ReadJsonCalls(body, out);
  size_t brace = body.find('{');
  std::string_view name = Trim(body.substr(0, std::min(body.find('['), brace)));
  if (name.empty() || brace == std::string_view::npos)
    out.error = fmt::format("[TOOL_CALLS] without a call: {}", Quote(body, 60));
  else
    AddNamedCall(name, body.substr(brace), out);
}

void ReadHermes(std::string_view body, const OfferedTools& tools, ParsedCalls& out) {
  body = Trim(body);
  if (body.empty()) out.error = "an empty <tool_call>";
  if (!out.error.empty()) return;
  if (body.starts_with(kFunctionOpen)) return ReadTagCalls(body, kFunctionTags, tools, out);
  if (body.starts_with("{") || body.starts_with("[") || body.starts_with("\"")) return ReadJsonCalls(body, out);
  ReadKeyValueCall(body, tools, out);
}

void ReadJsonOrPython(std::string_view body, ParsedCalls& out) {
  body = Trim(body);
  if (body.starts_with("{") || (body.starts_with("[") && !LooksLikePythonList(body))) return ReadJsonCalls(body, out);
  ReadPythonCalls(body, out);
  for (ToolCall& call : out.calls)  // a built-in tool of Llama 3: brave_search.call(query="…")
    if (call.name.ends_with(".call")) call.name.resize(call.name.size() - 5);
}

void ReadBody(const Section& section, std::string_view body, const OfferedTools& tools, ParsedCalls& out) {
  switch (section.body) {
    case Body::kHermes:
      return ReadHermes(body, tools, out);
    case Body::kJson:
      return ReadJsonCalls(body, out);
    case Body::kPython: {
      constexpr std::string_view kPrint = "print(";
      body = Trim(body);
      bool printed = body.starts_with(kPrint) && body.ends_with(")");
      return ReadPythonCalls(printed ? body.substr(kPrint.size(), body.size() - kPrint.size() - 1) : body, out);
    }
    case Body::kJsonOrPython:
      return ReadJsonOrPython(body, out);
    case Body::kTags:
      return ReadTagCalls(body, *section.style, tools, out);
    case Body::kNameKeyed:
      return ReadNameKeyedCalls(body, out);
    case Body::kGemma:
      return ReadGemmaCall(body, out);
    case Body::kMistral:
      return ReadMistral(body, out);
    case Body::kSeparated:
      return ReadSeparated(body, section.separator, out);
  }
}

// Where the mark stands first, but not in quotes, where it is spoken of.
size_t FindMark(std::string_view text, std::string_view mark) {
  size_t at = text.find(mark);
  while (at != std::string_view::npos && IsQuotedMark(text, at, mark.size())) at = text.find(mark, at + mark.size());
  return at;
}

// Places of a mark from the text's beginning to its end. Each byte is searched once, whether the mark is there or not.
class Places {
 public:
  Places(std::string_view text, std::string_view mark) : text_(text), mark_(mark) {}
  /// The first one at or behind `from`, npos for none. `from` never goes back.
  size_t From(size_t from) {
    if (!searched_ || next_ < from) next_ = text_.find(mark_, from);
    searched_ = true;
    return next_;
  }

 private:
  std::string_view text_, mark_;
  size_t next_ = 0;
  bool searched_ = false;
};

// Where a section would end if it held no values.
struct SectionEnds {
  Places close, open;

  SectionEnds(std::string_view text, const Section& section) : close(text, section.close), open(text, section.open) {}
  size_t From(size_t at) { return std::min(close.From(at), open.From(at)); }
};

// What a value may hold that would else end a section, as pairs of marks around text that means nothing.
struct Raw {
  std::string_view open, close;
};

// Behind the last value that begins before the section ends; marks inside values are text.
size_t SkipRaw(std::string_view text, size_t at, const Raw& raw, SectionEnds& ends) {
  Places opens(text, raw.open), closes(text, raw.close);
  while (true) {
    size_t open = opens.From(at);
    if (open >= ends.From(at)) return at;
    size_t close = closes.From(open + raw.open.size());
    if (close == std::string_view::npos) return at;
    at = close + raw.close.size();
  }
}

// The same for JSON values one after the other.
size_t SkipJson(std::string_view text, size_t at, size_t end, std::string_view open) {
  at = text.find_first_of("{[", at);
  if (at >= end) return 0;
  size_t behind = 0;
  while (at < text.size() && (text[at] == '{' || text[at] == '[') && !text.substr(at).starts_with(open)) {
    size_t close = JsonValueEnd(text, at);
    if (close == std::string_view::npos) break;
    behind = close;
    at = std::min(text.find_first_not_of(" \t\r\n,;", close), text.size());
  }
  return behind;
}

// And for Python.
size_t SkipPython(std::string_view text, size_t at, const Section& section) {
  while (at < text.size()) {
    if (text[at] == '"' || text[at] == '\'') {
      size_t close = PythonStringEnd(text, at);
      if (close == std::string_view::npos) return at;
      at = close;
    } else if (text.substr(at).starts_with(section.close) || text.substr(at).starts_with(section.open)) {
      return at;
    } else {
      ++at;
    }
  }
  return at;
}

// The end of a section's body: its closing mark, the next section or the text's end, but not inside a value. `ends` are
// the section's, those of one text for all bodies in order.
size_t BodyEnd(const Section& section, std::string_view text, size_t begin, SectionEnds& ends) {
  auto end_from = [&](size_t at) { return std::min(ends.From(at), text.size()); };
  size_t first = std::min(text.find_first_not_of(" \t\r\n", begin), text.size()), plain = end_from(begin),
         behind = begin;
  char c = first < text.size() ? text[first] : '\0';
  bool json = c == '{' || (c == '[' && !LooksLikePythonList(text.substr(first)));
  switch (section.body) {
    case Body::kHermes:
      behind = json ? SkipJson(text, first, plain, section.open)
               : text.substr(first).starts_with(kFunctionOpen)
                   ? SkipRaw(text, first, {"<parameter=", "</parameter>"}, ends)
                   : SkipRaw(text, first, {"<arg_value>", "</arg_value>"}, ends);
      break;
    case Body::kTags:
      behind = SkipRaw(text, first, {section.style->parameter_open, section.style->parameter_close}, ends);
      break;
    case Body::kGemma:
      behind = SkipRaw(text, first, {"<|\"|>", "<|\"|>"}, ends);
      break;
    case Body::kPython:
      behind = SkipPython(text, first, section);
      break;
    case Body::kJsonOrPython:
      behind = json ? SkipJson(text, first, plain, section.open) : SkipPython(text, first, section);
      break;
    default:
      behind = SkipJson(text, first, plain, section.open);
  }
  return behind > plain ? end_from(behind) : plain;
}

bool ParseSections(const Section& section, std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  size_t at = FindMark(text, section.open);
  if (at == std::string_view::npos) return false;
  SectionEnds ends(text, section);
  while (at != std::string_view::npos && out.error.empty()) {
    size_t begin = at + section.open.size(), end = BodyEnd(section, text, begin, ends);
    ReadBody(section, text.substr(begin, end - begin), tools, out);
    at = text.find(section.open, end);
  }
  return true;
}

// ---- Syntaxes whose marks are not two brackets

// Llama 3: <|python_tag|> and JSON objects separated by ';', or a built-in tool's call.
bool ParsePythonTag(std::string_view text, const OfferedTools&, ParsedCalls& out) {
  constexpr std::string_view kTag = "<|python_tag|>";
  size_t at = FindMark(text, kTag);
  if (at == std::string_view::npos) return false;
  std::string_view rest = Trim(text.substr(at + kTag.size()));
  ReadJsonOrPython(rest, out);
  if (rest.empty()) out.error = "nothing after <|python_tag|>";
  return true;
}

// Llama 3.1 and functionary: <function=name>{…}</function>; without <tool_call> also Qwen3-Coder's parameters.
bool ParseFunctionTag(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  constexpr std::string_view kClose = "</function>";
  constexpr Section kTag = {"", kFunctionOpen, kClose, Body::kTags, &kFunctionTags};
  size_t at = FindMark(text, kFunctionOpen);
  if (at == std::string_view::npos) return false;
  while (at != std::string_view::npos && out.error.empty()) {
    size_t begin = at + kFunctionOpen.size();
    size_t bracket = text.find('>', begin);
    if (bracket == std::string_view::npos) {
      out.error = "<function= is not closed";
      break;
    }
    size_t plain = std::min({text.find(kClose, bracket), text.find(kFunctionOpen, bracket), text.size()});
    size_t behind = std::max(plain, SkipJson(text, bracket + 1, plain, kFunctionOpen));
    std::string_view body = Trim(text.substr(bracket + 1));
    if (body.starts_with(kFunctionTags.parameter_open)) {
      SectionEnds ends(text, kTag);
      size_t end = BodyEnd(kTag, text, bracket + 1, ends);
      if (text.substr(end).starts_with(kClose)) end += kClose.size();
      ReadTagCalls(text.substr(at, end - at), kFunctionTags, tools, out);
      at = text.find(kFunctionOpen, end);
      continue;
    }
    size_t end = std::min({text.find(kClose, behind), text.find(kFunctionOpen, behind), text.size()});
    body = Trim(text.substr(bracket + 1, end - bracket - 1));
    if (body.starts_with("(") && body.ends_with(")")) body = body.substr(1, body.size() - 2);
    AddNamedCall(text.substr(begin, bracket - begin), body, out);
    at = text.find(kFunctionOpen, end);
  }
  return true;
}

bool ParseNamedFunctionTag(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  const TagStyle& style = kNamedFunctionTags;
  size_t at = FindMark(text, style.call_open);
  if (at == std::string_view::npos) return false;
  size_t end = text.rfind(style.call_close), last = text.rfind(style.call_open);
  // Words may follow the last call.
  bool closed = end != std::string_view::npos && end > last;
  ReadTagCalls(text.substr(at, closed ? end + style.call_close.size() - at : end), style, tools, out);
  if (!closed) out.error = "<function name= is not closed";
  return true;
}

// functionary v3.2: >>>name\n{…}; >>>all\n is text.
bool ParseRecipients(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  constexpr std::string_view kTo = ">>>";
  std::string_view trimmed = Trim(text);
  // The first mark is often the prompt's; then the text begins with the name.
  size_t line = std::min(trimmed.find('\n'), trimmed.size());
  std::string_view to = trimmed.substr(0, line);
  bool begun = (to == "all" && trimmed.find(kTo) != std::string_view::npos) ||
               (tools.Contains(to) && Trim(trimmed.substr(line)).starts_with("{"));
  if (!trimmed.starts_with(kTo) && !begun && text.find("\n>>>") == std::string_view::npos) return false;
  bool any = false;
  for (size_t at = trimmed.starts_with(kTo) ? kTo.size() : 0; at < trimmed.size() && out.error.empty();) {
    size_t next = std::min(trimmed.find(kTo, at), trimmed.size());
    std::string_view part = trimmed.substr(at, next - at);
    size_t end = std::min(part.find('\n'), part.size());
    std::string_view name = Trim(part.substr(0, end));
    bool word = name.find_first_of(" \t()\"'") == std::string_view::npos;
    if (name != "all" && word && Trim(part.substr(end)).starts_with("{")) {
      any = true;
      size_t behind = SkipJson(trimmed, at + end, next, kTo);
      if (behind > next) {  // the mark is inside a value
        next = std::min(trimmed.find(kTo, behind), trimmed.size());
        part = trimmed.substr(at, next - at);
      }
      AddNamedCall(name, part.substr(end), out);
    }
    at = next + kTo.size();
  }
  return any;
}

// firefunction: functools[{…}]. Command-R: Action: ```json […]```.
bool ParsePrefixed(std::string_view text, std::string_view prefix, const OfferedTools& tools, ParsedCalls& out) {
  size_t at = text.find(prefix);
  if (at == std::string_view::npos) return false;
  std::string_view rest = Trim(text.substr(at + prefix.size()));
  bool fenced = rest.starts_with("```");
  if (fenced) {
    std::vector<Fence> fences = Fences(rest);
    if (fences.empty()) return false;
    rest = Trim(fences[0].content);
  }
  if (!rest.starts_with("[") && !rest.starts_with("{")) return false;
  size_t end = JsonValueEnd(rest, 0);
  ParsedCalls read;
  ReadJsonCalls(rest.substr(0, end), read);
  Json first;
  std::string error;
  // "Action: [1] buy milk" is prose.
  bool meant = end == std::string_view::npos || !ParseStrictJson(rest.substr(0, end), first, error)
                   ? fenced || rest.find("name\"") != std::string_view::npos
                   : IsCall(first, tools) || (fenced && read.error.empty());
  if (meant) out = std::move(read);
  return meant;
}
bool ParseFunctools(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  return ParsePrefixed(text, "functools", tools, out);
}
bool ParseAction(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  return ParsePrefixed(text, "Action:", tools, out);
}

// The whole answer (or its one ```json fence) is JSON that looks like calls.
bool ParseBareJson(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  std::string_view body = Trim(text);
  if (!body.starts_with("{") && !body.starts_with("[")) {
    body = Trim(OnlyJsonFence(text));
    if (!body.starts_with("{") && !body.starts_with("[")) return false;
    auto begin = static_cast<size_t>(body.data() - text.data());
    if (IsTalkedAbout(text, begin, begin + body.size(), /*alone=*/true)) return false;  // "You can call it like this:"
    out.recovered = true;
  }
  size_t end = JsonValueEnd(body, 0);
  Json first;
  std::string error;
  if (end != std::string_view::npos && ParseStrictJson(body.substr(0, end), first, error) && IsCall(first, tools)) {
    ReadJsonCalls(body, out);
    return true;
  }
  out.recovered = false;
  return false;
}

// [f(a=1), g(b="x")], or f(a=1) alone for a tool on offer. What does not read is prose or an attempt (call_attempt.h).
bool ParsePythonic(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  std::string_view body = Trim(text);
  if (!LooksLikePythonList(body)) {
    size_t open = body.find('(');
    if (open == std::string_view::npos || !tools.Contains(tools.Resolve(std::string(Trim(body.substr(0, open))))))
      return false;
  }
  ParsedCalls read;
  ReadPythonCalls(body, read);
  if (!read.error.empty()) return false;
  out = std::move(read);
  return true;
}

// [NAME(…)] from the first byte to the last, for a tool on offer: a list of calls, whether it can be read or not.
bool IsOfferedList(std::string_view text, const OfferedTools& tools) {
  size_t name = text.find_first_not_of("[ \t\r\n");
  return text.ends_with(")]") && name != std::string_view::npos &&
         tools.Contains(tools.Resolve(std::string(Trim(text.substr(name, text.find('(') - name)))));
}

// Syntaxes of another kind. Those without an opening mark are tried last.
struct Other {
  std::string_view name;
  std::string_view open;  // what every text in it holds; empty: nothing
  std::string_view mark;  // in a chat template that renders it; empty: none tells
  /// True when the text is in this syntax: then calls or error are set.
  bool (*parse)(std::string_view text, const OfferedTools& tools, ParsedCalls& out);
};
constexpr Other kOthers[] = {
    {"llama3", "<|python_tag|>", "<|python_tag|>", ParsePythonTag},
    {"function_tag", "<function=", "<function=", ParseFunctionTag},
    {"minicpm", "<function name=", "<function name=", ParseNamedFunctionTag},
    {"functools", "functools[", "functools[", ParseFunctools},
    {"command_r", "Action:", "Action: ```json", ParseAction},
    {"functionary", "", ">>>", ParseRecipients},
    {"json", "", "", ParseBareJson},
    {"pythonic", "", "", ParsePythonic},
};

// A row of either table, and where its opening mark stands.
struct Candidate {
  size_t at;
  std::string_view name;
  const Section* section;
  const Other* other;

  bool Parse(std::string_view text, const OfferedTools& tools, ParsedCalls& out) const {
    if (!(section ? ParseSections(*section, text, tools, out) : other->parse(text, tools, out))) return false;
    out.syntax = name;
    return true;
  }
};

// Those whose mark is in the text, as they open, then those without a mark. What opens first holds what opens inside
// it.
std::vector<Candidate> Candidates(std::string_view text) {
  std::vector<Candidate> candidates;
  for (const Section& section : kSections)
    if (size_t at = FindMark(text, section.open); at != std::string_view::npos)
      candidates.push_back({at, section.name, &section, nullptr});
  for (const Other& other : kOthers) {
    size_t at = other.open.empty() ? text.size() : FindMark(text, other.open);
    if (at != std::string_view::npos) candidates.push_back({at, other.name, nullptr, &other});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.at < b.at; });
  return candidates;
}

// An answer that is JSON or Python from its first byte to its last: marks in its strings are text.
bool ParseWhole(std::string_view text, const OfferedTools& tools, ParsedCalls& out) {
  std::string_view body = Trim(text);
  auto reads = [&](std::string_view name, auto parse) {
    out = {};
    if (!parse(body, tools, out) || !out.error.empty()) return false;
    out.syntax = name;
    return true;
  };
  if (!body.starts_with("{") && !body.starts_with("[") && !body.starts_with("```json")) return false;
  return reads("json", ParseBareJson) || reads("pythonic", ParsePythonic);
}

// Calls, or the error of a text that is in a syntax and cannot be read; else nothing.
ParsedCalls ParseInSyntax(std::string_view text, const OfferedTools& tools, std::string_view first) {
  ParsedCalls out;
  if (ParseWhole(text, tools, out)) return out;
  std::vector<Candidate> candidates = Candidates(text);
  ParsedCalls preferred;
  for (const Candidate& candidate : candidates)
    if (candidate.name == first && candidate.Parse(text, tools, preferred)) {
      if (preferred.error.empty()) return preferred;
      break;
    }
  for (const Candidate& candidate : candidates) {
    out = {};
    if (!candidate.Parse(text, tools, out)) continue;
    return out.error.empty() || preferred.error.empty() ? out : preferred;
  }
  return {};
}

std::string ValueText(const Json& value) {
  return value.is_string() ? value.get<std::string>() : DumpJson(value);
}

std::string RenderTags(const ToolCall& call, const TagStyle& style) {
  auto head = [&](std::string_view end) {
    return std::string(end) + (end == style.head_end ? "" : std::string(style.head_end));
  };
  std::string out = std::string(style.call_open) + call.name + head(style.name_end);
  for (const auto& [key, value] : call.arguments.items())
    out += std::string(style.parameter_open) + key + head(style.key_end) + "\n" + ValueText(value) + "\n" +
           std::string(style.parameter_close);
  return out + std::string(style.call_close);
}

std::string CallJson(const ToolCall& call, std::string_view arguments = "arguments") {
  return fmt::format("{{\"name\": {}, \"{}\": {}}}", DumpJson(Json(call.name)), arguments, DumpJson(call.arguments));
}

std::string GemmaText(const Json& value) {
  if (value.is_string()) return "<|\"|>" + value.get<std::string>() + "<|\"|>";
  std::string out;
  if (value.is_array()) {
    for (const Json& one : value) out += (out.empty() ? "" : ",") + GemmaText(one);
    return "[" + out + "]";
  }
  if (!value.is_object()) return DumpJson(value);
  for (const auto& [key, one] : value.items()) out += (out.empty() ? "" : ",") + key + ":" + GemmaText(one);
  return "{" + out + "}";
}

// One call as a section's body.
std::string RenderBody(const Section& section, const ToolCall& call) {
  switch (section.body) {
    case Body::kHermes:
    case Body::kJson:
    case Body::kMistral:
    case Body::kJsonOrPython:
      return CallJson(call);
    case Body::kPython:
      return RenderPythonCall(call);
    case Body::kTags:
      return RenderTags(call, *section.style);
    case Body::kNameKeyed:
      return fmt::format("[{{{}: {}}}]", DumpJson(Json(call.name)), DumpJson(call.arguments));
    case Body::kGemma:
      return "call:" + call.name + GemmaText(call.arguments);
    case Body::kSeparated:
      return call.name + std::string(section.separator) + DumpJson(call.arguments);
  }
  return {};
}

std::string RenderOther(const ToolCall& call, std::string_view name) {
  if (name == "llama3") return CallJson(call, "parameters");
  if (name == "function_tag") return "<function=" + call.name + ">" + DumpJson(call.arguments) + "</function>";
  if (name == "minicpm") return RenderTags(call, kNamedFunctionTags);
  if (name == "functionary") return ">>>" + call.name + "\n" + DumpJson(call.arguments);
  if (name == "pythonic") return RenderPythonCall(call);
  return CallJson(call);
}

}  // namespace

ParsedCalls ParseCalls(std::string_view text, const Json& offered, std::string_view first) {
  OfferedTools tools(offered);
  ParsedCalls out = ParseInSyntax(text, tools, first);
  for (ToolCall& call : out.calls) call.name = tools.Resolve(std::move(call.name));
  if (!out.syntax.empty()) return out;
  std::vector<ToolCall> calls;
  std::string why = LooksLikePythonList(Trim(text)) ? ParsePythonCalls(text, kMaxCalls, calls) : "";
  if (!why.empty() && IsOfferedList(Trim(text), tools)) {
    out.error = why;
  } else if (std::string found = FindCallAttempt(text, tools); !found.empty()) {
    out.error = fmt::format("{} looks like a call, but not in a syntax that a parser accepts{}{}", Quote(found, 60),
                            why.empty() ? "" : ": ", why);
  }
  return out;
}

std::string_view CallSyntaxOf(std::string_view chat_template) {
  for (const Section& section : kSections)
    if (chat_template.find(section.open) != std::string_view::npos) return section.name;
  for (const Other& other : kOthers)
    if (!other.mark.empty() && chat_template.find(other.mark) != std::string_view::npos) return other.name;
  return {};
}

std::vector<std::string_view> CallSyntaxNames() {
  std::vector<std::string_view> names;
  for (const Section& section : kSections) names.push_back(section.name);
  for (const Other& other : kOthers) names.push_back(other.name);
  return names;
}

std::string RenderCalls(const std::vector<ToolCall>& calls, std::string_view name) {
  std::string out;
  for (const Section& section : kSections) {
    if (section.name != name) continue;
    for (const ToolCall& call : calls)
      out += std::string(section.open) + RenderBody(section, call) + std::string(section.close);
    return out;
  }
  bool lines = name == "functionary" || name == "minicpm" || name == "function_tag";
  std::string_view separator = name == "llama3" ? "; " : lines ? "\n" : ", ";
  for (const ToolCall& call : calls) {
    if (!out.empty()) out += separator;
    out += RenderOther(call, name);
  }
  if (name == "llama3") return "<|python_tag|>" + out;
  if (name == "functools") return "functools[" + out + "]";
  if (name == "command_r") return "Action: ```json\n[" + out + "]\n```";
  return name == "pythonic" || (name == "json" && calls.size() != 1) ? "[" + out + "]" : out;
}

}  // namespace assay
