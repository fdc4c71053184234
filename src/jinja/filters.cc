// The table of filters, and those on single values. Those on sequences are in filters_sequence.cc.

#include "jinja/filters.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/strings.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

// markupsafe's soft_str: strings stay as they are, Markup included.
Value Soft(Runtime& runtime, const Value& value) {
  return value.IsString() ? value : MakeText(runtime, Str(runtime, value));
}

template <typename Change>
Value ChangeText(Runtime& runtime, const Value& input, Arguments& arguments, const char* name, Change change) {
  Bound bound(runtime, arguments, name, "", 0);
  Value text = Soft(runtime, input);
  runtime.ChargeBytes(text.text().size() * 2);
  return MakeText(runtime, change(text.text()), text.IsMarkup());
}

Value FilterUpper(Runtime& r, const Value& v, Arguments& a) {
  return ChangeText(r, v, a, "upper", [](const std::string& text) { return Upper(text); });
}
Value FilterLower(Runtime& r, const Value& v, Arguments& a) {
  return ChangeText(r, v, a, "lower", [](const std::string& text) { return Lower(text); });
}
Value FilterCapitalize(Runtime& r, const Value& v, Arguments& a) {
  return ChangeText(r, v, a, "capitalize", [](const std::string& text) { return Capitalize(text); });
}

// Unlike str.title, only these characters begin a word.
std::string TitleWords(const std::string& text) {
  auto is_gap = [](uint32_t c) { return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || IsSpace(c); };
  std::string out, word;
  auto flush = [&] {
    if (word.empty()) return;
    size_t at = 0;
    NextCodePoint(word, at);
    out += Upper(word.substr(0, at)) + Lower(word.substr(at));
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    uint32_t c = NextCodePoint(text, at);
    if (is_gap(c)) {
      flush();
      out += text.substr(begin, at - begin);
    } else {
      word += text.substr(begin, at - begin);
    }
  }
  flush();
  return out;
}

Value FilterTitle(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "title", "", 0);
  return MakeText(runtime, TitleWords(Str(runtime, input)));
}

Value FilterTrim(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "trim", "chars", 0);
  Value text = Soft(runtime, input);
  const std::string* characters = bound.Has(0) && !bound[0].IsNone() ? &bound.Text(0) : nullptr;
  runtime.ChargeBytes(text.text().size());
  return MakeText(runtime, std::string(StripLeft(StripRight(text.text(), characters), characters)), text.IsMarkup());
}

Value FilterReplace(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "replace", "old new count", 2);
  int64_t count = bound.Has(2) && !bound[2].IsNone() ? bound.Int(2, -1) : -1;
  return ReplaceIn(runtime, Str(runtime, input), Str(runtime, bound[0]), Str(runtime, bound[1]), count, false);
}

Value FilterDefault(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "default", "default_value boolean", 0);
  bool replace = input.IsUndefined() || (bound.Flag(1, false) && !Truth(runtime, input));
  return replace ? bound.Or(0, Value::String("")) : input;
}

Value FilterString(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "string", "", 0);
  return Soft(runtime, input);
}
Value FilterSafe(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "safe", "", 0);
  return MakeText(runtime, Str(runtime, input), true);
}
Value FilterEscape(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "escape", "", 0);
  return input.IsMarkup() ? input : MakeText(runtime, EscapeHtml(Str(runtime, input)), true);
}
Value FilterForceEscape(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "forceescape", "", 0);
  return MakeText(runtime, EscapeHtml(Str(runtime, input)), true);
}

Value FilterToJson(Runtime& runtime, const Value& input, Arguments& arguments) {
  arguments.positional.insert(arguments.positional.begin(), input);
  return MakeText(runtime, ToJsonText(runtime, arguments));
}

