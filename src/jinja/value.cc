#include "jinja/value.h"

#include <charconv>
#include <cmath>
#include <string>

#include "base/json_number.h"
#include "jinja/runtime.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

constexpr size_t kIndexFrom = 8;  // smaller dicts are searched in order
// What values take beside their texts, about.
constexpr uint64_t kEntryBytes = 2 * sizeof(Value) + 48, kTextBytes = sizeof(StringObject) + 16;

void Deepen(Object& object, const Value& child) {
  object.depth = std::max(object.depth, child.Depth() + 1);
}

}  // namespace

Value Value::Bool(bool b) {
  Value value(Type::kBool);
  value.int_ = b;
  return value;
}
Value Value::Int(int64_t i) {
  Value value(Type::kInt);
  value.int_ = i;
  return value;
}
Value Value::Integer(std::string digits) {
  int64_t integer = 0;
  if (auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), integer); error == std::errc())
    return Int(integer);
  auto object = std::make_shared<StringObject>();
  object->text = std::move(digits);
  return Wrap(Type::kBigInt, std::move(object));
}
Value Value::Float(double f) {
  Value value(Type::kFloat);
  value.float_ = f;
  return value;
}
Value Value::String(std::string text, bool markup) {
  auto object = std::make_shared<StringObject>();
  object->ascii = IsAscii(text);
  object->markup = markup;
  object->text = std::move(text);
  return Wrap(Type::kString, std::move(object));
}
Value Value::Undefined(std::string message) {
  auto object = std::make_shared<StringObject>();
  object->text = std::move(message);
  return Wrap(Type::kUndefined, std::move(object));
}
std::string Value::UndefinedMessage() const {
  return object_ ? static_cast<const StringObject&>(*object_).text : "undefined value";
}

double Value::AsDouble() const {
  if (type_ == Type::kBigInt) return std::strtod(digits().c_str(), nullptr);
  return type_ == Type::kFloat ? float_ : static_cast<double>(int_);
}

int64_t RangeObject::Size() const {
  if (step > 0) return start < stop ? static_cast<int64_t>((static_cast<__int128>(stop) - start - 1) / step + 1) : 0;
  return start > stop
             ? static_cast<int64_t>((static_cast<__int128>(start) - stop - 1) / -static_cast<__int128>(step) + 1)
             : 0;
}

std::optional<Value> CustomObject::Attribute(Runtime&, std::string_view) {
  return std::nullopt;
}
Value CustomObject::Call(Runtime& runtime, Arguments&) {
  runtime.Fail("'{}' object is not callable", TypeName());
}
std::optional<int64_t> CustomObject::Size(Runtime&) {
  return std::nullopt;
}

// Dicts.

size_t DictObject::Position(Runtime& runtime, const Value& key, size_t hash) const {
  if (entries.size() <= kIndexFrom) {
    for (size_t i = 0; i < entries.size(); ++i)
      if (Equal(runtime, entries[i].first, key)) return i;
    return entries.size();
  }
  auto [begin, end] = index_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    runtime.Step();
    if (Equal(runtime, entries[it->second].first, key)) return it->second;
  }
  return entries.size();
}

const Value* DictObject::Find(Runtime& runtime, const Value& key) const {
  size_t hash = 0;
  if (entries.size() > kIndexFrom && !Hash(runtime, key, hash)) return nullptr;
  size_t at = Position(runtime, key, hash);
  return at < entries.size() ? &entries[at].second : nullptr;
}

const Value* DictObject::Find(Runtime& runtime, std::string_view key) const {
  runtime.Step(key.size() / 256);
  if (entries.size() <= kIndexFrom) {
    for (const auto& entry : entries)
      if (entry.first.IsString() && entry.first.text() == key) return &entry.second;
    return nullptr;
  }
  auto [begin, end] = index_.equal_range(std::hash<std::string_view>()(key));
  for (auto it = begin; it != end; ++it) {
    runtime.Step();
    if (entries[it->second].first.IsString() && entries[it->second].first.text() == key)
      return &entries[it->second].second;
  }
  return nullptr;
}

