// Methods of Python's built-in types, by name.

#include <algorithm>
#include <cmath>

#include "jinja/filters.h"
#include "jinja/runtime.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

using MethodFunction = Value (*)(Runtime& runtime, const Value& self, Arguments& arguments);

struct MethodEntry {
  const char* name;
  MethodFunction function;  // null: refused by the sandbox, because it changes its object
};

struct BoundMethod : CustomObject {
  Value self;
  const MethodEntry* method = nullptr;
  bool Callable() const override { return true; }
  Value Call(Runtime& runtime, Arguments& arguments) override {
    runtime.ChargeTexts(self, arguments);
    return method->function(runtime, self, arguments);
  }
  std::string Repr(Runtime&) override {
    return fmt::format("<built-in method {} of {} object>", method->name, jinja::TypeName(self));
  }
  const char* TypeName() const override { return "builtin_function_or_method"; }
};

// Strings.

Value Text(Runtime& runtime, const Value& self, std::string text) {
  return MakeText(runtime, std::move(text), self.IsMarkup());
}

Value TextList(Runtime& runtime, const Value& self, const std::vector<std::string_view>& parts,
               Type type = Type::kList) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (auto part : parts) items.push_back(Text(runtime, self, std::string(part)));
  return MakeList(runtime, std::move(items), type);
}

template <std::string (*change)(std::string_view)>
Value StrChange(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "str method", "", 0);
  runtime.ChargeBytes(self.text().size() * 2);
  return Text(runtime, self, change(self.text()));
}

template <bool left, bool right>
Value StrStrip(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "strip", "chars /", 0);
  const std::string* characters = bound.Has(0) && !bound[0].IsNone() ? &bound.Text(0) : nullptr;
  std::string_view text = self.text();
  runtime.ChargeBytes(text.size() + (characters ? characters->size() : 0));
  if (right) text = StripRight(text, characters);
  if (left) text = StripLeft(text, characters);
  return Text(runtime, self, std::string(text));
}

template <bool from_right>
Value StrSplit(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, from_right ? "rsplit" : "split", "sep maxsplit", 0);
  int64_t limit = bound.Int(1, -1);
  const std::string& text = self.text();
  // The parts are counted before they are made.
  auto charge = [&](size_t count) {
    if (limit >= 0) count = std::min(count, static_cast<size_t>(limit) + 1);
    runtime.Step(count);
    runtime.ChargeMade(count * sizeof(std::string_view));
  };
  if (!bound.Has(0) || bound[0].IsNone()) {
    charge(CountWords(text));
    return TextList(runtime, self, from_right ? SplitWhiteRight(text, limit) : SplitWhite(text, limit));
  }
  const std::string& separator = bound.Text(0);
  if (separator.empty()) runtime.Fail("empty separator");
  runtime.ChargeSearch(text.size(), separator.size());
  charge(CountText(text, separator) + 1);
  return TextList(runtime, self, from_right ? SplitOnRight(text, separator, limit) : SplitOn(text, separator, limit));
}

Value StrSplitLines(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "splitlines", "keepends", 0);
  runtime.Step(self.text().size() / 8);
  return TextList(runtime, self, SplitLines(self.text(), bound.Flag(0, false)));
}

// The part of the text that optional start and end arguments leave, in bytes; false when start lies past the end.
bool Window(Runtime& runtime, const Value& self, const Bound& bound, size_t first, size_t& begin, size_t& end) {
  int64_t size = *Length(runtime, self);
  auto place = [&](size_t i, int64_t fallback) {
    if (!bound.Has(i) || bound[i].IsNone()) return fallback;
    int64_t at = bound.Int(i, fallback);
    return at < 0 ? std::max<int64_t>(0, at + size) : at;
  };
  int64_t from = place(first, 0), to = std::min(place(first + 1, size), size);
  if (from > size || from > to) return false;
  begin = ByteOffset(self.text(), static_cast<size_t>(from), self.string().ascii);
  end = ByteOffset(self.text(), static_cast<size_t>(to), self.string().ascii);
  return true;
}

