#pragma once
// Values of a running template: Python's, as far as templates see them. Strings are UTF-8 and indexed by code point.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"

namespace assay::jinja {

class Runtime;
class Value;

enum class Type : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kBigInt,  // beyond 64 bits, by its digits: shown and compared, not computed with
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kDictView,  // what keys(), values() and items() return
  kRange,
  kGenerator,  // lazy and read once: what map, select and their kin return
  kObject,     // functions, macros, namespaces, loops
};

/// Everything that does not fit into a Value itself. `depth` bounds nesting, so that no walk and no destructor runs out
/// of stack.
struct Object {
  virtual ~Object() = default;
  uint32_t depth = 0;
};

struct StringObject : Object {
  std::string text;
  bool ascii = true;
  bool markup = false;  // jinja2's Markup: what `safe` and `escape` return; joining escapes the other side
};

struct RangeObject : Object {
  int64_t start = 0, stop = 0, step = 1;
  int64_t Size() const;
};

class Value {
 public:
  Value() = default;  // undefined
  static Value None() { return Value(Type::kNone); }
  static Value Bool(bool b);
  static Value Int(int64_t i);
  /// An integer by its decimal digits, with a minus sign or none and without zeros in front.
  static Value Integer(std::string digits);
  static Value Float(double f);
  static Value String(std::string text, bool markup = false);
  static Value Undefined(std::string message);

  Type type() const { return type_; }
  bool is(Type type) const { return type_ == type; }
  bool IsUndefined() const { return type_ == Type::kUndefined; }
  bool IsNone() const { return type_ == Type::kNone; }
  bool IsString() const { return type_ == Type::kString; }
  bool IsNumber() const { return IsIntegral() || type_ == Type::kBigInt || type_ == Type::kFloat; }
  bool IsIntegral() const { return type_ == Type::kBool || type_ == Type::kInt; }  // of 64 bits
  bool IsSequence() const { return type_ == Type::kList || type_ == Type::kTuple; }
  bool IsMarkup() const { return IsString() && static_cast<const StringObject&>(*object_).markup; }

  bool AsBool() const { return int_ != 0; }
  int64_t AsInt() const { return int_; }  // also of a bool
  double AsDouble() const;
  const std::string& digits() const { return string().text; }  // of a kBigInt
  const StringObject& string() const { return static_cast<const StringObject&>(*object_); }
  const std::string& text() const { return string().text; }
  const std::vector<Value>& items() const;  // of a list or tuple
  template <typename T>
  T& as() const {
    return static_cast<T&>(*object_);
  }
  const std::shared_ptr<Object>& object() const { return object_; }
  uint32_t Depth() const { return object_ ? object_->depth : 0; }
  /// Why it is undefined; empty for the plain "missing" value.
  std::string UndefinedMessage() const;

  static Value Wrap(Type type, std::shared_ptr<Object> object) {
    Value value(type);
    value.object_ = std::move(object);
    return value;
  }

 private:
  explicit Value(Type type) : type_(type) {}
  Type type_ = Type::kUndefined;
  union {
    int64_t int_ = 0;
    double float_;
  };
  std::shared_ptr<Object> object_;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;
};

struct ListObject : Object {  // list and tuple
  std::vector<Value> items;
  bool is_group = false;  // what groupby yields: a pair whose parts are also named `grouper` and `list`
};

inline const std::vector<Value>& Value::items() const {
  return static_cast<const ListObject&>(*object_).items;
}

struct GeneratorObject : Object {
  std::function<bool(Value&)> next;
  const char* name = "generator";
};

/// An object with behaviour of its own.
struct CustomObject : Object {
  virtual std::optional<Value> Attribute(Runtime& runtime, std::string_view name);
  virtual bool Callable() const { return false; }
  virtual Value Call(Runtime& runtime, Arguments& arguments);
  virtual std::optional<int64_t> Size(Runtime& runtime);
  virtual std::string Repr(Runtime& runtime) = 0;
  virtual const char* TypeName() const = 0;
  virtual void Clear() {}  // drops what it holds: the end of a rendering breaks cycles
};

struct DictObject : Object {
  std::vector<std::pair<Value, Value>> entries;  // in order of insertion
  /// The key must be hashable (see Hash).
  const Value* Find(Runtime& runtime, const Value& key) const;
  const Value* Find(Runtime& runtime, std::string_view key) const;
  void Set(Runtime& runtime, Value key, Value value);

 private:
  size_t Position(Runtime& runtime, const Value& key, size_t hash) const;
  std::unordered_multimap<size_t, size_t> index_;  // hash to entry, kept once there are more than a few
};

struct DictViewObject : Object {
  enum class Kind { kKeys, kValues, kItems } kind = Kind::kKeys;
  Value dict;
  Value At(Runtime& runtime, size_t i) const;
};

/// Lists and tuples; charges their size and bounds their nesting.
Value MakeList(Runtime& runtime, std::vector<Value> items, Type type = Type::kList);
Value MakeTuple(Runtime& runtime, std::vector<Value> items);
Value MakePair(Runtime& runtime, Value a, Value b);
Value MakeDict(Runtime& runtime, std::shared_ptr<DictObject> dict);
Value MakeGenerator(Runtime& runtime, const Value& source, std::function<bool(Value&)> next);
Value MakeText(Runtime& runtime, std::string text, bool markup = false);
Value FromJson(Runtime& runtime, const Json& json);

/// Walks whatever Python would: strings by character, dicts by key. Undefined is empty.
class Iterator {
 public:
  /// Fails ("'int' object is not iterable") for other types.
  Iterator(Runtime& runtime, Value source);
  bool Next(Value& item);

 private:
  Runtime* runtime_;
  Value source_;
  size_t at_ = 0;
};
bool IsIterable(const Value& value);
std::vector<Value> Collect(Runtime& runtime, const Value& iterable);

const char* TypeName(const Value& value);
bool Truth(Runtime& runtime, const Value& value);
/// Absent where Python's len() raises TypeError.
std::optional<int64_t> Length(Runtime& runtime, const Value& value);
std::string Str(Runtime& runtime, const Value& value);
std::string Repr(Runtime& runtime, const Value& value);
bool Equal(Runtime& runtime, const Value& a, const Value& b);
/// Three-way order of two values; fails where Python's `<` raises TypeError. NaN is unordered: absent.
std::optional<int> Order(Runtime& runtime, const Value& a, const Value& b, std::string_view symbol);
/// False when the value cannot be hashed.
bool Hash(Runtime& runtime, const Value& value, size_t& hash);
bool Contains(Runtime& runtime, const Value& container, const Value& item);
/// The same object, as `is` has it for the singletons and objects that templates can compare.
bool Same(const Value& a, const Value& b);

}  // namespace assay::jinja