void DictObject::Set(Runtime& runtime, Value key, Value value) {
  size_t hash = 0;
  if (!Hash(runtime, key, hash)) runtime.Fail("unhashable type: '{}'", jinja::TypeName(key));
  Deepen(*this, key);
  Deepen(*this, value);
  runtime.CheckDepth(depth);
  size_t at = Position(runtime, key, hash);
  if (at < entries.size()) {
    entries[at].second = std::move(value);
    return;
  }
  runtime.Step();
  runtime.ChargeMade(kEntryBytes);
  entries.emplace_back(std::move(key), std::move(value));
  if (entries.size() == kIndexFrom + 1) {
    for (size_t i = 0; i < entries.size(); ++i) {
      size_t each = 0;
      Hash(runtime, entries[i].first, each);
      index_.emplace(each, i);
    }
  } else if (entries.size() > kIndexFrom) {
    index_.emplace(hash, entries.size() - 1);
  }
}

Value DictViewObject::At(Runtime& runtime, size_t i) const {
  const auto& entry = dict.as<DictObject>().entries[i];
  if (kind == Kind::kKeys) return entry.first;
  if (kind == Kind::kValues) return entry.second;
  return MakePair(runtime, entry.first, entry.second);
}

// Making.

Value MakeList(Runtime& runtime, std::vector<Value> items, Type type) {
  runtime.Step(items.size());
  runtime.ChargeMade(items.size() * sizeof(Value) + sizeof(ListObject));
  auto list = std::make_shared<ListObject>();
  for (const Value& item : items) Deepen(*list, item);
  runtime.CheckDepth(list->depth);
  list->items = std::move(items);
  return Value::Wrap(type, std::move(list));
}
Value MakeTuple(Runtime& runtime, std::vector<Value> items) {
  return MakeList(runtime, std::move(items), Type::kTuple);
}
Value MakePair(Runtime& runtime, Value a, Value b) {
  std::vector<Value> items;
  items.reserve(2);
  items.push_back(std::move(a));
  items.push_back(std::move(b));
  return MakeTuple(runtime, std::move(items));
}
Value MakeDict(Runtime& runtime, std::shared_ptr<DictObject> dict) {
  runtime.CheckDepth(dict->depth);
  return Value::Wrap(Type::kDict, std::move(dict));
}
Value MakeGenerator(Runtime& runtime, const Value& source, std::function<bool(Value&)> next) {
  auto generator = std::make_shared<GeneratorObject>();
  Deepen(*generator, source);
  // Each generator that draws from another is a native call inside another: held tighter than plain containers.
  if (source.is(Type::kGenerator)) generator->depth += 8;
  runtime.CheckDepth(generator->depth);
  generator->next = std::move(next);
  return Value::Wrap(Type::kGenerator, std::move(generator));
}
Value MakeText(Runtime& runtime, std::string text, bool markup) {
  runtime.ChargeBytes(text.size());
  runtime.ChargeMade(kTextBytes);
  return Value::String(std::move(text), markup);
}

Value FromJson(Runtime& runtime, const Json& json) {
  Runtime::Nest nest(runtime);
  runtime.Step();
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value::Bool(json.get<bool>());
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
        return Value::Integer(std::to_string(json.get<uint64_t>()));
      [[fallthrough]];
    case Json::value_t::number_integer:
      return Value::Int(json.get<int64_t>());
    case Json::value_t::number_float:
      return Value::Float(json.get<double>());
    case Json::value_t::string:
      return MakeText(runtime, json.get<std::string>());
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(FromJson(runtime, item));
      return MakeList(runtime, std::move(items));
    }
    case Json::value_t::object: {
      auto dict = std::make_shared<DictObject>();
      for (const auto& [key, value] : json.items())
        dict->Set(runtime, MakeText(runtime, key), FromJson(runtime, value));
      return MakeDict(runtime, std::move(dict));
    }
    case Json::value_t::binary:  // a number that is kept as its text
      if (!IsNumber(json)) return Value::None();
      if (const std::string text = DumpJson(json); text.find_first_of(".eE") == std::string::npos)
        return Value::Integer(text);
      return Value::Float(NumberOf(json).Rounded());
    default:
      return Value::None();
  }
}

