#include "base/json.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/json_number.h"
#include "base/python_json.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr size_t kMaxDepth = 512;

const Json* Member(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", where, TypeName(object));
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return nullptr;
  return &*it;
}

const Json& Required(const Json& object, std::string_view key, std::string_view where) {
  const Json* member = Member(object, key, where);
  if (!member) Fail(ErrorKind::kInvalid, "{}: \"{}\" is missing", where, key);
  return *member;
}

[[noreturn]] void WrongType(const Json& value, std::string_view key, std::string_view where,
                            std::string_view expected) {
  Fail(ErrorKind::kInvalid, "{}: \"{}\" should be {}, found {}", where, key, expected, TypeName(value));
}

std::string AsString(const Json& value, std::string_view key, std::string_view where) {
  if (!value.is_string()) WrongType(value, key, where, "a string");
  return value.get<std::string>();
}

int64_t AsInt(const Json& value, std::string_view key, std::string_view where) {
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    Fail(ErrorKind::kInvalid, "{}: \"{}\" is too large", where, key);
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number_float()) {
    double number = value.get<double>();
    if (number > -9e15 && number < 9e15 && number == static_cast<double>(static_cast<int64_t>(number)))
      return static_cast<int64_t>(number);
  }
  WrongType(value, key, where, "an integer");
}

struct SpecialRow {
  std::string_view name;
  double value;
};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr SpecialRow kSpecials[] = {
    {"NaN", std::numeric_limits<double>::quiet_NaN()}, {"Infinity", kInfinity}, {"-Infinity", -kInfinity}};

/// Which nulls of a text, counted from 0, stand for which numbers.
using Specials = std::unordered_map<size_t, double>;

/// Of transformers since version 5: {"__float__": "Infinity"}.
std::optional<double> TaggedFloat(const Json& value) {
  if (!value.is_object() || value.size() != 1 || value.begin().key() != "__float__" || !value.front().is_string())
    return std::nullopt;
  for (const SpecialRow& row : kSpecials)
    if (value.front().get_ref<const std::string&>() == row.name) return row.value;
  return std::nullopt;
}

/// The number that JSON has no word for, if this token is one.
std::optional<double> SpecialNumber(std::string_view token) {
  for (const SpecialRow& row : kSpecials)
    if (token == row.name) return row.value;
  const bool exponent = token.find_first_of("eE") != std::string_view::npos;
  if ((!exponent && token.size() < 300) || token.find_first_not_of("+-.eE0123456789") != std::string_view::npos)
    return std::nullopt;
  const std::string text(token);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return std::isinf(value) && end == text.c_str() + text.size() ? std::optional(value) : std::nullopt;
}

/// Numbers of Python's that are none of JSON's, as null in as many characters where they fit, so that places in
/// messages stay right.
std::string WithoutSpecials(std::string_view text, Specials& numbers) {
  std::string out;
  out.reserve(text.size());
  size_t nulls = 0;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    size_t end = at + 1;
    if (c == '"') {
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, text.size());
    } else if (std::isalnum(static_cast<unsigned char>(c)) || c == '-') {
      auto goes_on = [](char next) {
        return std::isalnum(static_cast<unsigned char>(next)) || next == '+' || next == '-' || next == '.';
      };
      while (end < text.size() && goes_on(text[end])) ++end;
      const std::string_view token = text.substr(at, end - at);
      const std::optional<double> number = SpecialNumber(token);
      if (number) {
        numbers.emplace(nulls, *number);
        out.append("null").append(token.size() > 4 ? token.size() - 4 : 0, ' ');
      }
      nulls += number || token == "null";
      at = number ? end : at;
    }
    out.append(text.substr(at, end - at));
    at = end;
  }
  return out;
}

