#include "dialect/call/call_arguments.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "dialect/answer_json.h"
#include "dialect/call/call_object.h"
#include "dialect/call/python_call.h"

namespace assay {
namespace {

constexpr size_t kMaxBytes = 4000;  // of arguments that are looked at

bool IsLower(std::string_view text) {
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_ ") == std::string_view::npos;
}
bool IsIdentifier(std::string_view text) {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string_view::npos;
}

// The parts between commas of what stands in brackets at `at`; `end` is behind the closing one, or where the text ends.
std::vector<std::string_view> Parts(std::string_view text, size_t at, size_t& end) {
  std::vector<std::string_view> parts;
  std::string open;
  size_t begin = at + 1, stop = std::min(text.size(), at + kMaxBytes);
  char last = text[at];
  for (size_t i = at; i < stop; ++i) {
    char c = text[i];
    if ((c == '"' || c == '\'' || c == '`') && std::string_view("(,=:[{").find(last) != std::string_view::npos) {
      size_t close = i + 1;  // a string; an apostrophe elsewhere is none
      while (close < stop && text[close] != c) close += text[close] == '\\' ? 2 : 1;
      if (close >= stop) break;
      last = c;
      i = close;
      continue;
    }
    if (c == '(' || c == '[' || c == '{') open += c;
    if ((c == ')' || c == ']' || c == '}') && !open.empty()) {
      open.pop_back();
      if (open.empty()) {
        parts.push_back(Trim(text.substr(begin, i - begin)));
        end = i + 1;
        return parts;
      }
    }
    if (c == ',' && open.size() == 1) {
      parts.push_back(Trim(text.substr(begin, i - begin)));
      begin = i + 1;
    }
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') last = c;
  }
  parts.push_back(Trim(text.substr(begin, stop - begin)));  // cut off
  end = stop;
  return parts;
}

// A quoted string's inside, cut off or not; false when `value` is none.
bool Unquote(std::string_view value, std::string_view& inside) {
  size_t prefix = value.size() > 1 && std::string_view("rRuUfFbB").find(value[0]) != std::string_view::npos ? 1 : 0;
  if (value.size() <= prefix) return false;
  char quote = value[prefix];
  if (quote != '"' && quote != '\'' && quote != '`') return false;
  inside = value.substr(prefix + 1);
  if (inside.ends_with(quote)) inside.remove_suffix(1);
  return true;
}

// A number, truth value, list or object; [size] and {key} are marks of a signature.
bool IsLiteral(std::string_view value) {
  if (value.empty()) return false;
  char c = value[0];
  if (c == '[' || c == '{') {
    std::string_view inner = Trim(value.substr(1));
    return inner.empty() || std::string_view("\"'[{]}").find(inner[0]) != std::string_view::npos || IsLiteral(inner) ||
           (c == '{' && inner.find(':') != std::string_view::npos) ||
           (inner[0] >= 'A' && inner[0] <= 'Z' && inner.size() > 2);
  }
  if (value.size() > 1 && (c == '-' || c == '+' || c == '.')) c = value[1];
  return (c >= '0' && c <= '9') || value == "True" || value == "False" || value == "true" || value == "false";
}

// One argument in brackets.
Arguments::Kind KindOf(std::string_view part, const std::string& tool, const OfferedTools& tools) {
  if (part.empty()) return Arguments::kEmpty;
  if (part.starts_with("*") || part.starts_with("...") || part.starts_with("…") || part == "/")
    return Arguments::kSignature;
  std::string_view value = part, key, inside;
  size_t mark = part.find_first_of("=:\"'`{[");
  bool named = mark != std::string_view::npos && (part[mark] == '=' || part[mark] == ':') &&
               IsIdentifier(Trim(part.substr(0, mark)));
  if (named) {
    key = Trim(part.substr(0, mark));
    value = Trim(part.substr(mark + 1));
    if (value.starts_with("=")) return Arguments::kSignature;  // a comparison
    bool annotated = part[mark] == ':' && !Unquote(value, inside) && !IsLiteral(value);
    if (annotated) return Arguments::kSignature;
  }
  if (Unquote(value, inside)) {
    if (!named && tools.Parameter(tool, std::string(inside)).schema) return Arguments::kSignature;
    Placeholder placeholder = PlaceholderOf(inside, key);
    return placeholder == Placeholder::kSure     ? Arguments::kSignature
           : placeholder == Placeholder::kLikely ? Arguments::kNone
                                                 : Arguments::kConcrete;
  }
  if (IsLiteral(value)) return Arguments::kConcrete;
  if (value.starts_with("[") || value.find("[,") != value.npos || value.ends_with("[") || value.ends_with("]") ||
      (!named && value.size() == 1 && static_cast<unsigned char>(value[0]) < 0x80))
    return Arguments::kSignature;  // f([size]), f(a [, b]), f(A)
  if (value == "None" || value == "null") return Arguments::kNone;
  if (PlaceholderOf(value, key) != Placeholder::kNo) return Arguments::kSignature;
  if (named) {  // city=Oslo; city=x and city=self.city are variables
    if (value.size() == 1) return Arguments::kWord;
    return value.find_first_of(".(") == std::string_view::npos ? Arguments::kConcrete : Arguments::kSignature;
  }
  if (!IsLower(value)) {  // a name of our own kind is a parameter
    bool declared =
        tools.Parameter(tool, std::string(value)).schema || tools.Parameter(tool, ToLowerAscii(value)).schema;
    return declared || value.find_first_of("(=<{.|") != std::string_view::npos ? Arguments::kSignature
                                                                               : Arguments::kConcrete;
  }
  if (tools.Parameter(tool, std::string(value)).schema || value.find_first_of("_ ") != std::string_view::npos)
    return Arguments::kSignature;
  return Arguments::kWord;
}

// {city: "Oslo"}, {city:<|"|>Oslo<|"|>}: no JSON, but the first member is a parameter.
bool BeginsWithParameter(std::string_view body, const std::string& tool, const OfferedTools& tools) {
  size_t mark = body.find_first_of(":=");
  if (mark == std::string_view::npos || mark > 100) return false;
  std::string_view key = Trim(body.substr(1, mark - 1)), value = Trim(body.substr(mark + 1)), inside;
  if (Unquote(key, inside)) key = inside;
  if (!tools.Parameter(tool, std::string(key)).schema) return false;
  return value.starts_with("<|") || IsLiteral(value) || Unquote(value, inside);
}

// An object behind the name of `tool`: its arguments, a description of them, or something else.
Arguments::Kind KindOfObject(std::string_view body, const std::string& tool, const OfferedTools& tools) {
  Json json;
  std::string error;
  if (!ParseStrictJson(body, json, error) && !ParsePythonLiteral(body, json))
    return BeginsWithParameter(body, tool, tools) ? Arguments::kConcrete : Arguments::kNone;
  bool any = json.empty();
  for (const auto& [key, value] : json.items()) {
    any = any || tools.Parameter(tool, key).schema;
    if (value.is_object() && (value.contains("type") || value.contains("description"))) return Arguments::kSignature;
  }
  if (!any) return Arguments::kNone;
  bool given = json.empty() || std::any_of(json.items().begin(), json.items().end(), [](const auto& member) {
                 const Json& value = member.value();
                 return !value.is_string() ||
                        PlaceholderOf(value.template get_ref<const std::string&>(), member.key()) == Placeholder::kNo;
               });
  return given ? Arguments::kConcrete : Arguments::kSignature;
}

// Behind the name, up to an object: ": ", "\n", " with arguments ", "\nAction Input: ", "(" …
size_t ObjectAfter(std::string_view text, size_t at) {
  constexpr std::string_view kBetween[] = {"with",  "arguments", "args", "parameters", "params", "action",
                                           "input", "the",       "json", "tool",       "these",  "following"};
  size_t stop = std::min(text.size(), at + 80);
  while (at < stop) {
    char c = text[at];
    if (c == '{') return at;
    if (std::string_view(" \t\r\n:=(`*\"'>").find(c) != std::string_view::npos) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < stop && ((text[end] >= 'a' && text[end] <= 'z') || (text[end] >= 'A' && text[end] <= 'Z'))) ++end;
    std::string word = ToLowerAscii(text.substr(at, end - at));
    if (std::find(std::begin(kBetween), std::end(kBetween), word) == std::end(kBetween)) break;
    at = end;
  }
  return std::string_view::npos;
}

}  // namespace

