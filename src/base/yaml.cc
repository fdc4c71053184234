#include "base/yaml.h"

#include <fmt/core.h>
#include <yaml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr size_t kMostValues = 1'000'000, kMostBytes = size_t{1} << 28, kMostDepth = 512, kMostRemarks = 100;
constexpr std::string_view kCore = "tag:yaml.org,2002:";

struct Mistake {
  int64_t line;
  std::string message;
};

struct Size {
  size_t values = 0, bytes = 0;
};

bool OneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

size_t Digits(std::string_view text, size_t at) {
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at;
}

// A decimal number of the core schema as JSON writes it, empty for other texts.
std::string DecimalAsJson(std::string_view text) {
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  const size_t whole = Digits(text, 0);
  size_t at = whole;
  std::string fraction;
  if (at < text.size() && text[at] == '.') {
    const size_t end = Digits(text, at + 1);
    fraction = text.substr(at + 1, end - at - 1);
    if (whole == 0 && fraction.empty()) return "";
    if (fraction.empty()) fraction = "0";
    at = end;
  } else if (whole == 0) {
    return "";
  }
  std::string exponent;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    size_t first = at + 1;
    if (first < text.size() && (text[first] == '+' || text[first] == '-')) ++first;
    const size_t end = Digits(text, first);
    if (end == first) return "";
    exponent = text.substr(at, end - at);
    at = end;
  }
  if (at != text.size()) return "";
  std::string_view integer = text.substr(0, whole);
  while (integer.size() > 1 && integer[0] == '0') integer.remove_prefix(1);
  if (integer.empty()) integer = "0";
  return fmt::format("{}{}{}{}{}", minus ? "-" : "", integer, fraction.empty() ? "" : ".", fraction, exponent);
}

// 0x1F and 0o17.
std::optional<uint64_t> BasedInteger(std::string_view text) {
  if (text.size() < 3 || text[0] != '0' || (text[1] != 'x' && text[1] != 'o')) return {};
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, text[1] == 'x' ? 16 : 8);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// What YAML 1.1 reads from a text that is one here, empty: a text as well.
std::string_view OlderReading(std::string_view text) {
  const std::string lower = ToLowerAscii(text);
  if (OneOf(lower, {"yes", "y", "on"})) return "true";
  if (OneOf(lower, {"no", "n", "off"})) return "false";
  if (text.empty() || !std::isdigit(static_cast<unsigned char>(text[0]))) return {};
  const auto made_of = [&](std::string_view marks) {
    return text.find_first_not_of(std::string("0123456789") + std::string(marks)) == std::string_view::npos;
  };
  if (text.size() >= 8 && Digits(text, 0) == 4 && text[4] == '-') {
    const size_t month = Digits(text, 5);
    if (month < text.size() && month > 5 && text[month] == '-' && Digits(text, month + 1) > month + 1) return "a date";
  }
  if (text.find(':') != std::string_view::npos && made_of(":.") && text.back() != ':') return "a number in base 60";
  if (text.find('_') != std::string_view::npos && made_of("_.")) return "a number";
  if (text.starts_with("0b") && text.find_first_not_of("01_", 2) == std::string_view::npos && text.size() > 2)
    return "a binary number";
  return {};
}

