// Python's operators, attribute look-up and subscripts.

#include <cmath>

#include "jinja/runtime.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

constexpr const char* kSymbols[] = {
    "+", "-", "*", "/", "//", "%", "** or pow()", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};

const char* Symbol(Op op) {
  return kSymbols[static_cast<size_t>(op)];
}

[[noreturn]] void Overflow(Runtime& runtime) {
  runtime.Throw(ErrorKind::kUnsupported, "computing with integers beyond 64 bits");
}

int64_t FloorDivide(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return quotient - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

// CPython's float_divmod: the quotient is rounded down, the remainder has the divisor's sign.
void FloatDivMod(double a, double b, double& quotient, double& remainder) {
  remainder = std::fmod(a, b);
  double rough = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      rough -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (rough != 0) {
    quotient = std::floor(rough);
    if (rough - quotient > 0.5) quotient += 1;
  } else {
    quotient = std::copysign(0.0, a / b);
  }
}

Value IntPower(Runtime& runtime, int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) runtime.Fail("0.0 cannot be raised to a negative power");
    return Value::Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) Overflow(runtime);
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) Overflow(runtime);
  }
  return Value::Int(result);
}

Value IntArithmetic(Runtime& runtime, Op op, int64_t a, int64_t b) {
  int64_t result = 0;
  if ((op == Op::kDiv || op == Op::kFloorDiv || op == Op::kMod) && b == 0)
    runtime.Fail("{}", op == Op::kDiv ? "division by zero" : "integer division or modulo by zero");
  switch (op) {
    case Op::kAdd:
      if (__builtin_add_overflow(a, b, &result)) Overflow(runtime);
      return Value::Int(result);
    case Op::kSub:
      if (__builtin_sub_overflow(a, b, &result)) Overflow(runtime);
      return Value::Int(result);
    case Op::kMul:
      if (__builtin_mul_overflow(a, b, &result)) Overflow(runtime);
      return Value::Int(result);
    case Op::kDiv:
      return Value::Float(static_cast<double>(a) / static_cast<double>(b));
    case Op::kFloorDiv:
      if (a == INT64_MIN && b == -1) Overflow(runtime);
      return Value::Int(FloorDivide(a, b));
    case Op::kMod:
      return Value::Int(b == -1 ? 0 : a - FloorDivide(a, b) * b);
    default:
      return IntPower(runtime, a, b);
  }
}

Value FloatArithmetic(Runtime& runtime, Op op, double a, double b) {
  double quotient = 0, remainder = 0;
  if ((op == Op::kDiv || op == Op::kFloorDiv || op == Op::kMod) && b == 0) runtime.Fail("float division by zero");
  switch (op) {
    case Op::kAdd:
      return Value::Float(a + b);
    case Op::kSub:
      return Value::Float(a - b);
    case Op::kMul:
      return Value::Float(a * b);
    case Op::kDiv:
      return Value::Float(a / b);
    case Op::kFloorDiv:
    case Op::kMod:
      FloatDivMod(a, b, quotient, remainder);
      return Value::Float(op == Op::kMod ? remainder : quotient);
    default: {
      if (a == 0 && b < 0) runtime.Fail("0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b))
        runtime.Throw(ErrorKind::kUnsupported, "complex numbers");
      double power = std::pow(a, b);
      if (std::isinf(power) && std::isfinite(a) && std::isfinite(b))
        runtime.Fail("(34, 'Numerical result out of range')");
      return Value::Float(power);
    }
  }
}

Value Repeat(Runtime& runtime, const Value& sequence, int64_t count) {
  if (count < 0) count = 0;
  auto times = static_cast<size_t>(count);
  if (sequence.IsString()) {
    const std::string& text = sequence.text();
    if (text.empty() || times == 0) return Value::String("", sequence.IsMarkup());
    runtime.CheckTextSize(times > (size_t{1} << 40) ? SIZE_MAX : times * text.size());
    std::string out;
    out.reserve(times * text.size());
    for (size_t i = 0; i < times; ++i) out += text;
    return MakeText(runtime, std::move(out), sequence.IsMarkup());
  }
  const auto& items = sequence.items();
  if (items.empty()) return sequence;
  runtime.Step(times > (size_t{1} << 40) ? times : times * items.size());
  runtime.ChargeMade(times * items.size() * sizeof(Value));
  std::vector<Value> out;
  out.reserve(times * items.size());
  for (size_t i = 0; i < times; ++i) out.insert(out.end(), items.begin(), items.end());
  return MakeList(runtime, std::move(out), sequence.type());
}

Value Add(Runtime& runtime, const Value& a, const Value& b) {
  if (a.IsString() && b.IsString()) {
    bool markup = a.IsMarkup() || b.IsMarkup();
    runtime.CheckTextSize(a.text().size() + b.text().size());
    if (!markup) return MakeText(runtime, a.text() + b.text());
    return MakeText(runtime,
                    (a.IsMarkup() ? a.text() : EscapeHtml(a.text())) + (b.IsMarkup() ? b.text() : EscapeHtml(b.text())),
                    true);
  }
  if (a.IsSequence() && a.type() == b.type()) {
    runtime.Step(a.items().size() + b.items().size());
    std::vector<Value> items = a.items();
    items.insert(items.end(), b.items().begin(), b.items().end());
    return MakeList(runtime, std::move(items), a.type());
  }
  if (a.IsString()) runtime.Fail("can only concatenate str (not \"{}\") to str", TypeName(b));
  runtime.Fail("unsupported operand type(s) for +: '{}' and '{}'", TypeName(a), TypeName(b));
}

// Attributes that Python's own objects have but the sandbox hides.
bool IsHidden(std::string_view name) {
  static constexpr std::string_view kDunders[] = {"__class__", "__doc__",     "__init__", "__dict__",
                                                  "__len__",   "__getitem__", "__iter__"};
  for (auto dunder : kDunders)
    if (name == dunder) return true;
  return false;
}

Value Hidden(const Value& object, std::string_view name) {
  return Value::Undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, TypeName(object)));
}