Value FilterIndent(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "indent", "width first blank", 0);
  std::string indention;
  if (bound.Has(0) && bound[0].IsString()) {
    indention = bound.Text(0);
  } else {
    int64_t width = std::max<int64_t>(0, bound.Int(0, 4));
    runtime.CheckTextSize(static_cast<size_t>(width));
    indention.assign(static_cast<size_t>(width), ' ');
  }
  if (input.IsUndefined()) runtime.Fail("{}", input.UndefinedMessage());
  if (!input.IsString()) runtime.Fail("indent() needs a string, found '{}'", TypeName(input));
  std::string text = input.text() + "\n";
  runtime.Step(text.size() / 8);
  auto lines = SplitLines(text, false);
  bool blank = bound.Flag(2, false);
  runtime.ChargeBytes(text.size() + lines.size() * std::min(indention.size(), SIZE_MAX / (lines.size() + 1) / 2));
  std::string out = bound.Flag(1, false) ? indention : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (blank || !lines[i].empty())) out += indention;
    out += lines[i];
  }
  return MakeText(runtime, std::move(out), input.IsMarkup());
}

Value FilterInt(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "int", "default base", 0);
  Value fallback = bound.Or(0, Value::Int(0));
  if (input.IsUndefined()) runtime.Fail("{}", input.UndefinedMessage());
  if (input.IsIntegral()) return Value::Int(input.AsInt());
  if (input.is(Type::kBigInt)) return input;
  double number = 0;
  if (input.IsString()) {
    int64_t integer = 0, base = bound.Int(1, 10);
    std::string beyond;
    if (base < 0 || base > 36 || base == 1) return fallback;
    runtime.ChargeBytes(input.text().size());
    if (ParseInt(input.text(), static_cast<int>(base), integer, beyond))
      return beyond.empty() ? Value::Int(integer) : Value::Integer(std::move(beyond));
    if (!ParseFloat(input.text(), number) || !std::isfinite(number)) return fallback;
  } else if (input.is(Type::kFloat)) {
    number = input.AsDouble();
    if (std::isnan(number)) return fallback;
    if (std::isinf(number)) runtime.Fail("cannot convert float infinity to integer");
  } else {
    return fallback;
  }
  return Value::Integer(fmt::format("{:.0f}", std::trunc(number) + 0.0));
}

Value FilterFloat(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "float", "default", 0);
  if (input.IsUndefined()) runtime.Fail("{}", input.UndefinedMessage());
  if (input.IsNumber()) return Value::Float(input.AsDouble());
  double number = 0;
  if (input.IsString() && ParseFloat(input.text(), number)) return Value::Float(number);
  return bound.Or(0, Value::Float(0));
}

Value FilterAbs(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "abs", "", 0);
  if (input.is(Type::kFloat)) return Value::Float(std::fabs(input.AsDouble()));
  if (input.is(Type::kBigInt)) return input.digits()[0] == '-' ? runtime.Negative(input) : input;
  if (!input.IsIntegral()) runtime.Fail("bad operand type for abs(): '{}'", TypeName(input));
  return input.AsInt() < 0 ? runtime.Negative(input) : Value::Int(input.AsInt());
}

// Half to even at a decimal place of an integer; `place` > 0.
Value RoundInteger(Runtime& runtime, int64_t value, int64_t place) {
  if (place > 18) return Value::Int(0);
  int64_t unit = 1;
  for (int64_t i = 0; i < place; ++i) unit *= 10;
  int64_t rest = value % unit, base = value - rest;
  int64_t twice_over = std::abs(rest) - (unit - std::abs(rest));  // against the half way
  bool up = twice_over > 0 || (twice_over == 0 && (base / unit) % 2 != 0);
  if (up && __builtin_add_overflow(base, value < 0 ? -unit : unit, &base))
    runtime.Throw(ErrorKind::kUnsupported, "computing with integers beyond 64 bits");
  return Value::Int(base);
}

