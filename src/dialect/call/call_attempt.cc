#include "dialect/call/call_attempt.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "dialect/answer_json.h"
#include "dialect/call/call_arguments.h"
#include "dialect/call/call_context.h"
#include "dialect/call/call_object.h"
#include "dialect/call/python_call.h"

namespace assay {
namespace {

constexpr size_t kMaxBlocks = 2000;      // objects in braces that are read in one answer
constexpr size_t kMaxName = 256;         // bytes of a name with its namespaces
constexpr size_t kMaxMentions = 20'000;  // of offered tools that are looked at

// Marks of calls in formats that no syntax here reads, and what is left of a broken one.
constexpr std::string_view kMarks[] = {"<tool_call",
                                       "</tool_call>",
                                       "<function_call",
                                       "</function_call>",
                                       "<functioncall>",
                                       "<tool_code>",
                                       "</tool_code>",
                                       "<tool_use>",
                                       "<invoke name=",
                                       "</invoke>",
                                       "</function>",
                                       "<api_call>",
                                       "[ARGS]",
                                       "[TOOL_CALL",
                                       "[/TOOL_CALL",
                                       "[TOOL_REQUEST]",
                                       "<|tool_calls_section_begin|>",
                                       "<|tool_call_end|>",
                                       "<｜tool▁calls▁begin｜>",
                                       "<｜tool▁call▁end｜>",
                                       "<|action_start|>",
                                       "<|plugin|>",
                                       "✿FUNCTION✿",
                                       "<longcat_tool_call>",
                                       "<|function_call|>",
                                       "<start_function_call>",
                                       "</seed:tool_call>",
                                       "</minimax:tool_call>",
                                       "</｜DSML｜function_calls>",
                                       "</｜DSML｜tool_calls>",
                                       "</atem:function_calls>",
                                       "<|close|>tools<|sep|>",
                                       "<|tool_call:end|>",
                                       "<|END_ACTION|>",
                                       "<tool_call|>",
                                       "<|/tool_call|>",
                                       "</TOOLCALL>",
                                       "</tool_calls>",
                                       "</function_calls>",
                                       "<|python_end|>",
                                       "<|tools_suffix|>",
                                       "to=functions."};

// Lines of ReAct and its kin: "Action: NAME", then "Action Input: …".
constexpr std::string_view kNameLabels[] = {"action",        "tool",      "function",      "tool name",
                                            "function name", "tool call", "function call", "api",
                                            "call",          "tool_name", "tool_call",     "function_call"};
constexpr std::string_view kInputLabels[] = {"action input", "input",        "arguments",  "args",
                                             "parameters",   "params",       "tool input", "tool arguments",
                                             "inputs",       "action_input", "tool_input"};
// "Action: none" says that nothing is called.
constexpr std::string_view kNoAction[] = {"none",    "n/a",     "no action", "finish", "final answer",
                                          "nothing", "no tool", "null",      "respond"};

constexpr std::string_view kStatements[] = {"for ",    "with ",   "if ",   "elif ",      "while ",
                                            "assert ", "import ", "from ", "async for ", "def "};
constexpr std::string_view kOperators[] = {"==", "!=", "<=", ">=", "+", "@", "=", "&&", "||"};

template <typename Words>
bool Has(const Words& words, std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-' || c == ':' || c == '/';
}

bool IsBlankByte(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Names of tools in the text, in order, each once for every place.
struct Mention {
  size_t begin, end;
  std::string tool;
};

// `word` names a tool, maybe behind namespaces ("default_api.get_weather"); `skip` is their size.
bool NamesTool(std::string_view word, const OfferedTools& tools, std::string& tool, size_t& skip) {
  if (word.size() > kMaxName) return false;
  for (skip = 0;;) {
    tool = tools.Resolve(std::string(word.substr(skip)));
    if (tools.Contains(tool)) return true;
    size_t next = word.find_first_of(".:/", skip);
    if (next == std::string_view::npos) return false;
    skip = next + 1;
  }
}

std::vector<Mention> MentionsOf(std::string_view text, const OfferedTools& tools) {
  std::vector<Mention> mentions;
  if (tools.all().empty()) return mentions;
  size_t longest = 0;
  for (const auto& [name, schema] : tools.all()) longest = std::max(longest, name.size());
  for (size_t at = 0; at < text.size() && mentions.size() < kMaxMentions;) {
    if (!IsNameByte(text[at])) {
      ++at;
      continue;
    }
    size_t begin = at;
    while (at < text.size() && IsNameByte(text[at])) ++at;
    std::string_view word = text.substr(begin, at - begin);
    while (!word.empty() && std::string_view(".-:/").find(word.back()) != std::string_view::npos) word.remove_suffix(1);
    if (word.empty() || word.size() > longest + 64) continue;
    std::string tool;
    size_t skip = 0;
    if (NamesTool(word, tools, tool, skip)) mentions.push_back({begin + skip, begin + word.size(), tool});
  }
  return mentions;
}

std::string_view LineAt(std::string_view text, size_t at) {
  size_t begin = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  begin = begin == std::string_view::npos ? 0 : begin + 1;
  size_t end = std::min(text.find('\n', at), text.size());
  // Only what is near matters; a line may be a whole book.
  begin = std::max(begin, at - std::min<size_t>(at, 200));
  return text.substr(begin, std::min(end, at + 4000) - begin);
}

// ---- Objects in braces

struct Block {
  size_t begin, end;
};

// Outermost pairs of braces, and what a brace that never closes leaves behind. Quotes are JSON's: they end on their
// line.
std::vector<Block> BraceBlocks(std::string_view text) {
  std::vector<size_t> open;
  std::vector<Block> blocks;
  bool quoted = false;
  for (size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (quoted) {
      if (c == '\\')
        ++at;
      else if (c == '"' || c == '\n')
        quoted = false;
      continue;
    }
    if (c == '"' && !open.empty()) quoted = true;
    if (c == '{') open.push_back(at);
    if (c != '}' || open.empty()) continue;
    size_t begin = open.back();
    open.pop_back();
    while (!blocks.empty() && blocks.back().begin > begin) blocks.pop_back();
    blocks.push_back({begin, at + 1});
  }
  if (!open.empty()) blocks.push_back({open.front(), text.size()});
  return blocks;
}

bool IsSureName(std::string_view key) {
  return std::any_of(std::begin(kSureCallPairs), std::end(kSureCallPairs),
                     [&](const auto& pair) { return pair.first == key; });
}

// The key in quotes of either kind.
bool HasQuoted(std::string_view text, std::string_view key) {
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    size_t end = at + key.size();
    if (at > 0 && end < text.size() && (text[at - 1] == '"' || text[at - 1] == '\'') && text[end] == text[at - 1])
      return true;
  }
  return false;
}

// "name": "NAME" (quotes of any kind, or none around the key), in text that is no readable object. any_tool: whatever
// the tool, under the names that are sure to be a tool's.
bool NamesToolInText(std::string_view text, const OfferedTools& tools, bool any_tool) {
  for (std::string_view key : kCallNameKeys) {
    if (any_tool && !IsSureName(key)) continue;
    for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
      char before = at ? text[at - 1] : '{';
      if (IsNameByte(before) && before != ':') continue;
      size_t next = at + key.size();
      if (next < text.size() && (text[next] == '"' || text[next] == '\'')) ++next;
      while (next < text.size() && IsBlankByte(text[next])) ++next;
      if (next >= text.size() || text[next] != ':') continue;
      ++next;
      while (next < text.size() && IsBlankByte(text[next])) ++next;
      if (next >= text.size() || (text[next] != '"' && text[next] != '\'')) continue;
      size_t end = ++next;
      while (end < text.size() && IsNameByte(text[end])) ++end;
      std::string tool;
      size_t skip = 0;
      if (end > next && (any_tool || NamesTool(text.substr(next, end - next), tools, tool, skip))) return true;
    }
  }
  return false;
}

bool IsBrokenCall(std::string_view block, const OfferedTools& tools) {
  bool arguments = std::any_of(std::begin(kCallArgumentKeys), std::end(kCallArgumentKeys), [&](std::string_view key) {
    bool sure = std::any_of(std::begin(kSureCallPairs), std::end(kSureCallPairs),
                            [&](const auto& pair) { return pair.second == key; });
    return sure && HasQuoted(block, key);
  });
  if (block.find("\"properties\"") != std::string_view::npos) return false;  // a tool's description
  if (arguments && NamesToolInText(block, tools, /*any_tool=*/true)) return true;
  return block.find("\"description\"") == std::string_view::npos && NamesToolInText(block, tools, false);
}

std::string FindInBlocks(std::string_view text, const OfferedTools& tools) {
  size_t count = 0;
  for (const Block& block : BraceBlocks(text)) {
    std::string_view body = text.substr(block.begin, block.end - block.begin);
    Json json;
    std::string error;
    bool call = ++count <= kMaxBlocks && (ParseStrictJson(body, json, error) || ParsePythonLiteral(body, json))
                    ? HoldsCall(json, tools)
                    : IsBrokenCall(body, tools);
    if (!call) continue;
    // "NAME({…})" and "NAME {…}" are looked at by their name.
    if (!IsTalkedAbout(text, block.begin, block.end, /*alone=*/true)) return std::string(body);
  }
  return {};
}

// ---- Marks

std::string FindMark(std::string_view text) {
  for (std::string_view mark : kMarks)
    for (size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + mark.size()))
      if (!IsQuotedMark(text, at, mark.size())) return std::string(text.substr(at, 80));
  return {};
}