class Builder {
 public:
  explicit Builder(std::string_view text) {
    if (!yaml_parser_initialize(&parser_)) Fail(ErrorKind::kResource, "no memory to read YAML with");
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Builder() { yaml_parser_delete(&parser_); }
  Builder(const Builder&) = delete;

  void Read(YamlText& out) {
    out_ = &out;
    Json documents = Json::array();
    while (true) {
      yaml_event_t event;
      if (!yaml_parser_parse(&parser_, &event)) throw ParserMistake();
      const std::unique_ptr<yaml_event_t, void (*)(yaml_event_t*)> owned(&event, yaml_event_delete);
      if (event.type == YAML_STREAM_END_EVENT) break;
      Take(event);
      if (event.type == YAML_DOCUMENT_END_EVENT) {
        documents.push_back(std::move(root_));
        lines_.push_back(line_of_root_);
        anchors_.clear();
        root_ = Json();
      }
    }
    if (documents.size() == 1) {
      out.root = std::move(documents[0]);
    } else {
      out.root = std::move(documents);
      out.lines.clear();
      for (size_t i = 0; i < lines_.size(); ++i) out.lines[fmt::format("/{}", i)] = lines_[i];
    }
  }

 private:
  struct Level {
    Json value;  // a list, or an object
    std::string key, anchor, pointer;
    bool has_key = false;
    std::unordered_set<std::string> keys;
    Size size;
  };
  struct Anchored {
    Json value;
    Size size;
  };

  static int64_t LineOf(const yaml_mark_t& mark) { return static_cast<int64_t>(mark.line) + 1; }

  Mistake ParserMistake() const {
    const int64_t line = LineOf(parser_.problem_mark);
    const std::string_view problem = parser_.problem ? parser_.problem : "it cannot be read";
    std::string fix;
    if (parser_.error == YAML_READER_ERROR)
      return {std::max<int64_t>(LineOf(parser_.mark), 1), fmt::format("not YAML: {}", problem)};
    if (problem.find("cannot start any token") != std::string_view::npos)
      fix = "; indent with spaces, never tabs, and put texts that begin with a mark (@ ` % ! & *) in quotes";
    if (problem.find("mapping values are not allowed") != std::string_view::npos)
      fix = "; put a text that holds \": \" in quotes";
    if (problem.find("did not find expected") != std::string_view::npos)
      fix = "; members of one object begin in one column, and a text with quotes inside needs quotes around it";
    return {line, fmt::format("not YAML at column {}: {}{}", parser_.problem_mark.column + 1, problem, fix)};
  }

  [[noreturn]] static void Wrong(const yaml_event_t& event, std::string message) {
    throw Mistake{LineOf(event.start_mark), std::move(message)};
  }

  void Take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_ALIAS_EVENT: {
        const std::string name(reinterpret_cast<const char*>(event.data.alias.anchor));
        const auto anchored = anchors_.find(name);
        if (anchored == anchors_.end())
          Wrong(event, fmt::format("*{} names nothing that was read whole before it: expected &{} at a value above",
                                   name, name));
        return Put(event, anchored->second.value, anchored->second.size, {});
      }
      case YAML_SCALAR_EVENT:
        return TakeScalar(event);
      case YAML_SEQUENCE_START_EVENT:
        return Open(event, Json::array(), event.data.sequence_start.tag, "seq", event.data.sequence_start.anchor);
      case YAML_MAPPING_START_EVENT:
        return Open(event, Json::object(), event.data.mapping_start.tag, "map", event.data.mapping_start.anchor);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: {
        Level level = std::move(levels_.back());
        levels_.pop_back();
        return Put(event, std::move(level.value), level.size, std::move(level.anchor));
      }
      default:
        return;
    }
  }

  void Open(const yaml_event_t& event, Json value, const yaml_char_t* tag, std::string_view kind,
            const yaml_char_t* anchor) {
    const std::string_view named(tag ? reinterpret_cast<const char*>(tag) : "");
    if (!named.empty() && named != "!" && named != std::string(kCore) + std::string(kind))
      Wrong(event, fmt::format("found the tag {}, which this program does not know: take it out", named));
    if (levels_.size() >= kMostDepth) Wrong(event, fmt::format("nested more than {} deep", kMostDepth));
    RefuseAsKey(event);
    std::string pointer = PointerHere();
    Remember(pointer, event);
    levels_.push_back(
        {std::move(value), {}, anchor ? reinterpret_cast<const char*>(anchor) : "", std::move(pointer), false, {}, {}});
  }

  bool WaitsForKey() const { return !levels_.empty() && levels_.back().value.is_object() && !levels_.back().has_key; }

  void RefuseAsKey(const yaml_event_t& event) const {
    if (WaitsForKey()) Wrong(event, "expected a member's name, found a list or an object");
  }

  std::string PointerHere() const {
    if (levels_.empty()) return "";
    if (levels_.size() > 2) return "-";
    const Level& level = levels_.back();
    return level.pointer + "/" + (level.value.is_array() ? std::to_string(level.value.size()) : level.key);
  }

  void Remember(const std::string& pointer, const yaml_event_t& event) {
    if (levels_.empty()) line_of_root_ = LineOf(event.start_mark);
    if (!levels_.empty() && levels_.size() <= 2) out_->lines.emplace(pointer, LineOf(event.start_mark));
  }

  void TakeScalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    const std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    const std::string_view tag(scalar.tag ? reinterpret_cast<const char*>(scalar.tag) : "");
    const bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (WaitsForKey()) {
      if (plain && text == "<<")
        Wrong(event, "found the merge <<, which YAML 1.2 has not: write the members out, or use \"defaults\"");
      if (plain && text.empty()) Wrong(event, "expected a member's name, found none");
      if (scalar.anchor) Wrong(event, "found an anchor at a member's name: put it at the value");
      Level& level = levels_.back();
      if (!level.keys.insert(std::string(text)).second)
        Wrong(event, fmt::format("the name \"{}\" stands twice in one object: remove one", text));
      level.key = text;
      level.has_key = true;
      Count(event, level.size, {0, text.size()});
      return;
    }
    Remember(PointerHere(), event);
    Put(event, ValueOf(event, text, tag, plain), {1, text.size()},
        scalar.anchor ? reinterpret_cast<const char*>(scalar.anchor) : "");
  }

  Json ValueOf(const yaml_event_t& event, std::string_view text, std::string_view tag, bool plain) {
    if (tag.empty() ? !plain : tag == "!" || tag == std::string(kCore) + "str") return std::string(text);
    if (!tag.empty() &&
        !OneOf(tag.starts_with(kCore) ? tag.substr(kCore.size()) : "", {"int", "float", "bool", "null"}))
      Wrong(event, fmt::format("found the tag {}, which this program does not know: take it out", tag));
    Json value = Resolve(event, text);
    if (tag.empty()) {
      if (value.is_string())
        if (const std::string_view older = OlderReading(text); !older.empty())
          Tell(event, fmt::format("{} is read as the text \"{}\"; readers of YAML 1.1 take it for {}: put it in quotes",
                                  text, text, older));
      return value;
    }
    const std::string_view kind = tag.substr(kCore.size());
    const bool fits = kind == "null"   ? value.is_null()
                      : kind == "bool" ? value.is_boolean()
                      : kind == "int"  ? value.is_number_integer() || value.is_binary()
                                       : value.is_number() || value.is_binary();
    if (!fits) Wrong(event, fmt::format("found the tag !!{} at \"{}\", which is none", kind, text));
    return value;
  }

  Json Resolve(const yaml_event_t& event, std::string_view text) {
    if (text.empty() || OneOf(text, {"~", "null", "Null", "NULL"})) return {};
    if (OneOf(text, {"true", "True", "TRUE"})) return true;
    if (OneOf(text, {"false", "False", "FALSE"})) return false;
    std::string_view word = text;
    if (word.starts_with('-') || word.starts_with('+')) word.remove_prefix(1);
    if (OneOf(word, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"}))
      Wrong(event, fmt::format("found {}, and no task holds such a number: put it in quotes if it is a text", text));
    if (const std::optional<uint64_t> based = BasedInteger(text)) {
      Tell(event, fmt::format("{} is read as the number {}: put it in quotes if it is a text", text, *based));
      return *based;
    }
    const std::string decimal = DecimalAsJson(text);
    if (decimal.empty()) return std::string(text);
    Json value;
    try {
      value = ParseJson(decimal, "", /*strict=*/true);
    } catch (const Error&) {
      Wrong(event, fmt::format("{} is a number out of range: put it in quotes if it is a text", text));
    }
    if (const std::string as_read = DumpJson(value); as_read != text)
      Tell(event, fmt::format("{} is read as the number {}: put it in quotes if it is a text", text, as_read));
    return value;
  }

  void Put(const yaml_event_t& event, Json value, Size size, std::string anchor) {
    if (!anchor.empty()) {
      total_.values += size.values;
      total_.bytes += size.bytes;
      Limit(event);
      anchors_.insert_or_assign(std::move(anchor), Anchored{value, size});
    }
    if (levels_.empty()) {
      Count(event, size_of_root_, size);
      root_ = std::move(value);
      return;
    }
    Level& level = levels_.back();
    const bool container_end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
    if (level.value.is_object() && !level.has_key) Wrong(event, "expected a member's name, found an alias");
    Count(event, level.size, container_end ? Size{size.values + 1, size.bytes} : size);
    if (level.value.is_array()) {
      level.value.get_ref<Json::array_t&>().push_back(std::move(value));
    } else {
      level.value.get_ref<Json::object_t&>().emplace_back(std::move(level.key), std::move(value));
      level.key.clear();
      level.has_key = false;
    }
  }

  // Each value is counted where it is put, an alias as all that it stands for; what is copied for an anchor, too.
  void Count(const yaml_event_t& event, Size& into, Size more) {
    into.values += more.values;
    into.bytes += more.bytes;
    if (event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT) {
      total_.values += more.values;
      total_.bytes += more.bytes;
    } else {
      ++total_.values;
    }
    Limit(event);
  }

  void Limit(const yaml_event_t& event) const {
    if (total_.values > kMostValues || total_.bytes > kMostBytes)
      Wrong(event, fmt::format("expected at most {} values and {} of text, aliases written out: split the file",
                               kMostValues, FormatBytes(kMostBytes)));
  }

  void Tell(const yaml_event_t& event, std::string message) {
    if (out_->remarks.size() < kMostRemarks)
      out_->remarks.push_back({LineOf(event.start_mark), std::move(message)});
    else
      ++out_->more_remarks;
  }

  yaml_parser_t parser_;
  YamlText* out_ = nullptr;
  std::vector<Level> levels_;
  std::unordered_map<std::string, Anchored> anchors_;
  std::vector<int64_t> lines_;
  int64_t line_of_root_ = 1;
  Json root_;
  Size total_, size_of_root_;
};

}  // namespace

YamlText ParseYaml(std::string_view text) {
  YamlText out;
  try {
    Builder(text).Read(out);
  } catch (const Mistake& mistake) {
    out.error = {mistake.line, mistake.message};
    out.root = Json();
  }
  return out;
}

bool LooksLikeYaml(std::string_view text) {
  std::string_view row;
  while (!text.empty() && (row.empty() || row[0] == '#')) {
    const size_t end = text.find('\n');
    row = Trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  if (row.starts_with("---") || row.starts_with("- ") || row == "-" || row.starts_with("%YAML")) return true;
  size_t name = 0;
  while (name < row.size() &&
         (std::isalnum(static_cast<unsigned char>(row[name])) || row[name] == '_' || row[name] == '-'))
    ++name;
  return name > 0 && name < row.size() && row[name] == ':' && (name + 1 == row.size() || row[name + 1] == ' ');
}

}  // namespace assay