Value FilterRound(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "round", "precision method", 0);
  std::string method = bound.Has(1) ? Str(runtime, bound[1]) : "common";
  int64_t precision = bound.Int(0, 0);
  if (method != "common" && method != "ceil" && method != "floor") runtime.Fail("method must be common, ceil or floor");
  if (!input.IsNumber()) runtime.Fail("type {} doesn't define __round__ method", TypeName(input));
  double number = input.AsDouble();
  if (method != "common") {
    double unit = std::pow(10.0, static_cast<double>(precision));
    double scaled = method == "ceil" ? std::ceil(number * unit) : std::floor(number * unit);
    if (!std::isfinite(scaled)) runtime.Fail("cannot convert float {} to integer", ReprFloat(scaled));
    return Value::Float(scaled / unit);
  }
  if (input.is(Type::kBigInt)) {
    if (precision < 0) runtime.Throw(ErrorKind::kUnsupported, "computing with integers beyond 64 bits");
    return input;
  }
  if (input.IsIntegral())
    return precision >= 0 ? Value::Int(input.AsInt()) : RoundInteger(runtime, input.AsInt(), -precision);
  if (!std::isfinite(number) || precision > 323) return input;
  if (precision < -308) return Value::Float(std::copysign(0.0, number));
  if (precision >= 0) {
    double rounded = 0;
    std::string text = fmt::format("{:.{}f}", std::fabs(number), static_cast<int>(precision));
    ParseFloat(text, rounded);
    return Value::Float(std::copysign(rounded, number));
  }
  double unit = std::pow(10.0, static_cast<double>(-precision));
  return Value::Float(std::nearbyint(number / unit) * unit);
}

Value FilterFormat(Runtime& runtime, const Value& input, Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.keywords.empty())
    runtime.Fail("can't handle positional and keyword arguments at the same time");
  Value values;
  if (arguments.keywords.empty()) {
    values = MakeTuple(runtime, arguments.positional);
  } else {
    auto dict = std::make_shared<DictObject>();
    for (const auto& [name, value] : arguments.keywords) dict->Set(runtime, Value::String(name), value);
    values = MakeDict(runtime, std::move(dict));
  }
  Value format = Soft(runtime, input);
  return MakeText(runtime, FormatPercent(runtime, format.text(), values), format.IsMarkup());
}

Value FilterWordCount(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "wordcount", "", 0);
  std::string text = Str(runtime, input);
  int64_t count = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    bool word = IsWord(NextCodePoint(text, at));
    if (word && !inside) ++count;
    inside = word;
  }
  return Value::Int(count);
}

Value FilterTruncate(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "truncate", "length killwords end leeway", 0);
  std::string end = bound.Has(2) ? bound.Text(2) : "...";
  int64_t length = bound.Int(0, 255), leeway = bound.Has(3) && !bound[3].IsNone() ? bound.Int(3, 5) : 5;
  auto end_size = static_cast<int64_t>(CountCodePoints(end));
  if (length < end_size) runtime.Fail("expected length >= {}, got {}", end_size, length);
  if (leeway < 0) runtime.Fail("expected leeway >= 0, got {}", leeway);
  if (input.IsUndefined()) return input;
  if (!input.IsString()) runtime.Fail("truncate() needs a string, found '{}'", TypeName(input));
  int64_t size = *Length(runtime, input);
  if (leeway > INT64_MAX - length || size <= length + leeway) return input;
  std::string head =
      input.text().substr(0, ByteOffset(input.text(), static_cast<size_t>(length - end_size), input.string().ascii));
  if (!bound.Flag(1, false))
    if (size_t space = head.rfind(' '); space != std::string::npos) head.resize(space);
  return MakeText(runtime, head + end, input.IsMarkup());
}

Value FilterCenter(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "center", "width", 0);
  Value text = Soft(runtime, input);
  Arguments width;
  width.positional.push_back(Value::Int(bound.Int(0, 80)));
  return runtime.Call(runtime.Attribute(text, "center"), width);
}

Value FilterFileSize(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "filesizeformat", "binary", 0);
  double bytes = 0;
  if (input.IsNumber())
    bytes = input.AsDouble();
  else if (!input.IsString() || !ParseFloat(input.text(), bytes))
    runtime.Fail("could not convert '{}' to float", TypeName(input));
  bool binary = bound.Flag(0, false);
  double base = binary ? 1024 : 1000;
  if (bytes == 1) return Value::String("1 Byte");
  if (bytes < base) return Value::String(fmt::format("{:.0f} Bytes", std::trunc(bytes)));
  double unit = base;
  char prefix = 0;
  for (char each : std::string_view("kMGTPEZY")) {
    prefix = each;
    unit *= base;
    if (bytes < unit) break;
  }
  if (binary && prefix == 'k') prefix = 'K';
  return Value::String(fmt::format("{:.1f} {}{}", base * bytes / unit, prefix, binary ? "iB" : "B"));
}

