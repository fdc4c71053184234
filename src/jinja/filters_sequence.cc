// Filters on sequences.

#include <algorithm>

#include "base/strings.h"
#include "jinja/filters.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

Value IgnoreCase(Runtime& runtime, const Value& value) {
  return value.IsString() ? MakeText(runtime, Lower(value.text())) : value;
}

// jinja2's make_attrgetter: "a.b.0" walks by item, then attribute.
class AttributeGetter {
 public:
  AttributeGetter() = default;
  AttributeGetter(Runtime& runtime, const Value& attribute, Value fallback = Value::None())
      : fallback_(std::move(fallback)) {
    if (attribute.IsNone()) return;
    if (!attribute.IsString()) {
      parts_.push_back(attribute);
      return;
    }
    runtime.ChargeBytes(attribute.text().size());
    for (const std::string& part : Split(attribute.text(), '.')) {
      int64_t number = 0;
      std::string beyond;
      bool digits = !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
      bool is_number = digits && ParseInt(part, 10, number, beyond) && beyond.empty();
      parts_.push_back(is_number ? Value::Int(number) : Value::String(part));
    }
  }
  Value Get(Runtime& runtime, Value item) const {
    for (const Value& part : parts_) {
      item = runtime.Item(item, part);
      if (!fallback_.IsNone() && item.IsUndefined()) item = fallback_;
    }
    return item;
  }

 private:
  std::vector<Value> parts_;
  Value fallback_ = Value::None();
};

Value GeneratorOf(Runtime& runtime, std::vector<Value> items, const char* name = "generator") {
  Value list = MakeList(runtime, std::move(items));
  auto at = std::make_shared<size_t>(0);
  Value generator = MakeGenerator(runtime, list, [list, at](Value& item) {
    if (*at >= list.items().size()) return false;
    item = list.items()[(*at)++];
    return true;
  });
  generator.as<GeneratorObject>().name = name;
  return generator;
}

// Sorts by keys computed once; stable, as Python's.
std::vector<Value> SortedBy(Runtime& runtime, std::vector<Value> items, const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  // Reversed, equal elements keep their order all the same.
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    auto compared = reverse ? Order(runtime, keys[b], keys[a], "<") : Order(runtime, keys[a], keys[b], "<");
    return compared && *compared < 0;
  });
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (size_t i : order) sorted.push_back(std::move(items[i]));
  return sorted;
}

Value MinOrMax(Runtime& runtime, const Value& input, Arguments& arguments, const char* name, int wanted) {
  Bound bound(runtime, arguments, name, "case_sensitive attribute", 0);
  AttributeGetter getter(runtime, bound.Or(1, Value::None()));
  bool case_sensitive = bound.Flag(0, false);
  Value best, best_key;
  bool any = false;
  Iterator it(runtime, input);
  for (Value item; it.Next(item);) {
    Value key = getter.Get(runtime, item);
    if (!case_sensitive) key = IgnoreCase(runtime, key);
    if (any) {
      auto order = Order(runtime, key, best_key, wanted > 0 ? ">" : "<");
      if (!order || *order * wanted <= 0) continue;
    }
    any = true;
    best = item;
    best_key = key;
  }
  return any ? best : Value::Undefined("No aggregated item, sequence was empty.");
}

// select, reject, selectattr, rejectattr.
Value Choose(Runtime& runtime, const Value& input, Arguments& arguments, bool by_attribute, bool keep) {
  if (!Truth(runtime, input)) return GeneratorOf(runtime, {});
  size_t used = 0;
  AttributeGetter getter;
  if (by_attribute) {
    if (arguments.positional.empty()) runtime.Fail("missing parameter for attribute name");
    getter = AttributeGetter(runtime, arguments.positional[0]);
    used = 1;
  }
  std::optional<std::string> test;
  Arguments rest;
  if (arguments.positional.size() > used) {
    if (!arguments.positional[used].IsString())
      runtime.Fail("no test named {}", Repr(runtime, arguments.positional[used]));
    test = arguments.positional[used].text();
    rest.positional.assign(arguments.positional.begin() + static_cast<ptrdiff_t>(used) + 1, arguments.positional.end());
    rest.keywords = arguments.keywords;
  }
  auto it = std::make_shared<Iterator>(runtime, input);
  return MakeGenerator(runtime, input, [&runtime, it, getter, test, rest, keep](Value& item) {
    while (it->Next(item)) {
      Value tested = getter.Get(runtime, item);
      Arguments each = rest;
      bool good = test ? runtime.CallTest(*test, tested, each) : Truth(runtime, tested);
      if (good == keep) return true;
    }
    return false;
  });
}

}  // namespace

