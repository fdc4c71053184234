// Python's two ways to format: "%s" % values, and "{}".format(values) with its mini-language.

#include <charconv>
#include <cmath>
#include <cstdio>

#include "jinja/runtime.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

constexpr int64_t kMaxWidth = 1'000'000;
constexpr int64_t kMaxPrecision = 1'000;
constexpr const char* kBigFormat = "a format for an integer beyond 64 bits";

struct Spec {
  std::string fill = " ";
  char align = 0;  // < > = ^
  char sign = '-';
  bool alternate = false;
  int64_t width = 0;
  char group = 0;  // , or _
  int64_t precision = -1;
  char type = 0;
};

int64_t ReadNumber(Runtime& runtime, std::string_view text, size_t& at, int64_t limit) {
  int64_t number = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    number = number * 10 + (text[at++] - '0');
    if (number > limit) runtime.Throw(ErrorKind::kResource, "a width or precision too large");
  }
  return number;
}

// Pads text that begins with `prefix` bytes of sign and base marker.
std::string Pad(Runtime& runtime, const std::string& text, size_t prefix, const Spec& spec, char default_align) {
  auto size = static_cast<int64_t>(CountCodePoints(text));
  if (spec.width <= size) return text;
  runtime.ChargeBytes(static_cast<size_t>(spec.width));
  int64_t missing = spec.width - size;
  auto fill = [&](int64_t count) {
    std::string out;
    for (int64_t i = 0; i < count; ++i) out += spec.fill;
    return out;
  };
  switch (spec.align ? spec.align : default_align) {
    case '<':
      return text + fill(missing);
    case '^':
      return fill(missing / 2) + text + fill(missing - missing / 2);
    case '=':
      return text.substr(0, prefix) + fill(missing) + text.substr(prefix);
    default:
      return fill(missing) + text;
  }
}

std::string Digits(uint64_t magnitude, int base, bool upper) {
  char buffer[64];
  std::string out(buffer, std::to_chars(buffer, buffer + sizeof buffer, magnitude, base).ptr);
  return upper ? Upper(out) : out;
}

std::string Grouped(const std::string& digits, char group, size_t every) {
  if (!group) return digits;
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i && (digits.size() - i) % every == 0) out += group;
    out += digits[i];
  }
  return out;
}

// C's e, f and g for a magnitude.
std::string Printed(double magnitude, char type, int64_t precision, bool alternate) {
  char format[16];
  std::snprintf(format, sizeof format, alternate ? "%%#.*%c" : "%%.*%c", type);
  int size = std::snprintf(nullptr, 0, format, static_cast<int>(precision), magnitude);
  std::string out(static_cast<size_t>(size), '\0');
  std::snprintf(out.data(), out.size() + 1, format, static_cast<int>(precision), magnitude);
  return out;
}

std::string FloatText(double number, const Spec& spec) {
  double magnitude = std::fabs(number);
  char type = spec.type;
  if (std::isnan(number) || std::isinf(number)) {
    std::string text = std::isnan(number) ? "nan" : "inf";
    if (type == '%') text += '%';
    return type == 'E' || type == 'F' || type == 'G' ? Upper(text) : text;
  }
  if (type == 0 || type == 'r') {
    if (spec.precision < 0) return ReprFloat(magnitude);
    std::string text = Printed(magnitude, 'g', std::max<int64_t>(1, spec.precision), spec.alternate);
    // Without a type there is always a digit behind the point.
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }
  int64_t precision = spec.precision < 0 ? 6 : spec.precision;
  if (type == '%') return Printed(magnitude * 100, 'f', precision, spec.alternate) + "%";
  if (type == 'n') type = 'g';
  if ((type == 'g' || type == 'G') && precision == 0) precision = 1;
  return Printed(magnitude, type, precision, spec.alternate);
}

std::string SignFor(bool negative, char sign) {
  return negative ? "-" : sign == '-' ? "" : std::string(1, sign);
}