std::optional<Value> FindAttribute(Runtime& runtime, const Value& object, std::string_view name) {
  if (IsHidden(name)) return Hidden(object, name);
  if (object.is(Type::kObject)) {
    std::shared_ptr<Object> alive = object.object();
    auto found = static_cast<CustomObject&>(*alive).Attribute(runtime, name);
    if (found && name[0] == '_') return Hidden(object, name);
    return found;
  }
  return BuiltinAttribute(runtime, object, name);
}

std::string Described(const Value& object) {
  return object.IsNone() ? "None" : std::string(TypeName(object)) + " object";
}

// The place of an index, or absent when outside.
std::optional<size_t> Place(int64_t index, int64_t size) {
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  return static_cast<size_t>(index);
}

std::optional<Value> Subscript(Runtime& runtime, const Value& object, const Value& key) {
  if (object.is(Type::kDict)) {
    size_t hash = 0;
    if (!Hash(runtime, key, hash)) return std::nullopt;
    const Value* found = object.as<DictObject>().Find(runtime, key);
    return found ? std::optional<Value>(*found) : std::nullopt;
  }
  if (!key.IsIntegral()) return std::nullopt;
  if (!object.IsSequence() && !object.IsString() && !object.is(Type::kRange)) return std::nullopt;
  auto place = Place(key.AsInt(), *Length(runtime, object));
  if (!place) return std::nullopt;
  if (object.IsSequence()) return object.items()[*place];
  if (object.is(Type::kRange)) {
    const auto& range = object.as<RangeObject>();
    return Value::Int(range.start + static_cast<int64_t>(*place) * range.step);
  }
  const auto& text = object.string();
  size_t begin = ByteOffset(text.text, *place, text.ascii), end = begin;
  runtime.Step(text.ascii ? 1 : begin / 32 + 1);
  NextCodePoint(text.text, end);
  return Value::String(text.text.substr(begin, end - begin), text.markup);
}

}  // namespace

Value Runtime::Binary(Op op, const Value& a, const Value& b) {
  if (op == Op::kMod && a.IsString()) return MakeText(*this, FormatPercent(*this, a.text(), b), a.IsMarkup());
  if (a.IsUndefined()) Fail("{}", a.UndefinedMessage());
  if (b.IsUndefined()) Fail("{}", b.UndefinedMessage());
  if (a.IsNumber() && b.IsNumber()) {
    if (a.is(Type::kBigInt) || b.is(Type::kBigInt)) Overflow(*this);
    if (a.IsIntegral() && b.IsIntegral()) return IntArithmetic(*this, op, a.AsInt(), b.AsInt());
    return FloatArithmetic(*this, op, a.AsDouble(), b.AsDouble());
  }
  if (op == Op::kAdd) return Add(*this, a, b);
  auto repeats = [](const Value& value) { return value.IsString() || value.IsSequence(); };
  if (op == Op::kMul && repeats(a) && b.IsIntegral()) return Repeat(*this, a, b.AsInt());
  if (op == Op::kMul && repeats(b) && a.IsIntegral()) return Repeat(*this, b, a.AsInt());
  Fail("unsupported operand type(s) for {}: '{}' and '{}'", Symbol(op), TypeName(a), TypeName(b));
}

Value Runtime::Negative(const Value& a) {
  if (a.IsUndefined()) Fail("{}", a.UndefinedMessage());
  if (a.is(Type::kFloat)) return Value::Float(-a.AsDouble());
  if (!a.IsNumber()) Fail("bad operand type for unary -: '{}'", TypeName(a));
  if (a.IsIntegral() && a.AsInt() != INT64_MIN) return Value::Int(-a.AsInt());
  const std::string digits = a.IsIntegral() ? std::to_string(a.AsInt()) : a.digits();
  return Value::Integer(digits[0] == '-' ? digits.substr(1) : '-' + digits);
}