Value FilterSelect(Runtime& r, const Value& v, Arguments& a) {
  return Choose(r, v, a, false, true);
}
Value FilterReject(Runtime& r, const Value& v, Arguments& a) {
  return Choose(r, v, a, false, false);
}
Value FilterSelectAttr(Runtime& r, const Value& v, Arguments& a) {
  return Choose(r, v, a, true, true);
}
Value FilterRejectAttr(Runtime& r, const Value& v, Arguments& a) {
  return Choose(r, v, a, true, false);
}

Value FilterMap(Runtime& runtime, const Value& input, Arguments& arguments) {
  if (!Truth(runtime, input)) return GeneratorOf(runtime, {});
  auto it = std::make_shared<Iterator>(runtime, input);
  bool by_attribute = false;
  for (const auto& keyword : arguments.keywords) by_attribute = by_attribute || keyword.first == "attribute";
  if (arguments.positional.empty() && by_attribute) {
    Bound bound(runtime, arguments, "map", "attribute default", 1);
    AttributeGetter getter(runtime, bound[0], bound.Or(1, Value::None()));
    return MakeGenerator(runtime, input, [&runtime, it, getter](Value& item) {
      if (!it->Next(item)) return false;
      item = getter.Get(runtime, item);
      return true;
    });
  }
  if (arguments.positional.empty()) runtime.Fail("map requires a filter argument");
  if (!arguments.positional[0].IsString()) runtime.Fail("no filter named {}", Repr(runtime, arguments.positional[0]));
  std::string name = arguments.positional[0].text();
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin());
  return MakeGenerator(runtime, input, [&runtime, it, name, rest](Value& item) {
    if (!it->Next(item)) return false;
    Arguments each = rest;
    item = runtime.CallFilter(name, item, each);
    return true;
  });
}

Value FilterAttr(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "attr", "name", 1);
  const std::string& name = bound.Text(0);
  if (input.IsUndefined()) runtime.Fail("{}", input.UndefinedMessage());
  std::optional<Value> found;
  if (!name.empty() && name[0] != '_')
    found = input.is(Type::kObject) ? input.as<CustomObject>().Attribute(runtime, name)
                                    : BuiltinAttribute(runtime, input, name);
  return found ? *found
               : Value::Undefined(
                     fmt::format("'{} object' has no attribute {}", TypeName(input), ReprText(name.substr(0, 200))));
}

Value FilterLength(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "length", "", 0);
  auto length = Length(runtime, input);
  if (!length) runtime.Fail("object of type '{}' has no len()", TypeName(input));
  return Value::Int(*length);
}

Value FilterList(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "list", "", 0);
  return MakeList(runtime, Collect(runtime, input));
}

Value FilterItems(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "items", "", 0);
  if (input.IsUndefined()) return GeneratorOf(runtime, {});
  if (!input.is(Type::kDict)) runtime.Fail("Can only get item pairs from a mapping.");
  std::vector<Value> pairs;
  for (const auto& [key, value] : input.as<DictObject>().entries) pairs.push_back(MakePair(runtime, key, value));
  return GeneratorOf(runtime, std::move(pairs));
}