// Iteration.

Iterator::Iterator(Runtime& runtime, Value source) : runtime_(&runtime), source_(std::move(source)) {
  if (!IsIterable(source_)) runtime.Fail("'{}' object is not iterable", TypeName(source_));
}

bool Iterator::Next(Value& item) {
  runtime_->Step();
  switch (source_.type()) {
    case Type::kString: {
      const std::string& text = source_.text();
      if (at_ >= text.size()) return false;
      size_t begin = at_;
      NextCodePoint(text, at_);
      item = Value::String(text.substr(begin, at_ - begin), source_.IsMarkup());
      return true;
    }
    case Type::kList:
    case Type::kTuple:
      if (at_ >= source_.items().size()) return false;
      item = source_.items()[at_++];
      return true;
    case Type::kDict:
      if (at_ >= source_.as<DictObject>().entries.size()) return false;
      item = source_.as<DictObject>().entries[at_++].first;
      return true;
    case Type::kDictView: {
      const auto& view = source_.as<DictViewObject>();
      if (at_ >= view.dict.as<DictObject>().entries.size()) return false;
      item = view.At(*runtime_, at_++);
      return true;
    }
    case Type::kRange: {
      const auto& range = source_.as<RangeObject>();
      if (static_cast<int64_t>(at_) >= range.Size()) return false;
      item = Value::Int(range.start + static_cast<int64_t>(at_++) * range.step);
      return true;
    }
    case Type::kGenerator: {
      Runtime::Nest nest(*runtime_);
      return source_.as<GeneratorObject>().next(item);
    }
    default:
      return false;
  }
}

bool IsIterable(const Value& value) {
  switch (value.type()) {
    case Type::kNone:
    case Type::kBool:
    case Type::kInt:
    case Type::kBigInt:
    case Type::kFloat:
    case Type::kObject:
      return false;
    default:
      return true;
  }
}

std::vector<Value> Collect(Runtime& runtime, const Value& iterable) {
  std::vector<Value> items;
  Iterator it(runtime, iterable);
  for (Value item; it.Next(item);) items.push_back(std::move(item));
  return items;
}

// Description.

const char* TypeName(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
      return "Undefined";
    case Type::kNone:
      return "NoneType";
    case Type::kBool:
      return "bool";
    case Type::kInt:
    case Type::kBigInt:
      return "int";
    case Type::kFloat:
      return "float";
    case Type::kString:
      return value.IsMarkup() ? "Markup" : "str";
    case Type::kList:
      return "list";
    case Type::kTuple:
      return "tuple";
    case Type::kDict:
      return "dict";
    case Type::kDictView: {
      auto kind = value.as<DictViewObject>().kind;
      return kind == DictViewObject::Kind::kKeys     ? "dict_keys"
             : kind == DictViewObject::Kind::kValues ? "dict_values"
                                                     : "dict_items";
    }
    case Type::kRange:
      return "range";
    case Type::kGenerator:
      return value.as<GeneratorObject>().name;
    case Type::kObject:
      return value.as<CustomObject>().TypeName();
  }
  return "object";
}

std::optional<int64_t> Length(Runtime& runtime, const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
      return 0;
    case Type::kString:
      if (value.string().ascii) return static_cast<int64_t>(value.text().size());
      runtime.ChargeBytes(value.text().size());
      return static_cast<int64_t>(CountCodePoints(value.text()));
    case Type::kList:
    case Type::kTuple:
      return static_cast<int64_t>(value.items().size());
    case Type::kDict:
      return static_cast<int64_t>(value.as<DictObject>().entries.size());
    case Type::kDictView:
      return static_cast<int64_t>(value.as<DictViewObject>().dict.as<DictObject>().entries.size());
    case Type::kRange:
      return value.as<RangeObject>().Size();
    case Type::kObject:
      return value.as<CustomObject>().Size(runtime);
    default:
      return std::nullopt;
  }
}