// ---- Labelled lines

// "**Action:** get_weather" → "action" and "get_weather".
bool SplitLabel(std::string_view line, std::string& label, std::string_view& value) {
  size_t first = line.find_first_not_of(" \t*-#>`_");
  size_t colon = line.find(':');
  if (first == std::string_view::npos || colon == std::string_view::npos || colon < first || colon - first > 24)
    return false;
  label = ToLowerAscii(line.substr(first, colon - first));
  while (!label.empty() && std::string_view(" *_`0123456789").find(label.back()) != std::string_view::npos)
    label.pop_back();
  value = Trim(line.substr(colon + 1));
  while (!value.empty() && std::string_view("*_`\"' ").find(value.front()) != std::string_view::npos)
    value.remove_prefix(1);
  while (!value.empty() && std::string_view("*_`\"'. \r").find(value.back()) != std::string_view::npos)
    value.remove_suffix(1);
  return true;
}

bool IsNoAction(std::string_view value) {
  std::string lower = ToLowerAscii(value);
  return lower.empty() || std::any_of(std::begin(kNoAction), std::end(kNoAction),
                                      [&](std::string_view none) { return lower.starts_with(none); });
}

// "Action: NAME" (a tool on offer), or any name followed by "Action Input:"; "Tool: NAME" followed by its arguments.
std::string FindLabels(std::string_view text, const OfferedTools& tools) {
  std::string label, named_by;
  std::string_view value, name, named_line;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    size_t begin = at;
    at = end + 1;
    if (Trim(line).empty()) continue;
    if (!SplitLabel(line, label, value)) {
      name = {};
      continue;
    }
    if (Has(kNameLabels, label) && !value.empty() && !IsNoAction(value)) {
      std::string tool;
      size_t skip = 0, size = 0;
      while (size < value.size() && IsNameByte(value[size])) ++size;
      bool offered = size > 0 && NamesTool(value.substr(0, size), tools, tool, skip);
      std::string_view rest = Trim(value.substr(size));
      bool whole = offered && (rest.empty() || rest.starts_with("[") || rest.starts_with("{"));
      if (label == "action" && whole && !IsTalkedAbout(text, begin, end, true)) return std::string(line);
      bool word = size == value.size();
      name = offered || (word && label == "action") ? value : std::string_view();
      named_by = offered ? tool : "";
      named_line = line;
      continue;
    }
    if (name.data() && Has(kInputLabels, label)) {
      std::string_view given = value.empty() ? Trim(text.substr(at, 400)) : value;
      bool react = label == "action input" || label == "action_input";
      if ((react || GivesArguments(given, named_by, tools)) && !IsTalkedAbout(text, begin, end, true))
        return std::string(named_line) + "\n" + std::string(line);
    }
    if (label != "thought") name = {};
  }
  return {};
}

