// Names every template knows.

#include <algorithm>
#include <unordered_map>

#include "jinja/runtime.h"
#include "jinja/strings.h"

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

}  // namespace assay::jinja