std::string FormatFloat(Runtime& runtime, double number, const Spec& spec) {
  std::string text = FloatText(number, spec), sign = SignFor(std::signbit(number) && !std::isnan(number), spec.sign);
  size_t whole = text.find_first_not_of("0123456789");
  if (whole == std::string::npos) whole = text.size();
  text = Grouped(text.substr(0, whole), spec.group, 3) + text.substr(whole);
  return Pad(runtime, sign + text, sign.size(), spec, '>');
}

std::string FormatInt(Runtime& runtime, int64_t number, const Spec& spec) {
  uint64_t magnitude = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  std::string sign = SignFor(number < 0, spec.sign), digits;
  switch (spec.type) {
    case 'b':
      digits = Grouped(Digits(magnitude, 2, false), spec.group, 4);
      break;
    case 'o':
      digits = Grouped(Digits(magnitude, 8, false), spec.group, 4);
      break;
    case 'x':
    case 'X':
      digits = Grouped(Digits(magnitude, 16, spec.type == 'X'), spec.group, 4);
      break;
    case 'c': {
      if (number < 0 || number > 0x10FFFF || (number >= 0xD800 && number < 0xE000))
        runtime.Fail("%c arg not in range(0x110000)");
      std::string character;
      AppendCodePoint(character, static_cast<uint32_t>(number));
      return Pad(runtime, character, 0, spec, '<');
    }
    default:
      digits = Grouped(Digits(magnitude, 10, false), spec.group, 3);
  }
  if (spec.alternate && (spec.type == 'b' || spec.type == 'o' || spec.type == 'x' || spec.type == 'X'))
    sign += std::string("0") + spec.type;
  return Pad(runtime, sign + digits, sign.size(), spec, '>');
}

std::string FormatText(Runtime& runtime, const std::string& text, const Spec& spec) {
  std::string part =
      spec.precision < 0 ? text : text.substr(0, ByteOffset(text, static_cast<size_t>(spec.precision), IsAscii(text)));
  return Pad(runtime, part, 0, spec, '<');
}

// [[fill]align][sign][#][0][width][grouping][.precision][type]
Spec ParseSpec(Runtime& runtime, const std::string& text) {
  Spec spec;
  size_t at = 0, second = 0;
  auto is_align = [](char c) { return c == '<' || c == '>' || c == '=' || c == '^'; };
  if (!text.empty()) NextCodePoint(text, second);
  if (second > 0 && second < text.size() && is_align(text[second])) {
    spec.fill = text.substr(0, second);
    spec.align = text[second];
    at = second + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[at++];
  }
  auto skip = [&](char c) { return at < text.size() && text[at] == c && ++at; };
  if (at < text.size() && (text[at] == '+' || text[at] == '-' || text[at] == ' ')) spec.sign = text[at++];
  spec.alternate = skip('#');
  if (skip('0') && !spec.align) {
    spec.fill = "0";
    spec.align = '=';
  }
  spec.width = ReadNumber(runtime, text, at, kMaxWidth);
  if (at < text.size() && (text[at] == ',' || text[at] == '_')) spec.group = text[at++];
  if (skip('.')) {
    if (at >= text.size() || text[at] < '0' || text[at] > '9') runtime.Fail("Format specifier missing precision");
    spec.precision = ReadNumber(runtime, text, at, kMaxPrecision);
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size()) runtime.Fail("Invalid format specifier '{}'", text.substr(0, 100));
  return spec;
}

bool IsOneOf(char c, std::string_view set) {
  return c == 0 || set.find(c) != std::string_view::npos;
}