bool Truth(Runtime& runtime, const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
    case Type::kNone:
      return false;
    case Type::kBool:
    case Type::kInt:
      return value.AsInt() != 0;
    case Type::kBigInt:
      return true;
    case Type::kFloat:
      return value.AsDouble() != 0;
    case Type::kString:
      return !value.text().empty();
    case Type::kGenerator:
      return true;
    default:
      return Length(runtime, value).value_or(1) != 0;
  }
}

namespace {

void AppendRepr(Runtime& runtime, const Value& value, std::string& out);

void AppendReprs(Runtime& runtime, const std::vector<Value>& items, std::string& out) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) out += ", ";
    AppendRepr(runtime, items[i], out);
  }
}

void AppendView(Runtime& runtime, const DictViewObject& view, std::string& out) {
  const auto& entries = view.dict.as<DictObject>().entries;
  out += view.kind == DictViewObject::Kind::kKeys     ? "dict_keys(["
         : view.kind == DictViewObject::Kind::kValues ? "dict_values(["
                                                      : "dict_items([";
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i) out += ", ";
    AppendRepr(runtime, view.At(runtime, i), out);
  }
  out += "])";
}

void AppendRepr(Runtime& runtime, const Value& value, std::string& out) {
  Runtime::Nest nest(runtime);
  size_t before = out.size();
  switch (value.type()) {
    case Type::kUndefined:
      out += "Undefined";
      break;
    case Type::kNone:
      out += "None";
      break;
    case Type::kBool:
      out += value.AsBool() ? "True" : "False";
      break;
    case Type::kInt:
      out += std::to_string(value.AsInt());
      break;
    case Type::kBigInt:
      out += value.digits();
      break;
    case Type::kFloat:
      out += ReprFloat(value.AsDouble());
      break;
    case Type::kString:
      out += value.IsMarkup() ? "Markup(" + ReprText(value.text()) + ")" : ReprText(value.text());
      break;
    case Type::kList:
      out += '[';
      AppendReprs(runtime, value.items(), out);
      out += ']';
      break;
    case Type::kTuple:
      out += '(';
      AppendReprs(runtime, value.items(), out);
      out += value.items().size() == 1 ? ",)" : ")";
      break;
    case Type::kDict: {
      bool first = true;
      out += '{';
      for (const auto& [key, item] : value.as<DictObject>().entries) {
        if (!first) out += ", ";
        first = false;
        AppendRepr(runtime, key, out);
        out += ": ";
        AppendRepr(runtime, item, out);
      }
      out += '}';
      break;
    }
    case Type::kDictView:
      AppendView(runtime, value.as<DictViewObject>(), out);
      break;
    case Type::kRange: {
      const auto& range = value.as<RangeObject>();
      out += fmt::format("range({}, {}", range.start, range.stop) +
             (range.step == 1 ? ")" : fmt::format(", {})", range.step));
      break;
    }
    case Type::kGenerator:
      out += fmt::format("<{} object>", TypeName(value));
      break;
    case Type::kObject:
      out += value.as<CustomObject>().Repr(runtime);
      break;
  }
  runtime.Step();
  // Containers were charged item by item; the size of the whole is checked against the limit on texts.
  bool leaf = !value.IsSequence() && !value.is(Type::kDict) && !value.is(Type::kDictView);
  runtime.ChargeBytes(leaf ? out.size() - before : 0);
  if (!leaf && out.size() > (size_t{1} << 16)) runtime.CheckTextSize(out.size());
}

}  // namespace

std::string Repr(Runtime& runtime, const Value& value) {
  std::string out;
  AppendRepr(runtime, value, out);
  return out;
}

std::string Str(Runtime& runtime, const Value& value) {
  if (value.IsString()) {
    runtime.ChargeBytes(value.text().size());
    return value.text();
  }
  if (value.IsUndefined()) return "";
  return Repr(runtime, value);
}

// Comparison.