Value FilterJoin(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "join", "d attribute", 0);
  AttributeGetter getter(runtime, bound.Or(1, Value::None()));
  std::string separator = bound.Has(0) ? Str(runtime, bound[0]) : "", out;
  bool first = true;
  Iterator it(runtime, input);
  for (Value item; it.Next(item);) {
    if (!first) out += separator;
    first = false;
    out += Str(runtime, getter.Get(runtime, item));
    runtime.CheckTextSize(out.size());
    runtime.Step(separator.size() / 32);
  }
  return MakeText(runtime, std::move(out));
}

Value FilterFirst(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "first", "", 0);
  Iterator it(runtime, input);
  Value item;
  return it.Next(item) ? item : Value::Undefined("No first item, sequence was empty.");
}

Value FilterLast(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "last", "", 0);
  if (input.is(Type::kGenerator)) runtime.Fail("'{}' object is not reversible", TypeName(input));
  if (input.IsSequence() && !input.items().empty()) return input.items().back();
  Iterator it(runtime, input);
  Value item;
  bool any = false;
  while (it.Next(item)) any = true;
  return any ? item : Value::Undefined("No last item, sequence was empty.");
}

Value FilterReverse(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "reverse", "", 0);
  if (input.IsString()) {
    std::string out;
    runtime.Step(input.text().size());
    auto characters = Characters(input.text());
    for (auto it = characters.rbegin(); it != characters.rend(); ++it) out += *it;
    return MakeText(runtime, std::move(out), input.IsMarkup());
  }
  auto items = Collect(runtime, input);
  std::reverse(items.begin(), items.end());
  if (input.is(Type::kGenerator)) return MakeList(runtime, std::move(items));
  return GeneratorOf(runtime, std::move(items), input.is(Type::kList) ? "list_reverseiterator" : "reversed");
}

Value FilterSort(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "sort", "reverse case_sensitive attribute", 0);
  std::vector<AttributeGetter> getters;
  if (bound.Has(2) && bound[2].IsString())
    for (const std::string& part : Split(bound[2].text(), ',')) getters.emplace_back(runtime, Value::String(part));
  else
    getters.emplace_back(runtime, bound.Or(2, Value::None()));
  auto items = Collect(runtime, input);
  std::vector<Value> keys;
  for (const Value& item : items) {
    std::vector<Value> key;
    for (const auto& getter : getters) {
      key.push_back(getter.Get(runtime, item));
      if (!bound.Flag(1, false)) key.back() = IgnoreCase(runtime, key.back());
    }
    keys.push_back(MakeList(runtime, std::move(key)));
  }
  return MakeList(runtime, SortedBy(runtime, std::move(items), keys, bound.Flag(0, false)));
}

Value FilterDictSort(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "dictsort", "case_sensitive by reverse", 0);
  std::string by = bound.Has(1) ? Str(runtime, bound[1]) : "key";
  if (by != "key" && by != "value") runtime.Fail("You can only sort by either \"key\" or \"value\"");
  if (input.IsUndefined()) runtime.Fail("{}", input.UndefinedMessage());
  if (!input.is(Type::kDict)) runtime.Fail("'{}' object has no attribute 'items'", TypeName(input));
  std::vector<Value> pairs, keys;
  for (const auto& [key, value] : input.as<DictObject>().entries) {
    const Value& sorted_by = by == "key" ? key : value;
    keys.push_back(bound.Flag(0, false) ? sorted_by : IgnoreCase(runtime, sorted_by));
    pairs.push_back(MakePair(runtime, key, value));
  }
  return MakeList(runtime, SortedBy(runtime, std::move(pairs), keys, bound.Flag(2, false)));
}

Value FilterUnique(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "unique", "case_sensitive attribute", 0);
  AttributeGetter getter(runtime, bound.Or(1, Value::None()));
  DictObject seen;
  std::vector<Value> items;
  Iterator it(runtime, input);
  for (Value item; it.Next(item);) {
    Value key = getter.Get(runtime, item);
    if (!bound.Flag(0, false)) key = IgnoreCase(runtime, key);
    size_t before = seen.entries.size();
    seen.Set(runtime, key, Value::None());
    if (seen.entries.size() > before) items.push_back(item);
  }
  return GeneratorOf(runtime, std::move(items));
}