template <bool at_end>
Value StrStartsWith(Runtime& runtime, const Value& self, Arguments& arguments) {
  const char* name = at_end ? "endswith" : "startswith";
  Bound bound(runtime, arguments, name, "prefix start end /", 1);
  size_t begin = 0, end = 0;
  bool inside = Window(runtime, self, bound, 1, begin, end);
  std::string_view text = std::string_view(self.text()).substr(begin, end - begin);
  auto matches = [&](const Value& affix) {
    if (!affix.IsString()) runtime.Fail("{} first arg must be str or a tuple of str, not {}", name, TypeName(affix));
    return inside && (at_end ? text.ends_with(affix.text()) : text.starts_with(affix.text()));
  };
  if (!bound[0].is(Type::kTuple)) return Value::Bool(matches(bound[0]));
  for (const Value& affix : bound[0].items())
    if (matches(affix)) return Value::Bool(true);
  return Value::Bool(false);
}

template <bool from_right, bool must_find>
Value StrFind(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, must_find ? "index" : "find", "sub start end /", 1);
  const std::string& needle = bound.Text(0);
  size_t begin = 0, end = 0, found = std::string::npos;
  if (Window(runtime, self, bound, 1, begin, end)) {
    std::string_view text = std::string_view(self.text()).substr(begin, end - begin);
    runtime.ChargeSearch(text.size(), needle.size());
    found = from_right ? text.rfind(needle) : text.find(needle);
  }
  if (found == std::string::npos) {
    if (must_find) runtime.Fail("substring not found");
    return Value::Int(-1);
  }
  return Value::Int(static_cast<int64_t>(CountCodePoints(std::string_view(self.text()).substr(0, begin + found))));
}

Value StrCount(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "count", "sub start end /", 1);
  size_t begin = 0, end = 0;
  if (!Window(runtime, self, bound, 1, begin, end)) return Value::Int(0);
  runtime.ChargeSearch(end - begin, bound.Text(0).size());
  return Value::Int(
      static_cast<int64_t>(CountText(std::string_view(self.text()).substr(begin, end - begin), bound.Text(0))));
}

Value StrReplace(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "replace", "old new count /", 2);
  return ReplaceIn(runtime, self.text(), bound.Text(0), bound.Text(1), bound.Int(2, -1), self.IsMarkup());
}

Value StrJoin(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "join", "iterable /", 1);
  std::string out;
  bool first = true;
  int64_t index = 0;
  Iterator it(runtime, bound[0]);
  for (Value item; it.Next(item); ++index) {
    if (!item.IsString()) runtime.Fail("sequence item {}: expected str instance, {} found", index, TypeName(item));
    if (!first) out += self.text();
    first = false;
    out += self.IsMarkup() && !item.IsMarkup() ? EscapeHtml(item.text()) : item.text();
    runtime.CheckTextSize(out.size());
    runtime.Step((self.text().size() + item.text().size()) / 32);
  }
  return Text(runtime, self, std::move(out));
}

template <bool suffix>
Value StrRemoveAffix(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, suffix ? "removesuffix" : "removeprefix", "affix /", 1);
  const std::string &text = self.text(), &affix = bound.Text(0);
  if (suffix && text.ends_with(affix)) return Text(runtime, self, text.substr(0, text.size() - affix.size()));
  if (!suffix && text.starts_with(affix)) return Text(runtime, self, text.substr(affix.size()));
  return self;
}

template <bool from_right>
Value StrPartition(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, from_right ? "rpartition" : "partition", "sep /", 1);
  std::string_view text = self.text();
  const std::string& separator = bound.Text(0);
  if (separator.empty()) runtime.Fail("empty separator");
  runtime.ChargeSearch(text.size(), separator.size());
  size_t at = from_right ? text.rfind(separator) : text.find(separator);
  if (at == std::string_view::npos)
    return TextList(
        runtime, self,
        from_right ? std::vector<std::string_view>{"", "", text} : std::vector<std::string_view>{text, "", ""},
        Type::kTuple);
  return TextList(runtime, self, {text.substr(0, at), separator, text.substr(at + separator.size())}, Type::kTuple);
}