// ---- Names of tools in prose and code

// The answer itself defines a function of this name.
bool Defines(std::string_view text, const std::string& tool) {
  for (const char* word : {"def ", "function ", "func ", "fn ", "class "})
    if (text.find(word + tool) != std::string_view::npos) return true;
  return false;
}

// The line's text in front of a call, without what may stand around one: "weather = ", "print(", "await ", "- ", "1. ",
// "[".
bool IsWrapper(std::string_view before) {
  before = Trim(before);
  while (!before.empty() && std::string_view("-*+>`[(\"'").find(before.front()) != std::string_view::npos)
    before = Trim(before.substr(1));
  size_t digits = std::min(before.find_first_not_of("0123456789"), before.size());
  if (digits > 0 && digits < before.size() && (before[digits] == '.' || before[digits] == ')'))
    before = Trim(before.substr(digits + 1));
  for (std::string_view word :
       {"print(", "await ", "return ", "const ", "let ", "var ", "json.dumps(", "tool_code", "tool_call"})
    if (before.starts_with(word) || before == Trim(word))
      before = Trim(before.substr(std::min(word.size(), before.size())));
  if (before.ends_with("=") || before.ends_with("await")) {  // NAME = [await]
    size_t name = before.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return name != std::string_view::npos && name > 0 && Trim(before.substr(name)).starts_with("=");
  }
  return before.find_first_not_of(" [(`.:*,;\"'") == std::string_view::npos || before.ends_with("),") ||
         before.ends_with(");");
}

bool IsTail(std::string_view behind) {
  behind = Trim(behind);
  return behind.empty() || behind.find_first_not_of("])`.;,\"'*") == std::string_view::npos || behind.front() == ',' ||
         behind.front() == ';' || behind.front() == '#';
}

// A statement of a program that is more than a call.
bool IsStatement(std::string_view line) {
  line = Trim(line);
  return std::any_of(std::begin(kStatements), std::end(kStatements),
                     [&](std::string_view word) { return line.starts_with(word); });
}

