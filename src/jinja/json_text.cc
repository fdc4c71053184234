// tojson as transformers has it: Python's json.dumps without HTML escapes.

#include <algorithm>
#include <cmath>

#include "jinja/runtime.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const Bound& bound) : runtime_(runtime) {
    ascii_ = bound.Flag(1, false);
    sort_keys_ = bound.Flag(4, false);
    if (bound.Has(2) && !bound[2].IsNone()) {
      multiline_ = true;
      item_separator_.assign(1, ',');
      if (bound[2].IsString()) {
        indent_ = bound.Text(2);
      } else {
        int64_t width = std::max<int64_t>(0, bound.Int(2, 0));
        runtime_.CheckTextSize(static_cast<size_t>(width));
        indent_.assign(static_cast<size_t>(width), ' ');
      }
    }
    if (bound.Has(3) && !bound[3].IsNone()) {
      auto parts = Collect(runtime_, bound[3]);
      if (parts.size() != 2 || !parts[0].IsString() || !parts[1].IsString())
        runtime_.Fail("tojson: separators are two strings");
      item_separator_ = parts[0].text();
      key_separator_ = parts[1].text();
    }
  }

  std::string Write(const Value& value) {
    Append(value, 0);
    return std::move(out_);
  }

 private:
  void NewLine(size_t level) {
    if (!multiline_) return;
    runtime_.ChargeBytes(indent_.size() * level);
    out_ += '\n';
    for (size_t i = 0; i < level; ++i) out_ += indent_;
    runtime_.CheckTextSize(out_.size());
  }

  void Append(const Value& value, size_t level) {
    Runtime::Nest nest(runtime_);
    runtime_.Step();
    switch (value.type()) {
      case Type::kNone:
        out_ += "null";
        break;
      case Type::kBool:
        out_ += value.AsBool() ? "true" : "false";
        break;
      case Type::kInt:
        out_ += std::to_string(value.AsInt());
        break;
      case Type::kBigInt:
        out_ += value.digits();
        break;
      case Type::kFloat:
        out_ += Number(value.AsDouble());
        break;
      case Type::kString:
        Text(value.text());
        break;
      case Type::kList:
      case Type::kTuple:
        List(value.items(), level);
        break;
      case Type::kDict:
        Dict(value.as<DictObject>(), level);
        break;
      default:
        runtime_.Fail("Object of type {} is not JSON serializable", TypeName(value));
    }
    runtime_.CheckTextSize(out_.size());
  }

  void List(const std::vector<Value>& items, size_t level) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i) out_ += item_separator_;
      NewLine(level + 1);
      Append(items[i], level + 1);
    }
    NewLine(level);
    out_ += ']';
  }

  void Dict(const DictObject& dict, size_t level) {
    if (dict.entries.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (sort_keys_)
      std::stable_sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
        auto order = Order(runtime_, a->first, b->first, "<");
        return order && *order < 0;
      });
    out_ += '{';
    bool first = true;
    for (const auto* entry : entries) {
      if (!first) out_ += item_separator_;
      first = false;
      NewLine(level + 1);
      Text(Key(entry->first));
      out_ += key_separator_;
      Append(entry->second, level + 1);
    }
    NewLine(level);
    out_ += '}';
  }

  std::string Key(const Value& key) {
    switch (key.type()) {
      case Type::kString:
        return key.text();
      case Type::kNone:
        return "null";
      case Type::kBool:
        return key.AsBool() ? "true" : "false";
      case Type::kInt:
        return std::to_string(key.AsInt());
      case Type::kBigInt:
        return key.digits();
      case Type::kFloat:
        return Number(key.AsDouble());
      default:
        runtime_.Fail("keys must be str, int, float, bool or None, not {}", TypeName(key));
    }
  }

  static std::string Number(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
    return ReprFloat(number);
  }

  void Unit(uint32_t unit) { out_ += fmt::format("\\u{:04x}", unit); }

  void Text(const std::string& text) {
    runtime_.ChargeBytes(text.size());
    out_ += '"';
    for (size_t at = 0; at < text.size();) {
      size_t begin = at;
      uint32_t c = NextCodePoint(text, at);
      static constexpr std::string_view kFrom = "\"\\\n\r\t\b\f", kTo = "\"\\nrtbf";
      if (size_t i = c < 0x80 ? kFrom.find(static_cast<char>(c)) : std::string_view::npos;
          i != std::string_view::npos) {
        out_ += '\\';
        out_ += kTo[i];
      } else if (c < 0x20 || (ascii_ && c >= 0x7F && c < 0x10000)) {
        Unit(c);
      } else if (ascii_ && c >= 0x10000) {
        Unit(0xD800 + ((c - 0x10000) >> 10));
        Unit(0xDC00 + ((c - 0x10000) & 0x3FF));
      } else {
        out_.append(text, begin, at - begin);
      }
    }
    out_ += '"';
  }

  Runtime& runtime_;
  bool ascii_ = false, sort_keys_ = false, multiline_ = false;
  std::string indent_, item_separator_ = ", ", key_separator_ = ": ";
  std::string out_;
};

}  // namespace

std::string ToJsonText(Runtime& runtime, Arguments& arguments) {
  Bound bound(runtime, arguments, "tojson", "x ensure_ascii indent separators sort_keys", 1);
  return JsonWriter(runtime, bound).Write(bound[0]);
}

}  // namespace assay::jinja