Value FilterMin(Runtime& r, const Value& v, Arguments& a) {
  return MinOrMax(r, v, a, "min", -1);
}
Value FilterMax(Runtime& r, const Value& v, Arguments& a) {
  return MinOrMax(r, v, a, "max", 1);
}

Value FilterSum(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "sum", "attribute start", 0);
  AttributeGetter getter(runtime, bound.Or(0, Value::None()));
  Value total = bound.Or(1, Value::Int(0));
  if (total.IsString()) runtime.Fail("sum() can't sum strings [use ''.join(seq) instead]");
  Iterator it(runtime, input);
  for (Value item; it.Next(item);) total = runtime.Binary(Op::kAdd, total, getter.Get(runtime, item));
  return total;
}

Value FilterGroupBy(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "groupby", "attribute default case_sensitive", 1);
  AttributeGetter getter(runtime, bound[0], bound.Or(1, Value::None()));
  bool case_sensitive = bound.Flag(2, false);
  auto items = Collect(runtime, input);
  auto key_of = [&](const Value& item) {
    Value key = getter.Get(runtime, item);
    return case_sensitive ? key : IgnoreCase(runtime, key);
  };
  std::vector<Value> keys;
  for (const Value& item : items) keys.push_back(key_of(item));
  items = SortedBy(runtime, std::move(items), keys, false);
  std::vector<Value> groups;
  for (size_t begin = 0; begin < items.size();) {
    Value key = key_of(items[begin]);
    size_t end = begin + 1;
    while (end < items.size() && Equal(runtime, key_of(items[end]), key)) ++end;
    std::vector<Value> members(items.begin() + static_cast<ptrdiff_t>(begin),
                               items.begin() + static_cast<ptrdiff_t>(end));
    Value group = MakePair(runtime, getter.Get(runtime, items[begin]), MakeList(runtime, std::move(members)));
    group.as<ListObject>().is_group = true;
    groups.push_back(std::move(group));
    begin = end;
  }
  return MakeList(runtime, std::move(groups));
}

Value FilterBatch(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "batch", "linecount fill_with", 1);
  int64_t size = bound.Int(0, 0);
  std::vector<Value> batches, batch;
  Iterator it(runtime, input);
  for (Value item; it.Next(item);) {
    if (static_cast<int64_t>(batch.size()) == size) {
      batches.push_back(MakeList(runtime, std::move(batch)));
      batch.clear();
    }
    batch.push_back(item);
  }
  if (!batch.empty()) {
    if (bound.Has(1) && !bound[1].IsNone())
      while (static_cast<int64_t>(batch.size()) < size) {
        runtime.Step();
        batch.push_back(bound[1]);
      }
    batches.push_back(MakeList(runtime, std::move(batch)));
  }
  return GeneratorOf(runtime, std::move(batches));
}

Value FilterSlice(Runtime& runtime, const Value& input, Arguments& arguments) {
  Bound bound(runtime, arguments, "slice", "slices fill_with", 1);
  auto items = Collect(runtime, input);
  int64_t slices = bound.Int(0, 1), size = static_cast<int64_t>(items.size());
  if (slices == 0) runtime.Fail("integer division or modulo by zero");
  if (slices < 0) return GeneratorOf(runtime, {});
  std::vector<Value> parts;
  auto at = items.begin();
  for (int64_t i = 0; i < slices; ++i) {
    bool extra = i < size % slices;
    auto end = at + size / slices + (extra ? 1 : 0);
    std::vector<Value> part(at, end);
    if (!extra && bound.Has(1) && !bound[1].IsNone()) part.push_back(bound[1]);
    parts.push_back(MakeList(runtime, std::move(part)));
    runtime.Step();
    at = end;
  }
  return GeneratorOf(runtime, std::move(parts));
}

}  // namespace assay::jinja