Value Runtime::Positive(const Value& a) {
  if (a.IsUndefined()) Fail("{}", a.UndefinedMessage());
  if (a.is(Type::kFloat) || a.is(Type::kBigInt)) return a;
  if (!a.IsIntegral()) Fail("bad operand type for unary +: '{}'", TypeName(a));
  return Value::Int(a.AsInt());
}

bool Runtime::Compare(Op op, const Value& a, const Value& b) {
  switch (op) {
    case Op::kEq:
      return Equal(*this, a, b);
    case Op::kNe:
      return !Equal(*this, a, b);
    case Op::kIn:
      return Contains(*this, b, a);
    case Op::kNotIn:
      return !Contains(*this, b, a);
    default:
      break;
  }
  auto order = Order(*this, a, b, Symbol(op));
  if (!order) return false;
  switch (op) {
    case Op::kLt:
      return *order < 0;
    case Op::kLe:
      return *order <= 0;
    case Op::kGt:
      return *order > 0;
    default:
      return *order >= 0;
  }
}

Value Runtime::Attribute(const Value& object, std::string_view name) {
  Step(1 + name.size() / 32);
  if (object.IsUndefined()) Fail("{}", object.UndefinedMessage());
  if (auto found = FindAttribute(*this, object, name)) return *found;
  if (object.is(Type::kDict))
    if (const Value* found = object.as<DictObject>().Find(*this, name)) return *found;
  return Value::Undefined(fmt::format("'{}' has no attribute '{}'", Described(object), name));
}

Value Runtime::Item(const Value& object, const Value& key) {
  Step();
  if (object.IsUndefined()) Fail("{}", object.UndefinedMessage());
  if (auto found = Subscript(*this, object, key)) return *found;
  if (key.IsString()) {
    if (auto found = FindAttribute(*this, object, key.text())) return *found;
    return Value::Undefined(
        fmt::format("'{}' has no attribute {}", Described(object), ReprText(key.text().substr(0, 200))));
  }
  return Value::Undefined(
      fmt::format("{} has no element {}", Described(object), key.IsSequence() ? TypeName(key) : Repr(*this, key)));
}

Value Runtime::Slice(const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.IsUndefined()) Fail("{}", object.UndefinedMessage());
  if (!object.IsSequence() && !object.IsString() && !object.is(Type::kRange))
    Fail("'{}' object cannot be sliced", TypeName(object));
  for (const Value* bound : {&start, &stop, &step})
    if (!bound->IsNone() && !bound->IsIntegral()) Fail("slice indices must be integers or None");
  int64_t stride = step.IsNone() ? 1 : step.AsInt();
  if (stride == 0) Fail("slice step cannot be zero");
  if (stride == INT64_MIN) stride = -INT64_MAX;
  int64_t size = *Length(*this, object);
  auto clamp = [&](const Value& bound, int64_t fallback) {
    if (bound.IsNone()) return fallback;
    int64_t at = bound.AsInt();
    if (at < 0) at = at < -size ? (stride < 0 ? -1 : 0) : at + size;
    return std::min(at, stride < 0 ? size - 1 : size);
  };
  RangeObject places;
  places.start = clamp(start, stride < 0 ? size - 1 : 0);
  places.stop = clamp(stop, stride < 0 ? -1 : size);
  places.step = stride;
  int64_t count = places.Size();
  if (object.is(Type::kRange)) {
    const auto& range = object.as<RangeObject>();
    auto part = std::make_shared<RangeObject>();
    auto at = [&](int64_t place) {
      int64_t offset = 0, value = 0;
      if (__builtin_mul_overflow(place, range.step, &offset) || __builtin_add_overflow(range.start, offset, &value))
        Overflow(*this);
      return value;
    };
    part->start = at(places.start);
    part->stop = at(places.stop);
    if (__builtin_mul_overflow(range.step, stride, &part->step)) Overflow(*this);
    return Value::Wrap(Type::kRange, std::move(part));
  }
  if (object.IsString()) {
    const auto& text = object.string();
    ChargeBytes(text.text.size());
    if (stride == 1) {
      size_t begin = ByteOffset(text.text, static_cast<size_t>(places.start), text.ascii);
      std::string_view rest = std::string_view(text.text).substr(begin);
      return Value::String(std::string(rest.substr(0, ByteOffset(rest, static_cast<size_t>(count), text.ascii))),
                           text.markup);
    }
    Step(text.text.size());
    auto characters = Characters(text.text);
    std::string out;
    for (int64_t i = 0; i < count; ++i) out += characters[static_cast<size_t>(places.start + i * stride)];
    return MakeText(*this, std::move(out), text.markup);
  }
  std::vector<Value> items;
  Step(static_cast<uint64_t>(count));
  items.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) items.push_back(object.items()[static_cast<size_t>(places.start + i * stride)]);
  return MakeList(*this, std::move(items), object.type());
}

}  // namespace assay::jinja