// Builds the tree as the parser of nlohmann does, but in linear time: that one looks through the members of an object,
// and with a callback through the elements of an array, once for each of them.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  /// `exact`: see json_number.h. `numbers`: see Specials; null: the text is JSON proper.
  TreeBuilder(std::string_view where, bool unique, bool exact, const Specials* numbers)
      : where_(where), unique_(unique), exact_(exact), numbers_(numbers) {}
  Json Take() { return std::move(root_); }

  bool null() override {
    const size_t index = nulls_++;
    if (numbers_)
      if (auto it = numbers_->find(index); it != numbers_->end()) return Put(it->second);
    return Put(nullptr);
  }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    return Put(exact_ ? ExactNumber(text) : Json(value));
  }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Open(Json::object()); }
  bool start_array(std::size_t) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    levels_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    std::string message = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..." says it all after the bracket.
    if (auto end = message.find("] "); end != std::string::npos) message = message.substr(end + 2);
    Fail(ErrorKind::kCorrupt, "{}: not JSON: {}", where_, message);
  }

 private:
  static constexpr size_t kFew = 16;  // members that are found fastest by looking at each

  struct Level {
    Json value;
    std::string key;                                   // of the member that comes next
    std::unordered_map<std::string, size_t> position;  // of all members, once they are many
  };

  bool Open(Json empty) {
    if (levels_.size() >= kMaxDepth) Fail(ErrorKind::kCorrupt, "{}: JSON nested deeper than {}", where_, kMaxDepth);
    levels_.push_back({std::move(empty), "", {}});
    return true;
  }

  bool Close() {
    Json value = std::move(levels_.back().value);
    levels_.pop_back();
    if (numbers_)
      if (std::optional<double> number = TaggedFloat(value)) return Put(*number);
    return Put(std::move(value));
  }

  bool Put(Json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Level& level = levels_.back();
    if (level.value.is_array()) {
      level.value.push_back(std::move(value));
      return true;
    }
    auto& members = level.value.get_ref<Json::object_t&>();
    if (Json* there = Find(level, members)) {
      if (unique_) Fail(ErrorKind::kCorrupt, "{}: duplicate key \"{}\"", where_, level.key);
      *there = std::move(value);  // the last one counts
      return true;
    }
    if (!level.position.empty()) level.position.emplace(level.key, members.size());
    members.emplace_back(std::move(level.key), std::move(value));
    return true;
  }

  static Json* Find(Level& level, Json::object_t& members) {
    if (members.size() > kFew) {
      if (level.position.empty())
        for (size_t i = 0; i < members.size(); ++i)
          level.position.emplace((members.begin() + static_cast<std::ptrdiff_t>(i))->first, i);
      auto it = level.position.find(level.key);
      return it == level.position.end() ? nullptr
                                        : &(members.begin() + static_cast<std::ptrdiff_t>(it->second))->second;
    }
    for (auto& [name, value] : members)
      if (name == level.key) return &value;
    return nullptr;
  }

  std::string_view where_;
  bool unique_, exact_;
  const Specials* numbers_;
  size_t nulls_ = 0;
  Json root_;
  std::vector<Level> levels_;
};

bool HasKeptNumber(const Json& value) {
  if (!value.is_structured()) return IsNumber(value) && value.is_binary();
  return std::any_of(value.begin(), value.end(), HasKeptNumber);
}

// With the numbers that are kept as text (json_number.h). `margin`: in front of the value's lines.
std::string DumpAround(const Json& value, int indent, size_t margin) {
  if (IsNumber(value) && value.is_binary()) return {value.get_binary().begin(), value.get_binary().end()};
  if (!value.is_structured() || value.empty()) return DumpJson(value);
  size_t inner = margin + static_cast<size_t>(std::max(indent, 0));
  auto line = [&](size_t spaces) { return indent < 0 ? std::string() : "\n" + std::string(spaces, ' '); };
  std::string out;
  for (const auto& item : value.items()) {
    out += (out.empty() ? "" : ",") + line(inner);
    if (value.is_object()) out += DumpJson(item.key()) + (indent < 0 ? ":" : ": ");
    out += DumpAround(item.value(), indent, inner);
  }
  out += line(margin);
  return value.is_object() ? "{" + out + "}" : "[" + out + "]";
}

