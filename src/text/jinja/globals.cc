// Names every template knows.

#include <algorithm>
#include <ctime>
#include <unordered_map>

#include "text/jinja/runtime.h"
#include "text/jinja/strings.h"

namespace assay::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;  // as the sandbox has it

Value RaiseException(Runtime& runtime, Arguments& arguments) {
  Bound bound(runtime, arguments, "raise_exception", "message", 1);
  runtime.Fail("{}", Str(runtime, bound[0]));
}

Value StrftimeNow(Runtime& runtime, Arguments& arguments) {
  Bound bound(runtime, arguments, "strftime_now", "format", 1);
  return MakeText(runtime, FormatTime(runtime, runtime.now_unix_s(), bound.Text(0)));
}

// dict(mapping or pairs, name=value ...)
std::shared_ptr<DictObject> BuildDict(Runtime& runtime, Arguments& arguments) {
  auto dict = std::make_shared<DictObject>();
  if (arguments.positional.size() > 1)
    runtime.Fail("dict expected at most 1 argument, got {}", arguments.positional.size());
  for (const Value& source : arguments.positional) {
    if (source.is(Type::kDict)) {
      for (const auto& [key, value] : source.as<DictObject>().entries) dict->Set(runtime, key, value);
      continue;
    }
    Iterator it(runtime, source);
    for (Value pair; it.Next(pair);) {
      if (!IsIterable(pair)) runtime.Fail("cannot convert dictionary update sequence element to a sequence");
      auto parts = Collect(runtime, pair);
      if (parts.size() != 2)
        runtime.Fail("dictionary update sequence element has length {}; 2 is required", parts.size());
      dict->Set(runtime, parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : arguments.keywords) dict->Set(runtime, Value::String(name), value);
  return dict;
}

struct DictFactory : CustomObject {
  bool Callable() const override { return true; }
  Value Call(Runtime& runtime, Arguments& arguments) override {
    return MakeDict(runtime, BuildDict(runtime, arguments));
  }
  std::optional<Value> Attribute(Runtime& runtime, std::string_view name) override {
    if (name != "fromkeys") return std::nullopt;
    return BuiltinAttribute(runtime, MakeDict(runtime, std::make_shared<DictObject>()), name);
  }
  std::string Repr(Runtime&) override { return "<TemplateDict object>"; }
  const char* TypeName() const override { return "TemplateDict"; }
};

Value MakeNamespace(Runtime& runtime, Arguments& arguments) {
  auto dict = BuildDict(runtime, arguments);
  auto object = std::make_shared<NamespaceObject>();
  runtime.Step(dict->entries.size());
  for (const auto& [key, value] : dict->entries) {
    if (!key.IsString()) runtime.Fail("a namespace's names are strings, found '{}'", TypeName(key));
    if (!key.text().empty() && key.text()[0] == '_')
      runtime.Fail("attribute '{}' of a namespace may not begin with an underscore", key.text());
  }
  object->attributes = std::move(*dict);
  runtime.Keep(object);
  return Value::Wrap(Type::kObject, std::move(object));
}

struct CyclerObject : CustomObject {
  std::shared_ptr<size_t> at = std::make_shared<size_t>(0);
  Value items;
  std::optional<Value> Attribute(Runtime& runtime, std::string_view name) override {
    if (name == "current") return items.items()[*at];
    if (name == "pos") return Value::Int(static_cast<int64_t>(*at));
    if (name == "items") return items;
    if (name != "next" && name != "reset") return std::nullopt;
    bool next = name == "next";
    Value function =
        MakeFunction(std::string(name), [at = at, items = items, next](Runtime& inner, Arguments& arguments) {
          Bound bound(inner, arguments, "cycler", "", 0);
          Value value = next ? items.items()[*at] : Value::None();
          *at = next ? (*at + 1) % items.items().size() : 0;
          return value;
        });
    function.as<FunctionObject>().depth = depth + 1;
    runtime.CheckDepth(depth + 1);
    return function;
  }
  std::string Repr(Runtime&) override { return "<Cycler object>"; }
  const char* TypeName() const override { return "Cycler"; }
};

Value MakeCycler(Runtime& runtime, Arguments& arguments) {
  if (!arguments.keywords.empty()) runtime.Fail("cycler() takes no keyword arguments");
  if (arguments.positional.empty()) runtime.Fail("at least one item has to be provided");
  auto cycler = std::make_shared<CyclerObject>();
  cycler->items = MakeTuple(runtime, arguments.positional);
  cycler->depth = cycler->items.Depth() + 1;
  runtime.CheckDepth(cycler->depth);
  return Value::Wrap(Type::kObject, std::move(cycler));
}

struct JoinerObject : CustomObject {
  Value separator;
  bool used = false;
  bool Callable() const override { return true; }
  Value Call(Runtime& runtime, Arguments& arguments) override {
    Bound bound(runtime, arguments, "joiner", "", 0);
    if (used) return separator;
    used = true;
    return Value::String("");
  }
  std::optional<Value> Attribute(Runtime&, std::string_view name) override {
    if (name == "sep") return separator;
    if (name == "used") return Value::Bool(used);
    return std::nullopt;
  }
  std::string Repr(Runtime&) override { return "<Joiner object>"; }
  const char* TypeName() const override { return "Joiner"; }
};

Value MakeJoiner(Runtime& runtime, Arguments& arguments) {
  Bound bound(runtime, arguments, "joiner", "sep", 0);
  auto joiner = std::make_shared<JoinerObject>();
  joiner->separator = bound.Or(0, Value::String(", "));
  joiner->depth = joiner->separator.Depth() + 1;
  runtime.CheckDepth(joiner->depth);
  return Value::Wrap(Type::kObject, std::move(joiner));
}

// strftime in the C locale; false for a field that is not known.
bool AppendTimeField(std::string& out, const std::tm& time, int64_t unix_s, char field, bool bare) {
  static constexpr const char* kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  static constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                            "July",    "August",   "September", "October", "November", "December"};
  static constexpr std::pair<char, const char*> kComposed[] = {{'F', "%Y-%m-%d"},
                                                               {'T', "%H:%M:%S"},
                                                               {'X', "%H:%M:%S"},
                                                               {'R', "%H:%M"},
                                                               {'D', "%m/%d/%y"},
                                                               {'x', "%m/%d/%y"},
                                                               {'c', "%a %b %e %H:%M:%S %Y"},
                                                               {'r', "%I:%M:%S %p"}};
  for (auto [name, parts] : kComposed)
    if (name == field) {
      for (const char* part = parts; *part; ++part)
        if (*part != '%')
          out += *part;
        else
          AppendTimeField(out, time, unix_s, *++part, false);
      return true;
    }
  struct Number {
    char field;
    int value, width;
  };
  int year = time.tm_year + 1900, hour = time.tm_hour % 12 == 0 ? 12 : time.tm_hour % 12;
  const Number numbers[] = {{'Y', year, 1},
                            {'y', year % 100, 2},
                            {'m', time.tm_mon + 1, 2},
                            {'d', time.tm_mday, 2},
                            {'H', time.tm_hour, 2},
                            {'I', hour, 2},
                            {'M', time.tm_min, 2},
                            {'S', time.tm_sec, 2},
                            {'j', time.tm_yday + 1, 3},
                            {'w', time.tm_wday, 1},
                            {'u', time.tm_wday ? time.tm_wday : 7, 1},
                            {'f', 0, 6}};
  for (const Number& number : numbers)
    if (number.field == field) {
      out += bare ? fmt::format("{}", number.value) : fmt::format("{:0{}}", number.value, number.width);
      return true;
    }
  std::string_view day = kDays[time.tm_wday], month = kMonths[time.tm_mon];
  switch (field) {
    case 'e':
      out += bare ? fmt::format("{}", time.tm_mday) : fmt::format("{:2}", time.tm_mday);
      return true;
    case 'p':
      out += time.tm_hour < 12 ? "AM" : "PM";
      return true;
    case 'A':
    case 'a':
      out += field == 'A' ? day : day.substr(0, 3);
      return true;
    case 'B':
    case 'b':
    case 'h':
      out += field == 'B' ? month : month.substr(0, 3);
      return true;
    case 's':
      out += fmt::format("{}", unix_s);
      return true;
    case 'Z':
    case 'z':
      return true;  // a naive time has no zone
    case 'n':
    case 't':
    case '%':
      out += field == 'n' ? '\n' : field == 't' ? '\t' : '%';
      return true;
    default:
      return false;
  }
}

}  // namespace