Arguments ReadArguments(std::string_view text, size_t at, const std::string& tool, const OfferedTools& tools) {
  Arguments out{Arguments::kNone, at};
  if (size_t object = ObjectAfter(text, at); object != std::string_view::npos) {
    size_t end = JsonValueEnd(text.substr(0, std::min(text.size(), object + kMaxBytes)), object);
    if (end != std::string_view::npos) {
      out.kind = KindOfObject(text.substr(object, end - object), tool, tools);
      out.end = end;
      if (out.kind != Arguments::kNone) return out;
      out.end = at;
    }
  }
  if (size_t key = std::min(text.find_first_not_of(' ', at), text.size()); key > at) {  // get_weather city="Oslo"
    size_t mark = text.substr(key, 64).find('=');
    if (mark != std::string_view::npos && tools.Parameter(tool, std::string(text.substr(key, mark))).schema) {
      out.end = std::min(text.find_first_of(" \n", key + mark), text.size());
      std::string_view value = text.substr(key + mark + 1, out.end - key - mark - 1);
      bool given = PlaceholderOf(value, text.substr(key, mark)) == Placeholder::kNo;
      out.kind = given ? Arguments::kConcrete : Arguments::kSignature;
      return out;
    }
  }
  size_t open = at;
  if (open < text.size() && text[open] == ' ') ++open;
  if (open >= text.size() || text[open] != '(' ||
      (open > at && text.substr(open, 20).find_first_of("=\"'") == std::string_view::npos))
    return out;  // "search (the web)" is prose
  std::vector<std::string_view> parts = Parts(text, open, out.end);
  if (Trim(text.substr(out.end, 8)).substr(0, 3).find("->") != std::string_view::npos) {
    out.kind = Arguments::kSignature;
    return out;
  }
  bool concrete = false, word = false, any = false;
  for (std::string_view part : parts) {
    Arguments::Kind kind = KindOf(part, tool, tools);
    if (kind == Arguments::kSignature) {
      out.kind = kind;
      return out;
    }
    concrete = concrete || kind == Arguments::kConcrete;
    word = word || kind == Arguments::kWord;
    any = any || kind != Arguments::kEmpty;
  }
  // f(input, dim=0)
  bool names = word && parts.size() > 1 && parts[0].find_first_of("=:\"'") == std::string_view::npos &&
               parts.back().find('=') != std::string_view::npos;
  out.kind = names      ? Arguments::kSignature
             : concrete ? Arguments::kConcrete
             : word     ? Arguments::kWord
             : any      ? Arguments::kNone
                        : Arguments::kEmpty;
  return out;
}

bool GivesArguments(std::string_view text, const std::string& tool, const OfferedTools& tools) {
  text = Trim(text);
  if (text.starts_with("{")) {
    size_t end = JsonValueEnd(text, 0);
    Arguments::Kind kind =
        end == std::string_view::npos ? Arguments::kConcrete : KindOfObject(text.substr(0, end), tool, tools);
    return kind == Arguments::kConcrete;
  }
  std::string_view line = text.substr(0, text.find('\n'));
  size_t first = std::min(line.find_first_not_of(" -*`\"'"), line.size());
  line = line.substr(first);
  size_t mark = line.find_first_of("=:");
  if (mark == std::string_view::npos) return false;
  std::string key(line.substr(0, std::min(line.find_first_of(" `*\"'=:"), line.size())));
  std::string_view value = Trim(line.substr(mark + 1));
  while (!value.empty() && std::string_view("*`\"' ").find(value.front()) != std::string_view::npos)
    value.remove_prefix(1);
  bool words = std::count(value.begin(), value.end(), ' ') > 3;
  return tools.Parameter(tool, key).schema && !words && PlaceholderOf(value, key) == Placeholder::kNo &&
         !value.starts_with("A ") && !value.starts_with("The ");
}

}  // namespace assay