namespace {

int Sign(bool less, bool greater) {
  return less ? -1 : greater ? 1 : 0;
}

int OrderDigits(std::string_view a, std::string_view b) {
  const bool negative = a[0] == '-';
  if (negative != (b[0] == '-')) return negative ? -1 : 1;
  const int order = a.size() != b.size() ? Sign(a.size() < b.size(), true) : a.compare(b);
  return negative ? Sign(order > 0, order < 0) : Sign(order<0, order> 0);
}

// One of them is beyond 64 bits: what is behind a float's point does not matter.
std::optional<int> OrderBig(const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (!value->is(Type::kFloat) || std::isfinite(value->AsDouble())) continue;
    if (std::isnan(value->AsDouble())) return std::nullopt;
    return (value == &a) == (value->AsDouble() < 0) ? -1 : 1;
  }
  auto digits = [](const Value& value) {
    if (value.is(Type::kBigInt)) return value.digits();
    return value.is(Type::kFloat) ? fmt::format("{:.0f}", std::trunc(value.AsDouble())) : std::to_string(value.AsInt());
  };
  return OrderDigits(digits(a), digits(b));
}

// Exact between integers and floats, as Python compares them.
std::optional<int> OrderNumbers(const Value& a, const Value& b) {
  if (a.is(Type::kBigInt) || b.is(Type::kBigInt)) return OrderBig(a, b);
  if (a.IsIntegral() && b.IsIntegral()) return Sign(a.AsInt() < b.AsInt(), a.AsInt() > b.AsInt());
  if (!a.IsIntegral() && !b.IsIntegral()) {
    double x = a.AsDouble(), y = b.AsDouble();
    if (std::isnan(x) || std::isnan(y)) return std::nullopt;
    return Sign(x<y, x> y);
  }
  bool swapped = b.IsIntegral();
  int64_t integer = swapped ? b.AsInt() : a.AsInt();
  double number = swapped ? a.AsDouble() : b.AsDouble();
  if (std::isnan(number)) return std::nullopt;
  int order;  // of the integer against the number
  if (number >= 9223372036854775808.0) {
    order = -1;
  } else if (number < -9223372036854775808.0) {
    order = 1;
  } else {
    auto whole = static_cast<int64_t>(number);  // towards zero
    double rest = number - static_cast<double>(whole);
    order = integer != whole ? Sign(integer<whole, integer> whole) : Sign(rest > 0, rest < 0);
  }
  return swapped ? -order : order;
}

}  // namespace

bool Same(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::kNone:
      return true;
    case Type::kBool:
    case Type::kInt:
      return a.AsInt() == b.AsInt();
    case Type::kFloat:
      return a.AsDouble() == b.AsDouble();
    case Type::kBigInt:
      return a.digits() == b.digits();
    case Type::kString:  // equal strings are mostly interned in Python; never relied upon by templates
      return a.text() == b.text();
    default:
      return a.object() == b.object();
  }
}

bool Equal(Runtime& runtime, const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) return OrderNumbers(a, b) == 0;
  if (a.type() != b.type()) return false;
  runtime.Step();
  switch (a.type()) {
    case Type::kUndefined:
    case Type::kNone:
      return true;
    case Type::kString:
      if (a.text().size() != b.text().size()) return false;
      runtime.Step(a.text().size() / 1024);
      return a.text() == b.text();
    case Type::kList:
    case Type::kTuple: {
      Runtime::Nest nest(runtime);
      const auto &x = a.items(), &y = b.items();
      if (x.size() != y.size()) return false;
      for (size_t i = 0; i < x.size(); ++i)
        if (!Equal(runtime, x[i], y[i])) return false;
      return true;
    }
    case Type::kDict: {
      Runtime::Nest nest(runtime);
      const auto &x = a.as<DictObject>(), &y = b.as<DictObject>();
      if (x.entries.size() != y.entries.size()) return false;
      for (const auto& [key, value] : x.entries) {
        const Value* other = y.Find(runtime, key);
        if (!other || !Equal(runtime, value, *other)) return false;
      }
      return true;
    }
    case Type::kRange: {
      const auto &x = a.as<RangeObject>(), &y = b.as<RangeObject>();
      int64_t size = x.Size();
      return size == y.Size() && (size == 0 || (x.start == y.start && (size == 1 || x.step == y.step)));
    }
    default:
      return a.object() == b.object();
  }
}