// side: -1 text at the left (ljust), 0 center, 1 text at the right (rjust).
template <int side>
Value StrJustify(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "center", "width fillchar /", 1);
  std::string fill = bound.Has(1) ? bound.Text(1) : " ";
  if (CountCodePoints(fill) != 1) runtime.Fail("The fill character must be exactly one character long");
  int64_t size = *Length(runtime, self), missing = bound.Int(0, 0) > size ? bound.Int(0, 0) - size : 0;
  runtime.CheckTextSize(static_cast<size_t>(missing));
  int64_t left = side < 0 ? 0 : side > 0 ? missing : missing / 2 + (missing & bound.Int(0, 0) & 1);
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += self.text();
  for (int64_t i = left; i < missing; ++i) out += fill;
  return Text(runtime, self, std::move(out));
}

Value StrZeroFill(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "zfill", "width /", 1);
  int64_t missing = std::max<int64_t>(0, bound.Int(0, 0)) - *Length(runtime, self);
  if (missing <= 0) return self;
  runtime.CheckTextSize(static_cast<size_t>(missing));
  std::string text = self.text();
  text.insert(!text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0, static_cast<size_t>(missing), '0');
  return Text(runtime, self, std::move(text));
}

Value StrExpandTabs(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "expandtabs", "tabsize", 0);
  int64_t size = bound.Int(0, 8), column = 0;
  runtime.Step(self.text().size());
  runtime.CheckTextSize(static_cast<size_t>(std::max<int64_t>(size, 0)));
  std::string out;
  for (auto character : Characters(self.text())) {
    if (character == "\t") {
      int64_t width = size > 0 ? size - column % size : 0;
      runtime.CheckTextSize(out.size() + static_cast<size_t>(width));
      out.append(static_cast<size_t>(width), ' ');
      column += width;
      continue;
    }
    out += character;
    column = character == "\n" || character == "\r" ? 0 : column + 1;
  }
  return Text(runtime, self, std::move(out));
}

template <bool (*is)(uint32_t)>
Value StrAll(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "str method", "", 0);
  const std::string& text = self.text();
  for (size_t at = 0; at < text.size();)
    if (!is(NextCodePoint(text, at))) return Value::Bool(false);
  return Value::Bool(!text.empty());
}

bool IsAlphaNumeric(uint32_t c) {
  return IsAlpha(c) || IsNumeric(c);
}

Value StrIsAscii(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "isascii", "", 0);
  return Value::Bool(self.string().ascii);
}
Value StrIsPrintable(Runtime& runtime, const Value& self, Arguments& arguments) {
  return Value::Bool(self.text().empty() || StrAll<IsPrintable>(runtime, self, arguments).AsBool());
}
Value StrIsLower(Runtime& runtime, const Value& self, Arguments& arguments) {
  return Value::Bool(runtime.CallTest("lower", self, arguments));
}
Value StrIsUpper(Runtime& runtime, const Value& self, Arguments& arguments) {
  return Value::Bool(runtime.CallTest("upper", self, arguments));
}

Value StrIsTitle(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "istitle", "", 0);
  bool inside = false, any = false;
  for (size_t at = 0; at < self.text().size();) {
    uint32_t c = NextCodePoint(self.text(), at);
    bool begins = IsUpper(c) || IsTitle(c), goes_on = IsLower(c);
    if ((begins && inside) || (goes_on && !inside)) return Value::Bool(false);
    inside = begins || goes_on;
    any = any || inside;
  }
  return Value::Bool(any);
}

Value StrIsIdentifier(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "isidentifier", "", 0);
  const std::string& text = self.text();
  if (text.empty() || IsNumeric(static_cast<unsigned char>(text[0]))) return Value::Bool(false);
  for (size_t at = 0; at < text.size();)
    if (!IsWord(NextCodePoint(text, at))) return Value::Bool(false);
  return Value::Bool(true);
}

Value StrFormat(Runtime& runtime, const Value& self, Arguments& arguments) {
  return Text(runtime, self, FormatBraces(runtime, self.text(), arguments, nullptr));
}
Value StrFormatMap(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "format_map", "mapping /", 1);
  Arguments none;
  return Text(runtime, self, FormatBraces(runtime, self.text(), none, &bound[0]));
}

Value Lacking(Runtime& runtime, const Value&, Arguments&) {
  runtime.Throw(ErrorKind::kUnsupported, "this method of str");
}