// "%..." of one value.
class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, std::string_view format, const Value& arguments)
      : runtime_(runtime), format_(format), arguments_(arguments) {}

  std::string Run() {
    std::string out;
    while (at_ < format_.size()) {
      size_t percent = format_.find('%', at_);
      out += format_.substr(at_, percent - at_);
      if (percent == std::string_view::npos) break;
      at_ = percent + 1;
      out += Field();
      runtime_.CheckTextSize(out.size());
      runtime_.Step();
    }
    bool mapping = arguments_.is(Type::kDict) || arguments_.is(Type::kList);
    if (!mapping && used_ < Count()) runtime_.Fail("not all arguments converted during string formatting");
    return out;
  }

 private:
  size_t Count() const { return arguments_.is(Type::kTuple) ? arguments_.items().size() : 1; }

  Value NextArgument() {
    if (used_ >= Count()) runtime_.Fail("not enough arguments for format string");
    size_t i = used_++;
    return arguments_.is(Type::kTuple) ? arguments_.items()[i] : arguments_;
  }

  char Take() {
    if (at_ >= format_.size()) runtime_.Fail("incomplete format");
    return format_[at_++];
  }

  std::string Field() {
    Spec spec;
    std::optional<Value> named;
    if (at_ < format_.size() && format_[at_] == '(') named = Named();
    char c = Take();
    for (; c == '-' || c == '+' || c == ' ' || c == '#' || c == '0'; c = Take()) {
      if (c == '-') spec.align = '<';
      if (c == '+' || (c == ' ' && spec.sign != '+')) spec.sign = c;
      if (c == '#') spec.alternate = true;
      if (c == '0') spec.fill = "0";
    }
    --at_;
    spec.width = WidthOrPrecision(kMaxWidth, spec.align);
    if (Take() == '.') {
      char ignored = 0;
      spec.precision = std::max<int64_t>(0, WidthOrPrecision(kMaxPrecision, ignored));
    } else {
      --at_;
    }
    for (c = Take(); c == 'h' || c == 'l' || c == 'L';) c = Take();
    if (c == '%') return "%";
    return Convert(c, named ? *named : NextArgument(), spec);
  }

  Value Named() {
    if (!arguments_.is(Type::kDict)) runtime_.Fail("format requires a mapping");
    size_t end = format_.find(')', at_);
    if (end == std::string_view::npos) runtime_.Fail("incomplete format key");
    auto key = format_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    const Value* found = arguments_.as<DictObject>().Find(runtime_, key);
    if (!found) runtime_.Fail("KeyError: {}", ReprText(key.substr(0, 100)));
    return *found;
  }

  int64_t WidthOrPrecision(int64_t limit, char& align) {
    if (at_ >= format_.size() || format_[at_] != '*') return ReadNumber(runtime_, format_, at_, limit);
    ++at_;
    Value value = NextArgument();
    if (!value.IsIntegral()) runtime_.Fail("* wants int");
    int64_t number = value.AsInt();
    if (number > limit || number < -limit) runtime_.Throw(ErrorKind::kResource, "a width or precision too large");
    if (number < 0) align = '<';
    return std::abs(number);
  }

  std::string Convert(char type, const Value& value, Spec spec) {
    bool numeric = type != 's' && type != 'r' && type != 'c';
    if (spec.fill == "0" && (spec.align == '<' || !numeric)) spec.fill = " ";
    if (!spec.align) spec.align = spec.fill == "0" ? '=' : '>';
    switch (type) {
      case 's':
        return FormatText(runtime_, Str(runtime_, value), spec);
      case 'r':
        return FormatText(runtime_, Repr(runtime_, value), spec);
      case 'c':
        if (value.IsString() && CountCodePoints(value.text()) == 1) return FormatText(runtime_, value.text(), spec);
        if (!value.IsIntegral()) runtime_.Fail("%c requires int or char");
        spec.type = 'c';
        return FormatInt(runtime_, value.AsInt(), spec);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return Integer(type, value, spec);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (!value.IsNumber()) runtime_.Fail("must be real number, not {}", TypeName(value));
        spec.type = type;
        return FormatFloat(runtime_, value.AsDouble(), spec);
      default:
        runtime_.Fail("unsupported format character '{}'", type >= ' ' && type <= '~' ? type : '?');
    }
  }

  std::string Integer(char type, const Value& value, Spec spec) {
    bool decimal = type == 'd' || type == 'i' || type == 'u';
    if (value.is(Type::kBigInt)) runtime_.Throw(ErrorKind::kUnsupported, kBigFormat);
    if (!value.IsIntegral() && !(decimal && value.is(Type::kFloat)))
      runtime_.Fail("%{} format: a real number is required, not {}", type, TypeName(value));
    if (value.is(Type::kFloat) && !(std::fabs(value.AsDouble()) < 9.2e18))
      runtime_.Throw(ErrorKind::kUnsupported, kBigFormat);
    int64_t number = value.is(Type::kFloat) ? static_cast<int64_t>(value.AsDouble()) : value.AsInt();
    spec.type = decimal ? 'd' : type;
    auto digits = spec.precision;
    if (digits > 0) {  // at least so many digits
      std::string text =
          FormatInt(runtime_, number, Spec{.sign = spec.sign, .alternate = spec.alternate, .type = spec.type});
      size_t prefix = text.find_first_of("0123456789abcdefABCDEF");
      if (spec.alternate && !decimal) prefix += 2;
      if (static_cast<int64_t>(text.size() - prefix) < digits)
        text.insert(prefix, static_cast<size_t>(digits) - (text.size() - prefix), '0');
      return Pad(runtime_, text, prefix, spec, '>');
    }
    return FormatInt(runtime_, number, spec);
  }

  Runtime& runtime_;
  std::string_view format_;
  const Value& arguments_;
  size_t at_ = 0, used_ = 0;
};