std::optional<int> Order(Runtime& runtime, const Value& a, const Value& b, std::string_view symbol) {
  if (a.IsUndefined() || b.IsUndefined()) runtime.Fail("{}", (a.IsUndefined() ? a : b).UndefinedMessage());
  if (a.IsNumber() && b.IsNumber()) return OrderNumbers(a, b);
  runtime.Step();
  if (a.IsString() && b.IsString()) runtime.Step(std::min(a.text().size(), b.text().size()) / 1024);
  // UTF-8 sorts as its code points do.
  if (a.IsString() && b.IsString()) {
    int order = a.text().compare(b.text());
    return Sign(order<0, order> 0);
  }
  if (a.IsSequence() && a.type() == b.type()) {
    Runtime::Nest nest(runtime);
    const auto &x = a.items(), &y = b.items();
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!Equal(runtime, x[i], y[i])) return Order(runtime, x[i], y[i], symbol);
    return Sign(x.size() < y.size(), x.size() > y.size());
  }
  runtime.Fail("'{}' not supported between instances of '{}' and '{}'", symbol, TypeName(a), TypeName(b));
}

bool Hash(Runtime& runtime, const Value& value, size_t& hash) {
  switch (value.type()) {
    case Type::kUndefined:
    case Type::kNone:
      hash = static_cast<size_t>(value.type()) + 0x9E37;
      return true;
    case Type::kBool:
    case Type::kInt:
      hash = std::hash<int64_t>()(value.AsInt());
      return true;
    case Type::kBigInt:  // as the float that is equal to it, if there is one
      hash = std::hash<double>()(value.AsDouble());
      return true;
    case Type::kFloat: {
      double number = value.AsDouble();
      bool whole = number >= -9e18 && number <= 9e18 && number == std::trunc(number);
      hash = whole ? std::hash<int64_t>()(static_cast<int64_t>(number)) : std::hash<double>()(number);
      return true;
    }
    case Type::kString:
      runtime.Step(value.text().size() / 256);
      hash = std::hash<std::string_view>()(value.text());
      return true;
    case Type::kTuple: {
      Runtime::Nest nest(runtime);
      hash = 0x1234567;
      for (const Value& item : value.items()) {
        runtime.Step();
        size_t each = 0;
        if (!Hash(runtime, item, each)) return false;
        hash = hash * 1000003 ^ each;
      }
      return true;
    }
    case Type::kList:
    case Type::kDict:
    case Type::kDictView:
      return false;
    default:
      hash = std::hash<const void*>()(value.object().get());
      return true;
  }
}

bool Contains(Runtime& runtime, const Value& container, const Value& item) {
  if (container.IsString()) {
    if (!item.IsString()) runtime.Fail("'in <string>' requires string as left operand, not {}", TypeName(item));
    runtime.ChargeSearch(container.text().size(), item.text().size());
    return container.text().find(item.text()) != std::string::npos;
  }
  const Value* dict = container.is(Type::kDict) ? &container : nullptr;
  if (container.is(Type::kDictView) && container.as<DictViewObject>().kind == DictViewObject::Kind::kKeys)
    dict = &container.as<DictViewObject>().dict;
  if (dict) {
    size_t hash = 0;
    if (!Hash(runtime, item, hash)) runtime.Fail("unhashable type: '{}'", TypeName(item));
    return dict->as<DictObject>().Find(runtime, item) != nullptr;
  }
  if (!IsIterable(container)) runtime.Fail("argument of type '{}' is not iterable", TypeName(container));
  Iterator it(runtime, container);
  for (Value each; it.Next(each);)
    if (Equal(runtime, each, item)) return true;
  return false;
}

}  // namespace assay::jinja