constexpr MethodEntry kStrMethods[] = {
    {"capitalize", StrChange<Capitalize>},
    {"casefold", StrChange<CaseFold>},
    {"center", StrJustify<0>},
    {"count", StrCount},
    {"encode", Lacking},
    {"endswith", StrStartsWith<true>},
    {"expandtabs", StrExpandTabs},
    {"find", StrFind<false, false>},
    {"format", StrFormat},
    {"format_map", StrFormatMap},
    {"index", StrFind<false, true>},
    {"isalnum", StrAll<IsAlphaNumeric>},
    {"isalpha", StrAll<IsAlpha>},
    {"isascii", StrIsAscii},
    {"isdecimal", StrAll<IsDecimal>},
    {"isdigit", StrAll<IsDigit>},
    {"isidentifier", StrIsIdentifier},
    {"islower", StrIsLower},
    {"isnumeric", StrAll<IsNumeric>},
    {"isprintable", StrIsPrintable},
    {"isspace", StrAll<IsSpace>},
    {"istitle", StrIsTitle},
    {"isupper", StrIsUpper},
    {"join", StrJoin},
    {"ljust", StrJustify<-1>},
    {"lower", StrChange<Lower>},
    {"lstrip", StrStrip<true, false>},
    {"maketrans", Lacking},
    {"partition", StrPartition<false>},
    {"removeprefix", StrRemoveAffix<false>},
    {"removesuffix", StrRemoveAffix<true>},
    {"replace", StrReplace},
    {"rfind", StrFind<true, false>},
    {"rindex", StrFind<true, true>},
    {"rjust", StrJustify<1>},
    {"rpartition", StrPartition<true>},
    {"rsplit", StrSplit<true>},
    {"rstrip", StrStrip<false, true>},
    {"split", StrSplit<false>},
    {"splitlines", StrSplitLines},
    {"startswith", StrStartsWith<false>},
    {"strip", StrStrip<true, true>},
    {"swapcase", StrChange<SwapCase>},
    {"title", StrChange<TitleCase>},
    {"translate", Lacking},
    {"upper", StrChange<Upper>},
    {"zfill", StrZeroFill},
};

// Dicts.

template <DictViewObject::Kind kind>
Value DictView(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "dict view", "", 0);
  auto view = std::make_shared<DictViewObject>();
  view->kind = kind;
  view->dict = self;
  view->depth = self.Depth() + 1;
  runtime.CheckDepth(view->depth);
  return Value::Wrap(Type::kDictView, std::move(view));
}

Value DictGet(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "get", "key default /", 1);
  size_t hash = 0;
  if (!Hash(runtime, bound[0], hash)) runtime.Fail("unhashable type: '{}'", TypeName(bound[0]));
  const Value* found = self.as<DictObject>().Find(runtime, bound[0]);
  return found ? *found : bound.Or(1, Value::None());
}

Value DictFromKeys(Runtime& runtime, const Value&, Arguments& arguments) {
  Bound bound(runtime, arguments, "fromkeys", "iterable value /", 1);
  auto dict = std::make_shared<DictObject>();
  Iterator it(runtime, bound[0]);
  for (Value key; it.Next(key);) dict->Set(runtime, key, bound.Or(1, Value::None()));
  return MakeDict(runtime, std::move(dict));
}

Value CopyOf(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "copy", "", 0);
  if (self.is(Type::kDict)) return self;
  return MakeList(runtime, self.items(), self.type());  // another object, for `sameas`
}

constexpr MethodEntry kDictMethods[] = {
    {"clear", nullptr},
    {"copy", CopyOf},
    {"fromkeys", DictFromKeys},
    {"get", DictGet},
    {"items", DictView<DictViewObject::Kind::kItems>},
    {"keys", DictView<DictViewObject::Kind::kKeys>},
    {"pop", nullptr},
    {"popitem", nullptr},
    {"setdefault", nullptr},
    {"update", nullptr},
    {"values", DictView<DictViewObject::Kind::kValues>},
};

// Lists and tuples.