std::string UrlQuote(std::string_view text, bool query) {
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x80 && std::isalnum(byte)) || c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query))
      out += c;
    else if (c == ' ' && query)
      out += '+';
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

Value FilterUrlEncode(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "urlencode", "", 0);
  if (input.IsString() || !IsIterable(input)) return MakeText(runtime, UrlQuote(Str(runtime, input), false));
  std::vector<Value> pairs;
  if (input.is(Type::kDict))
    for (const auto& [key, value] : input.as<DictObject>().entries) pairs.push_back(MakePair(runtime, key, value));
  else
    pairs = Collect(runtime, input);
  std::string out;
  for (const Value& pair : pairs) {
    auto parts = Collect(runtime, pair);
    if (parts.size() != 2) runtime.Fail("urlencode() needs pairs, found {} values", parts.size());
    if (!out.empty()) out += '&';
    out += UrlQuote(Str(runtime, parts[0]), true) + "=" + UrlQuote(Str(runtime, parts[1]), true);
    runtime.CheckTextSize(out.size());
  }
  return MakeText(runtime, std::move(out));
}

constexpr FilterEntry kFilters[] = {
    {"abs", FilterAbs},
    {"attr", FilterAttr},
    {"batch", FilterBatch},
    {"capitalize", FilterCapitalize},
    {"center", FilterCenter},
    {"count", FilterLength},
    {"d", FilterDefault},
    {"default", FilterDefault},
    {"dictsort", FilterDictSort},
    {"e", FilterEscape},
    {"escape", FilterEscape},
    {"filesizeformat", FilterFileSize},
    {"first", FilterFirst},
    {"float", FilterFloat},
    {"forceescape", FilterForceEscape},
    {"format", FilterFormat},
    {"groupby", FilterGroupBy},
    {"indent", FilterIndent},
    {"int", FilterInt},
    {"items", FilterItems},
    {"join", FilterJoin},
    {"last", FilterLast},
    {"length", FilterLength},
    {"list", FilterList},
    {"lower", FilterLower},
    {"map", FilterMap},
    {"max", FilterMax},
    {"min", FilterMin},
    {"reject", FilterReject},
    {"rejectattr", FilterRejectAttr},
    {"replace", FilterReplace},
    {"reverse", FilterReverse},
    {"round", FilterRound},
    {"safe", FilterSafe},
    {"select", FilterSelect},
    {"selectattr", FilterSelectAttr},
    {"slice", FilterSlice},
    {"sort", FilterSort},
    {"string", FilterString},
    {"sum", FilterSum},
    {"title", FilterTitle},
    {"tojson", FilterToJson},
    {"trim", FilterTrim},
    {"truncate", FilterTruncate},
    {"unique", FilterUnique},
    {"upper", FilterUpper},
    {"urlencode", FilterUrlEncode},
    {"wordcount", FilterWordCount},
};

}  // namespace

const FilterEntry* FindFilter(std::string_view name) {
  static const auto* by_name = [] {
    auto* map = new std::unordered_map<std::string_view, const FilterEntry*>();
    for (const FilterEntry& entry : kFilters) map->emplace(entry.name, &entry);
    return map;
  }();
  auto it = by_name->find(name);
  return it == by_name->end() ? nullptr : it->second;
}

bool IsLeftOut(std::string_view name) {
  static constexpr std::string_view kLeftOut[] = {"pprint",   "random",  "striptags", "urlize",
                                                  "wordwrap", "xmlattr", "lipsum",    "self"};
  return std::find(std::begin(kLeftOut), std::end(kLeftOut), name) != std::end(kLeftOut);
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&#34;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

Value ReplaceIn(Runtime& runtime, std::string_view text, std::string_view from, std::string_view to, int64_t limit,
                bool markup) {
  runtime.ChargeSearch(text.size(), from.size());
  // The size is known before the text is built: a few bytes may become many.
  size_t count = CountText(text, from);
  if (limit >= 0) count = std::min(count, static_cast<size_t>(limit));
  double size = static_cast<double>(text.size()) + static_cast<double>(count) * static_cast<double>(to.size());
  runtime.CheckTextSize(size > 1e15 ? SIZE_MAX : static_cast<size_t>(size));
  return MakeText(runtime, ReplaceText(text, from, to, limit), markup);
}

}  // namespace assay::jinja