// "{...}" fields.
class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, Arguments& arguments, const Value* mapping)
      : runtime_(runtime), arguments_(arguments), keywords_(arguments), mapping_(mapping) {}

  std::string Run(std::string_view format, int depth) {
    if (depth > 2) runtime_.Fail("Max string recursion exceeded");
    std::string out;
    for (size_t at = 0; at < format.size();) {
      char c = format[at];
      bool doubled = at + 1 < format.size() && format[at + 1] == c;
      if ((c == '{' || c == '}') && doubled) {
        out += c;
        at += 2;
      } else if (c == '}') {
        runtime_.Fail("Single '}}' encountered in format string");
      } else if (c == '{') {
        size_t end = FieldEnd(format, at + 1);
        out += Field(format.substr(at + 1, end - at - 1), depth);
        at = end + 1;
      } else {
        out += c;
        ++at;
      }
      runtime_.CheckTextSize(out.size());
    }
    runtime_.Step(format.size() / 8);
    return out;
  }

 private:
  size_t FieldEnd(std::string_view format, size_t at) {
    for (int open = 1; at < format.size(); ++at) {
      if (format[at] == '{') ++open;
      if (format[at] == '}' && --open == 0) return at;
    }
    runtime_.Fail("expected '}}' before end of string");
  }

  std::string Field(std::string_view field, int depth) {
    size_t name_end = 0;
    bool bracket = false;
    for (; name_end < field.size(); ++name_end) {
      if (field[name_end] == '[') bracket = true;
      if (field[name_end] == ']') bracket = false;
      if (!bracket && (field[name_end] == '!' || field[name_end] == ':')) break;
    }
    Value value = Lookup(field.substr(0, name_end));
    char conversion = 0;
    std::string_view rest = field.substr(name_end);
    if (!rest.empty() && rest[0] == '!') {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':'))
        runtime_.Fail("expected ':' after conversion specifier");
      conversion = rest[1];
      rest.remove_prefix(2);
    }
    std::string spec = rest.empty() ? "" : Run(rest.substr(1), depth + 1);
    if (conversion == 's')
      value = Value::String(Str(runtime_, value));
    else if (conversion == 'r')
      value = Value::String(Repr(runtime_, value));
    else if (conversion)
      runtime_.Fail("Unknown conversion specifier '{}'", conversion >= ' ' && conversion <= '~' ? conversion : '?');
    return FormatWithSpec(runtime_, value, spec);
  }

  Value Lookup(std::string_view name) {
    size_t end = name.find_first_of(".[");
    Value value = First(name.substr(0, end));
    std::string_view rest = end == std::string_view::npos ? "" : name.substr(end);
    while (!rest.empty()) {
      runtime_.Step();
      if (rest[0] == '.') {
        size_t stop = rest.find_first_of(".[", 1);
        value = runtime_.Attribute(value, rest.substr(1, stop - 1));
        rest = stop == std::string_view::npos ? "" : rest.substr(stop);
      } else if (rest[0] == '[') {
        size_t stop = rest.find(']');
        if (stop == std::string_view::npos) runtime_.Fail("Missing ']' in format string");
        value = runtime_.Item(value, Key(rest.substr(1, stop - 1)));
        rest = rest.substr(stop + 1);
      } else {
        runtime_.Fail("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return value;
  }

  static Value Key(std::string_view text) {
    int64_t number = 0;
    std::string beyond;
    bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits && ParseInt(text, 10, number, beyond) && beyond.empty()) return Value::Int(number);
    return Value::String(std::string(text));
  }

  Value First(std::string_view name) {
    Value key = name.empty() ? Value::Int(automatic_++) : Key(name);
    if (key.is(Type::kInt)) {
      auto i = static_cast<size_t>(key.AsInt());
      if (i >= arguments_.positional.size())
        runtime_.Fail("Replacement index {} out of range for positional args tuple", i);
      return arguments_.positional[i];
    }
    if (mapping_) {
      Arguments get;
      if (!mapping_->is(Type::kDict)) runtime_.Fail("format_map() needs a mapping");
      if (const Value* found = mapping_->as<DictObject>().Find(runtime_, key.text())) return *found;
    }
    if (const std::optional<size_t> found = keywords_.Find(name)) return arguments_.keywords[*found].second;
    runtime_.Fail("KeyError: {}", ReprText(name.substr(0, 100)));
  }

  Runtime& runtime_;
  Arguments& arguments_;
  const KeywordIndex keywords_;
  const Value* mapping_;
  int64_t automatic_ = 0;
};

}  // namespace