Value SequenceIndex(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "index", "value start stop /", 1);
  const auto& items = self.items();
  auto size = static_cast<int64_t>(items.size());
  auto place = [&](size_t i, int64_t fallback) {
    int64_t at = bound.Int(i, fallback);
    return at < 0 ? std::max<int64_t>(0, at + size) : std::min(at, size);
  };
  for (int64_t i = place(1, 0), end = place(2, size); i < end; ++i) {
    runtime.Step();
    if (Equal(runtime, items[static_cast<size_t>(i)], bound[0])) return Value::Int(i);
  }
  runtime.Fail("{} is not in {}", Repr(runtime, bound[0]), TypeName(self));
}

Value SequenceCount(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "count", "value /", 1);
  runtime.Step(self.items().size());
  return Value::Int(std::count_if(self.items().begin(), self.items().end(),
                                  [&](const Value& item) { return Equal(runtime, item, bound[0]); }));
}

constexpr MethodEntry kListMethods[] = {
    {"append", nullptr}, {"clear", nullptr},       {"copy", CopyOf},    {"count", SequenceCount},
    {"extend", nullptr}, {"index", SequenceIndex}, {"insert", nullptr}, {"pop", nullptr},
    {"remove", nullptr}, {"reverse", nullptr},     {"sort", nullptr},
};
constexpr MethodEntry kTupleMethods[] = {{"count", SequenceCount}, {"index", SequenceIndex}};

// Numbers.

Value FloatIsInteger(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "is_integer", "", 0);
  return Value::Bool(std::isfinite(self.AsDouble()) && self.AsDouble() == std::trunc(self.AsDouble()));
}
Value IntBitLength(Runtime& runtime, const Value& self, Arguments& arguments) {
  Bound bound(runtime, arguments, "bit_length", "", 0);
  int64_t value = self.AsInt();
  uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  return Value::Int(magnitude ? 64 - __builtin_clzll(magnitude) : 0);
}
constexpr MethodEntry kFloatMethods[] = {{"is_integer", FloatIsInteger}};
constexpr MethodEntry kIntMethods[] = {{"bit_length", IntBitLength}};

template <size_t size>
const MethodEntry* Find(const MethodEntry (&methods)[size], std::string_view name) {
  for (const MethodEntry& method : methods)
    if (name == method.name) return &method;
  return nullptr;
}

const MethodEntry* FindMethod(const Value& self, std::string_view name) {
  switch (self.type()) {
    case Type::kString:
      return Find(kStrMethods, name);
    case Type::kDict:
      return Find(kDictMethods, name);
    case Type::kList:
      return Find(kListMethods, name);
    case Type::kTuple:
      return Find(kTupleMethods, name);
    case Type::kFloat:
      return Find(kFloatMethods, name);
    case Type::kBool:
    case Type::kInt:
      return Find(kIntMethods, name);
    default:
      return nullptr;
  }
}

}  // namespace

std::optional<Value> BuiltinAttribute(Runtime& runtime, const Value& self, std::string_view name) {
  if (self.is(Type::kTuple) && self.as<ListObject>().is_group && (name == "grouper" || name == "list"))
    return self.items()[name == "grouper" ? 0 : 1];
  if ((self.IsIntegral() || self.is(Type::kFloat)) &&
      (name == "real" || name == "imag" || name == "numerator" || name == "denominator")) {
    bool is_float = self.is(Type::kFloat);
    if (name == "real" || (name == "numerator" && !is_float)) return is_float ? self : Value::Int(self.AsInt());
    if (name == "imag") return is_float ? Value::Float(0) : Value::Int(0);
    return is_float ? std::nullopt : std::optional<Value>(Value::Int(1));
  }
  if (self.is(Type::kRange) && (name == "start" || name == "stop" || name == "step")) {
    const auto& range = self.as<RangeObject>();
    return Value::Int(name == "start" ? range.start : name == "stop" ? range.stop : range.step);
  }
  const MethodEntry* method = FindMethod(self, name);
  if (!method) return std::nullopt;
  if (!method->function)
    return Value::Undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, TypeName(self)));
  auto bound = std::make_shared<BoundMethod>();
  bound->self = self;
  bound->method = method;
  bound->depth = self.Depth() + 1;
  runtime.CheckDepth(bound->depth);
  return Value::Wrap(Type::kObject, std::move(bound));
}

}  // namespace assay::jinja