// The value of the call is used: f(1) == 2, f(1).sum(), with f(1) as x.
bool IsOperand(std::string_view behind) {
  if (behind.starts_with(".") && behind.size() > 1 && behind[1] >= 'a' && behind[1] <= 'z') return true;
  behind = Trim(behind.substr(0, 40));
  return std::any_of(std::begin(kOperators), std::end(kOperators),
                     [&](std::string_view mark) { return behind.starts_with(mark); });
}

bool IsCallInText(std::string_view text, const Mention& mention, const OfferedTools& tools) {
  std::string_view line = LineAt(text, mention.begin);
  auto offset = mention.begin - static_cast<size_t>(line.data() - text.data());
  std::string_view before = line.substr(0, offset);
  // A namespace in front of the name belongs to the call.
  while (!before.empty() && IsNameByte(before.back())) before.remove_suffix(1);
  if (Trim(before).starts_with(">>>") || Trim(before).starts_with("|") || Trim(before).starts_with("In ["))
    return false;
  Arguments arguments = ReadArguments(text, mention.end, mention.tool, tools);
  if (arguments.kind == Arguments::kNone || arguments.kind == Arguments::kSignature) return false;
  bool alone =
      IsWrapper(before) && IsTail(line.substr(std::min(line.size(), arguments.end - (mention.begin - offset))));
  bool listed = Trim(before).ends_with("[");
  bool last = text.find_first_not_of("])`.;,\"'* \t\r\n", arguments.end) == std::string_view::npos;  // nothing follows
  if (!alone && (IsStatement(line) || IsOperand(text.substr(arguments.end)))) return false;
  switch (arguments.kind) {
    case Arguments::kConcrete:
      break;
    case Arguments::kEmpty:  // in a list, or above a text about it, it is a name
      if (!(alone && last && Trim(before).find_first_of("-*+.)") != 0) && !IsAnnounced(text, mention.begin))
        return false;
      if (!alone && IsTalkedAbout(text, mention.begin, arguments.end, false)) return false;
      break;
    case Arguments::kWord:  // get_weather(oslo)
      if (!listed && !(alone && last)) return false;
      break;
    default:
      return false;
  }
  size_t begin = mention.begin - std::min(mention.begin, alone ? offset : size_t{0});
  return !IsTalkedAbout(text, begin, arguments.end, alone);
}

// <get_weather> <city>Oslo</city> </get_weather>, <get_weather city="Oslo"/>.
bool IsTag(std::string_view text, const Mention& mention) {
  if (mention.begin == 0 || text[mention.begin - 1] != '<') return false;
  std::string_view rest = text.substr(mention.end, 2000);
  size_t close = rest.find('>');
  if (close == std::string_view::npos) return false;
  bool attributes = rest.substr(0, close).find("=\"") != std::string_view::npos;
  std::string end = "</" + std::string(text.substr(mention.begin, mention.end - mention.begin)) + ">";
  return attributes || rest.find(end) != std::string_view::npos;
}

std::string FindMentions(std::string_view text, const OfferedTools& tools) {
  // A session with a Python interpreter shows how something works.
  if (text.starts_with(">>> ") || text.find("\n>>> ") != std::string_view::npos) return {};
  std::string defined;  // the tool that the answer defines, found last
  for (const Mention& mention : MentionsOf(text, tools)) {
    if (mention.tool == defined) continue;
    bool tag = IsTag(text, mention);
    if (tag ? IsTalkedAbout(text, mention.begin - 1, mention.end, true) : !IsCallInText(text, mention, tools)) continue;
    if (Defines(text, mention.tool)) {
      defined = mention.tool;
      continue;
    }
    return std::string(text.substr(mention.begin, 80));
  }
  return {};
}

}  // namespace

bool IsQuotedMark(std::string_view text, size_t at, size_t size) {
  if (at == 0 || at + size >= text.size()) return false;
  constexpr std::string_view kQuotes = "`\"'";
  if (kQuotes.find(text[at - 1]) != std::string_view::npos) {
    // The mark's rest may follow: `<tool_call>` for "<tool_call".
    std::string_view behind = text.substr(at + size, 40);
    size_t close = behind.find(text[at - 1]);
    return close != std::string_view::npos && behind.substr(0, close).find_first_of(" \n{[(") == std::string_view::npos;
  }
  std::string_view before = text.substr(0, at);
  return before.ends_with("“") || before.ends_with("‘") || before.ends_with("«");
}

std::string FindCallAttempt(std::string_view text, const OfferedTools& tools) {
  std::string found = FindMark(text);
  if (found.empty()) found = FindInBlocks(text, tools);
  if (found.empty()) found = FindLabels(text, tools);
  if (found.empty()) found = FindMentions(text, tools);
  return found;
}

}  // namespace assay