std::string FormatWithSpec(Runtime& runtime, const Value& value, const std::string& text) {
  if (text.empty()) return Str(runtime, value);
  Spec spec = ParseSpec(runtime, text);
  auto wrong = [&] { runtime.Fail("Unknown format code '{}' for object of type '{}'", spec.type, TypeName(value)); };
  if (value.IsString()) {
    if (!IsOneOf(spec.type, "s")) wrong();
    if (spec.align == '=') runtime.Fail("'=' alignment not allowed in string format specifier");
    return FormatText(runtime, value.text(), spec);
  }
  if (value.is(Type::kBigInt) && IsOneOf(spec.type, "dboxXcn")) runtime.Throw(ErrorKind::kUnsupported, kBigFormat);
  if (value.IsIntegral() && IsOneOf(spec.type, "dboxXcn")) return FormatInt(runtime, value.AsInt(), spec);
  if (value.IsNumber()) {
    if (!IsOneOf(spec.type, "eEfFgGn%")) wrong();
    return FormatFloat(runtime, value.AsDouble(), spec);
  }
  runtime.Fail("unsupported format string passed to {}.__format__", TypeName(value));
}

std::string FormatPercent(Runtime& runtime, const std::string& format, const Value& arguments) {
  runtime.ChargeBytes(format.size());
  return PercentFormatter(runtime, format, arguments).Run();
}

std::string FormatBraces(Runtime& runtime, const std::string& format, Arguments& arguments, const Value* mapping) {
  runtime.ChargeBytes(format.size());
  return BraceFormatter(runtime, arguments, mapping).Run(format, 1);
}

}  // namespace assay::jinja