Json Parse(std::string_view text, std::string_view where, bool unique, bool exact, const Specials* numbers) {
  TreeBuilder builder(where, unique, exact, numbers);
  try {
    if (!Json::sax_parse(text.begin(), text.end(), &builder)) Fail(ErrorKind::kCorrupt, "{}: not JSON", where);
  } catch (const nlohmann::json::exception& e) {
    Fail(ErrorKind::kCorrupt, "{}: not JSON: {}", where, e.what());
  }
  // The library takes a NUL byte for the end and passes over what stands behind it; inside strings it refuses one.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    const std::string_view before = text.substr(0, nul);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    Fail(ErrorKind::kCorrupt, "{}: not JSON: a NUL byte behind the value, at line {}, column {}", where, line,
         nul - (before.rfind('\n') + 1) + 1);
  }
  return builder.Take();
}

/// Replaces the numbers that are not finite by strings that no other string of the tree is.
void MarkSpecials(Json& value, const std::string& mark) {
  if (value.is_structured())
    for (Json& item : value) MarkSpecials(item, mark);
  if (!value.is_number_float()) return;
  const double number = value.get<double>();
  for (const SpecialRow& row : kSpecials)
    if (number == row.value || (std::isnan(number) && std::isnan(row.value))) value = mark + std::string(row.name);
}

}  // namespace

Json ParseJson(std::string_view text, std::string_view where, bool strict) {
  return Parse(text, where, strict, strict, nullptr);
}

Json ParseExactJson(std::string_view text, std::string_view where) {
  return Parse(text, where, false, true, nullptr);
}

Json ParsePythonJson(std::string_view text, std::string_view where) {
  Specials numbers;
  const std::string plain = WithoutSpecials(text, numbers);
  return Parse(plain, where, false, false, &numbers);
}

std::string StrictJsonOfPython(std::string_view text) {
  Specials numbers;
  return WithoutSpecials(text, numbers);
}

std::string DumpPythonJson(const Json& value, int indent) {
  const std::string without = DumpJson(value, indent);
  std::string mark = "@";
  while (without.find(mark) != std::string::npos) mark += '@';
  Json marked = value;
  MarkSpecials(marked, mark);
  std::string out = DumpJson(marked, indent);
  for (const SpecialRow& row : kSpecials) ReplaceAll(out, fmt::format("\"{}{}\"", mark, row.name), row.name);
  return out;
}

std::string DumpJson(const Json& value, int indent) {
  return HasKeptNumber(value) ? DumpAround(value, indent, 0)
                              : value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string JsonString(const Json& object, std::string_view key, std::string_view where) {
  return AsString(Required(object, key, where), key, where);
}
std::string JsonString(const Json& object, std::string_view key, std::string_view where, std::string_view fallback) {
  const Json* member = Member(object, key, where);
  return member ? AsString(*member, key, where) : std::string(fallback);
}
int64_t JsonInt(const Json& object, std::string_view key, std::string_view where) {
  return AsInt(Required(object, key, where), key, where);
}
int64_t JsonInt(const Json& object, std::string_view key, std::string_view where, int64_t fallback) {
  const Json* member = Member(object, key, where);
  return member ? AsInt(*member, key, where) : fallback;
}
double JsonNumber(const Json& object, std::string_view key, std::string_view where, double fallback) {
  const Json* member = Member(object, key, where);
  if (!member) return fallback;
  if (!member->is_number()) WrongType(*member, key, where, "a number");
  const double number = member->get<double>();
  if (!std::isfinite(number))
    Fail(ErrorKind::kInvalid, "{}: \"{}\" should be a finite number, found {}", where, key, DumpPythonJson(*member));
  return number;
}
bool JsonBool(const Json& object, std::string_view key, std::string_view where, bool fallback) {
  const Json* member = Member(object, key, where);
  if (!member) return fallback;
  if (!member->is_boolean()) WrongType(*member, key, where, "true or false");
  return member->get<bool>();
}

}  // namespace assay
