#include "base/edit/json_edit.h"

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace assay {
namespace {

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t SkipSpace(std::string_view text, size_t at) {
  while (at < text.size() && IsSpace(text[at])) ++at;
  return at;
}

/// Of the text's value, behind a byte order mark, which ParseJson passes over too.
size_t ValueBegin(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return SkipSpace(text, text.starts_with(kMark) ? kMark.size() : 0);
}

/// Behind the string that begins at `at`.
size_t StringEnd(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

/// Behind the value that begins at `at`.
size_t ValueEnd(std::string_view text, size_t at) {
  if (at >= text.size()) return at;
  if (text[at] == '"') return StringEnd(text, at);
  if (text[at] != '{' && text[at] != '[') {
    while (at < text.size() && !IsSpace(text[at]) && text[at] != ',' && text[at] != '}' && text[at] != ']') ++at;
    return at;
  }
  for (int depth = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = StringEnd(text, at);
      continue;
    }
    depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    ++at;
    if (depth == 0) break;
  }
  return at;
}

/// Between two members, and between a name and its value, as the text has it.
struct Style {
  std::string comma = ",", colon = ":";
};

Style StyleOf(std::string_view text, const std::vector<JsonPart>& parts) {
  Style style;
  if (parts.empty()) return style;
  if (text[parts[0].begin] == '"' && parts[0].value > parts[0].begin)
    style.colon = text.substr(StringEnd(text, parts[0].begin), parts[0].value - StringEnd(text, parts[0].begin));
  if (parts.size() > 1)
    style.comma = text.substr(parts[0].end, parts[1].begin - parts[0].end);
  else if (style.colon.ends_with(' '))
    style.comma = ", ";
  return style;
}

/// Where `step` leads in a text of those parts; nothing: it is not there.
std::optional<size_t> Find(const std::vector<JsonPart>& parts, const Json& step) {
  if (step.is_string()) {
    for (size_t i = 0; i < parts.size(); ++i)
      if (parts[i].key == step.get_ref<const std::string&>()) return i;
    return std::nullopt;
  }
  const std::optional<size_t> place = PlaceIn(step);
  return place && *place < parts.size() ? place : std::nullopt;
}

void RequireStep(std::string_view text, const Json& step) {
  const size_t at = ValueBegin(text);
  const char opens = at < text.size() ? text[at] : ' ';
  if (step.is_string() ? opens == '{' : opens == '[' && PlaceIn(step)) return;
  Fail(ErrorKind::kInvalid, "a change leads to {}, where {} stands", DumpJson(step), text.substr(at, 60));
}

std::string SetAt(std::string_view text, const Json& path, size_t depth, std::string_view value) {
  if (depth == path.size()) return std::string(value);
  const Json& step = path[depth];
  RequireStep(text, step);
  const std::vector<JsonPart> parts = JsonParts(text);
  if (const std::optional<size_t> found = Find(parts, step)) {
    const JsonPart& part = parts[*found];
    return std::string(text.substr(0, part.value)) + SetAt(part.Text(text), path, depth + 1, value) +
           std::string(text.substr(part.end));
  }
  if (step.is_number() && step.get<size_t>() != parts.size())
    Fail(ErrorKind::kInvalid, "a change leads to element {} of a list of {}", step.get<size_t>(), parts.size());
  const std::string inside = depth + 1 == path.size() ? std::string(value) : SetAt("{}", path, depth + 1, value);
  const Style style = StyleOf(text, parts);
  const size_t at = parts.empty() ? ValueBegin(text) + 1 : parts.back().end;
  return std::string(text.substr(0, at)) + (parts.empty() ? "" : style.comma) +
         (step.is_string() ? DumpJson(step) + style.colon : "") + inside + std::string(text.substr(at));
}

std::string RemoveAt(std::string_view text, const Json& path, size_t depth) {
  const Json& step = path[depth];
  RequireStep(text, step);
  const std::vector<JsonPart> parts = JsonParts(text);
  const std::optional<size_t> found = Find(parts, step);
  if (!found) return std::string(text);
  const JsonPart& part = parts[*found];
  if (depth + 1 < path.size())
    return std::string(text.substr(0, part.value)) + RemoveAt(part.Text(text), path, depth + 1) +
           std::string(text.substr(part.end));
  const bool last = *found + 1 == parts.size();
  const size_t from = last && *found > 0 ? parts[*found - 1].end : part.begin;
  const size_t to = last ? part.end : parts[*found + 1].begin;
  return std::string(text.substr(0, from)) + std::string(text.substr(to));
}

}  // namespace

std::optional<size_t> PlaceIn(const Json& step) {
  if (!step.is_number_integer() || step < 0) return std::nullopt;
  return step.get<size_t>();
}

std::vector<JsonPart> JsonParts(std::string_view text) {
  std::vector<JsonPart> parts;
  size_t at = ValueBegin(text);
  if (at >= text.size() || (text[at] != '{' && text[at] != '[')) return parts;
  const bool object = text[at] == '{';
  for (++at; at < text.size();) {
    at = SkipSpace(text, at);
    if (at >= text.size() || text[at] == '}' || text[at] == ']') break;
    if (text[at] == ',') {
      ++at;
      continue;
    }
    JsonPart part;
    part.begin = part.value = at;
    if (object) {
      const size_t name_end = StringEnd(text, at);
      part.key = ParseJson(text.substr(at, name_end - at), "a name").get<std::string>();
      part.value = SkipSpace(text, std::min(SkipSpace(text, name_end) + 1, text.size()));  // behind the colon
    }
    part.end = ValueEnd(text, part.value);
    if (part.end == part.begin) break;  // no JSON
    at = part.end;
    parts.push_back(std::move(part));
  }
  return parts;
}

std::string SetInJson(std::string_view text, const Json& path, std::string_view value) {
  return SetAt(text, path, 0, value);
}

std::string RemoveFromJson(std::string_view text, const Json& path) {
  return path.empty() ? std::string(text) : RemoveAt(text, path, 0);
}

std::string MergeJson(std::string_view text, std::string_view wanted) {
  const std::vector<JsonPart> before = JsonParts(text), after = JsonParts(wanted);
  const size_t opens = ValueBegin(text), opens_after = ValueBegin(wanted);
  const bool both_objects =
      opens < text.size() && text[opens] == '{' && opens_after < wanted.size() && wanted[opens_after] == '{';
  if (!both_objects || before.empty() || after.empty()) return LayOutJson(wanted);
  const auto same_key = [](const JsonPart& a, const JsonPart& b) { return a.key == b.key; };
  const bool in_place = std::equal(before.begin(), before.end(), after.begin(), after.end(), same_key);
  const Style style = StyleOf(text, before);
  std::string out(text.substr(0, before[0].begin));
  for (size_t i = 0; i < after.size(); ++i) {
    const JsonPart& part = after[i];
    std::string value = LayOutJson(part.Text(wanted));
    std::string name = DumpJson(Json(part.key)) + style.colon;
    if (const std::optional<size_t> kept = Find(before, Json(part.key))) {
      const JsonPart& old = before[*kept];
      if (LayOutJson(old.Text(text)) == value) value = old.Text(text);
      name = text.substr(old.begin, old.value - old.begin);
    }
    out += name + value;
    if (i + 1 < after.size())
      out += in_place ? text.substr(before[i].end, before[i + 1].begin - before[i].end) : std::string_view(style.comma);
  }
  return out + std::string(text.substr(before.back().end));
}

std::string LayOutJson(std::string_view text, int indent) {
  std::string out;
  size_t depth = 0;
  const auto line = [&] {
    if (indent >= 0) out += "\n" + std::string(depth * static_cast<size_t>(indent), ' ');
  };
  for (size_t at = ValueBegin(text); at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      const size_t end = StringEnd(text, at);
      out += text.substr(at, end - at);
      at = end;
      continue;
    }
    ++at;
    if (IsSpace(c)) continue;
    if (c == '}' || c == ']') {
      depth -= depth > 0;
      if (!out.empty() && out.back() != '{' && out.back() != '[') line();
      out += c;
      continue;
    }
    out += c;
    if (c == '{' || c == '[') {
      ++depth;
      const size_t next = SkipSpace(text, at);
      if (next < text.size() && text[next] != '}' && text[next] != ']') line();
    } else if (c == ',') {
      line();
    } else if (c == ':' && indent >= 0) {
      out += ' ';
    }
  }
  return out;
}

}  // namespace assay