Value RangeFromArguments(Runtime& runtime, Arguments& arguments) {
  Bound bound(runtime, arguments, "range", "start stop step /", 1);
  auto range = std::make_shared<RangeObject>();
  range->start = bound.Has(1) ? bound.Int(0, 0) : 0;
  range->stop = bound.Has(1) ? bound.Int(1, 0) : bound.Int(0, 0);
  range->step = bound.Int(2, 1);
  if (range->step == 0) runtime.Fail("range() arg 3 must not be zero");
  // The size is counted in 128 bits: INT64_MIN to INT64_MAX does not fit its type.
  __int128 span = range->step > 0 ? static_cast<__int128>(range->stop) - range->start
                                  : static_cast<__int128>(range->start) - range->stop;
  __int128 step = range->step > 0 ? static_cast<__int128>(range->step) : -static_cast<__int128>(range->step);
  if (span / step > kMaxRange || range->Size() > kMaxRange)
    runtime.Fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kMaxRange);
  return Value::Wrap(Type::kRange, std::move(range));
}

const Value* FindGlobal(std::string_view name) {
  static const auto* globals = [] {
    auto* map = new std::unordered_map<std::string_view, Value>();
    map->emplace("range", MakeFunction("range", RangeFromArguments));
    map->emplace("dict", Value::Wrap(Type::kObject, std::make_shared<DictFactory>()));
    map->emplace("namespace", MakeFunction("namespace", MakeNamespace));
    map->emplace("cycler", MakeFunction("cycler", MakeCycler));
    map->emplace("joiner", MakeFunction("joiner", MakeJoiner));
    map->emplace("raise_exception", MakeFunction("raise_exception", RaiseException));
    map->emplace("strftime_now", MakeFunction("strftime_now", StrftimeNow));
    return map;
  }();
  auto it = globals->find(name);
  return it == globals->end() ? nullptr : &it->second;
}

std::string FormatTime(Runtime& runtime, int64_t unix_s, std::string_view format) {
  std::time_t seconds = static_cast<std::time_t>(unix_s);
  std::tm time{};
  if (!gmtime_r(&seconds, &time)) runtime.Fail("strftime_now: the time is out of range");
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    bool bare = format[++i] == '-' && i + 1 < format.size();  // glibc: no padding
    if (bare) ++i;
    if (!AppendTimeField(out, time, unix_s, format[i], bare))
      runtime.Throw(ErrorKind::kUnsupported, fmt::format("strftime_now: %{}", format[i]));
  }
  return out;
}

}  // namespace assay::jinja
