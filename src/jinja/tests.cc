// The table of tests: `value is name`.

#include <algorithm>
#include <unordered_map>

#include "jinja/runtime.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

template <typename Predicate>
bool Plain(Runtime& runtime, Arguments& arguments, const char* name, Predicate predicate) {
  Bound bound(runtime, arguments, name, "", 0);
  return predicate();
}

template <Op op>
bool Comparison(Runtime& runtime, const Value& value, Arguments& arguments) {
  Bound bound(runtime, arguments, "comparison", "other /", 1);
  return runtime.Compare(op, value, bound[0]);
}

template <Type type>
bool IsType(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, "type test", [&] { return v.is(type); });
}

template <bool wanted>
bool IsBool(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, wanted ? "true" : "false", [&] { return v.is(Type::kBool) && v.AsBool() == wanted; });
}

template <int remainder>
bool IsRemainder(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, remainder ? "odd" : "even",
               [&] { return Equal(r, r.Binary(Op::kMod, v, Value::Int(2)), Value::Int(remainder)); });
}

bool TestDefined(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, "defined", [&] { return !v.IsUndefined(); });
}
bool TestNumber(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, "number", [&] { return v.IsNumber(); });
}
bool TestInteger(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, "integer", [&] { return v.is(Type::kInt) || v.is(Type::kBigInt); });
}
bool TestIterable(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, "iterable", [&] { return IsIterable(v); });
}
bool TestSequence(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, "sequence", [&] {
    return v.IsUndefined() || v.IsString() || v.IsSequence() || v.is(Type::kDict) || v.is(Type::kRange);
  });
}
bool TestCallable(Runtime& r, const Value& v, Arguments& a) {
  // An undefined value has a __call__, which raises.
  return Plain(r, a, "callable",
               [&] { return v.IsUndefined() || (v.is(Type::kObject) && v.as<CustomObject>().Callable()); });
}
bool TestEscaped(Runtime& r, const Value& v, Arguments& a) {
  return Plain(r, a, "escaped", [&] { return v.IsMarkup(); });
}

bool TestDivisibleBy(Runtime& runtime, const Value& value, Arguments& arguments) {
  Bound bound(runtime, arguments, "divisibleby", "num", 1);
  return Equal(runtime, runtime.Binary(Op::kMod, value, bound[0]), Value::Int(0));
}
bool TestSameAs(Runtime& runtime, const Value& value, Arguments& arguments) {
  Bound bound(runtime, arguments, "sameas", "other", 1);
  return Same(value, bound[0]);
}
bool TestIn(Runtime& runtime, const Value& value, Arguments& arguments) {
  Bound bound(runtime, arguments, "in", "seq", 1);
  return Contains(runtime, bound[0], value);
}
bool TestFilter(Runtime& runtime, const Value& value, Arguments& arguments) {
  Bound bound(runtime, arguments, "filter", "", 0);
  return value.IsString() &&
         (FindFilter(value.text()) || (IsLeftOut(value.text()) && value.text() != "lipsum" && value.text() != "self"));
}
bool TestTest(Runtime& runtime, const Value& value, Arguments& arguments) {
  Bound bound(runtime, arguments, "test", "", 0);
  return value.IsString() && FindTest(value.text());
}

// str.islower and str.isupper: some cased character, and none of the other case.
template <bool upper>
bool TestCase(Runtime& runtime, const Value& value, Arguments& arguments) {
  Bound bound(runtime, arguments, upper ? "upper" : "lower", "", 0);
  std::string text = Str(runtime, value);
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    uint32_t c = NextCodePoint(text, at);
    if (IsTitle(c) || (upper ? IsLower(c) : IsUpper(c))) return false;
    any = any || (upper ? IsUpper(c) : IsLower(c));
  }
  return any;
}

constexpr TestEntry kTests[] = {
    {"!=", Comparison<Op::kNe>},
    {"<", Comparison<Op::kLt>},
    {"<=", Comparison<Op::kLe>},
    {"==", Comparison<Op::kEq>},
    {">", Comparison<Op::kGt>},
    {">=", Comparison<Op::kGe>},
    {"boolean", IsType<Type::kBool>},
    {"callable", TestCallable},
    {"defined", TestDefined},
    {"divisibleby", TestDivisibleBy},
    {"eq", Comparison<Op::kEq>},
    {"equalto", Comparison<Op::kEq>},
    {"escaped", TestEscaped},
    {"even", IsRemainder<0>},
    {"false", IsBool<false>},
    {"filter", TestFilter},
    {"float", IsType<Type::kFloat>},
    {"ge", Comparison<Op::kGe>},
    {"greaterthan", Comparison<Op::kGt>},
    {"gt", Comparison<Op::kGt>},
    {"in", TestIn},
    {"integer", TestInteger},
    {"iterable", TestIterable},
    {"le", Comparison<Op::kLe>},
    {"lessthan", Comparison<Op::kLt>},
    {"lower", TestCase<false>},
    {"lt", Comparison<Op::kLt>},
    {"mapping", IsType<Type::kDict>},
    {"ne", Comparison<Op::kNe>},
    {"none", IsType<Type::kNone>},
    {"number", TestNumber},
    {"odd", IsRemainder<1>},
    {"sameas", TestSameAs},
    {"sequence", TestSequence},
    {"string", IsType<Type::kString>},
    {"test", TestTest},
    {"true", IsBool<true>},
    {"undefined", IsType<Type::kUndefined>},
    {"upper", TestCase<true>},
};

}  // namespace

const TestEntry* FindTest(std::string_view name) {
  for (const TestEntry& entry : kTests)
    if (name == entry.name) return &entry;
  return nullptr;
}

}  // namespace assay::jinja
