#include "task/python_call.h"

#include <fmt/core.h>

#include <charconv>

#include "base/strings.h"
#include "task/check.h"

namespace assay {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxKeys = 1000;  // each is looked for among the others

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool IsNameByte(char c) {
  return IsNameStart(c) || (c >= '0' && c <= '9');
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

void AppendUtf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

struct Malformed {
  std::string message;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void Calls(size_t max_calls, std::vector<ToolCall>& calls) {
    Space();
    bool list = Accept('[');
    Space();
    while (!AtEnd() && !(list && Peek() == ']')) {
      if (calls.size() >= max_calls) throw Malformed{fmt::format("more than {} calls", max_calls)};
      calls.push_back(Call());
      Space();
      if (Accept(',') || (!list && Accept(';')))
        Space();
      else if (list || (!AtEnd() && !IsNameStart(Peek())))
        break;
    }
    if (list && !Accept(']')) Wrong("\",\" or \"]\"");
    Space();
    if (!AtEnd()) Wrong("the end");
    if (calls.empty()) throw Malformed{"no call"};
  }

  Json Literal() {
    Space();
    Json value = Value(0);
    Space();
    if (!AtEnd()) Wrong("the end");
    return value;
  }

  bool BeginsCall() {
    Space();
    if (!Accept('[')) return false;
    Space();
    if (AtEnd() || !IsNameStart(Peek())) return false;
    Name();
    return Peek() == '(';  // no space: "[see (1)]" is prose
  }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  void Space() {
    while (!AtEnd() && Trim(text_.substr(at_, 1)).empty()) ++at_;
  }
  bool Accept(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[noreturn]] void Wrong(std::string_view expected) const {
    throw Malformed{
        AtEnd() ? fmt::format("expected {}, found the end", expected)
                : fmt::format("expected {} at byte {}, found {}", expected, at_ + 1, Quote(text_.substr(at_), 20))};
  }

  // A dotted name.
  std::string Name() {
    size_t begin = at_;
    if (!IsNameStart(Peek())) Wrong("a name");
    while (IsNameByte(Peek()) || (Peek() == '.' && at_ + 1 < text_.size() && IsNameStart(text_[at_ + 1]))) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  ToolCall Call() {
    ToolCall call;
    call.arguments = Json::object();
    call.name = Name();
    Space();
    if (!Accept('(')) Wrong("\"(\"");
    Space();
    while (Peek() != ')') {
      std::string key = Name();
      Space();
      if (!Accept('=')) throw Malformed{fmt::format("{}: expected arguments by keyword (name=value)", call.name)};
      if (call.arguments.size() >= kMaxKeys) throw Malformed{fmt::format("more than {} arguments", kMaxKeys)};
      if (call.arguments.contains(key))
        throw Malformed{fmt::format("{}: argument {} is given twice", call.name, Quote(key))};
      call.arguments[key] = Value(0);
      Space();
      if (!Accept(',')) break;
      Space();
    }
    if (!Accept(')')) Wrong("\")\"");
    return call;
  }

  Json Value(int depth) {
    if (depth > kMaxDepth) throw Malformed{fmt::format("nested deeper than {}", kMaxDepth)};
    Space();
    char c = Peek();
    if (c == '"' || c == '\'') return Json(Text());
    if (c == '[') return List('[', ']', depth);
    if (c == '(') return List('(', ')', depth);
    if (c == '{') return Dict(depth);
    if (IsDigit(c) || c == '-' || c == '+' || c == '.') return Number();
    if (IsNameStart(c)) {
      std::string word = Name();
      if (word == "True" || word == "true") return true;
      if (word == "False" || word == "false") return false;
      if (word == "None" || word == "null") return nullptr;
      throw Malformed{fmt::format("expected a literal, found {}", Quote(word))};
    }
    Wrong("a value");
  }

  Json List(char open, char close, int depth) {
    Json out = Json::array();
    Accept(open);
    Space();
    bool comma = false;
    while (Peek() != close) {
      out.push_back(Value(depth + 1));
      Space();
      comma = Accept(',');
      if (!comma) break;
      Space();
    }
    if (!Accept(close)) Wrong(std::string("\"") + close + "\"");
    if (open == '(' && out.size() == 1 && !comma) return out[0];  // (1) is 1, (1,) a tuple
    return out;
  }

  Json Dict(int depth) {
    Json out = Json::object();
    Accept('{');
    Space();
    while (Peek() != '}') {
      if (Peek() != '"' && Peek() != '\'') Wrong("a key in quotes");
      std::string key = Text();
      Space();
      if (!Accept(':')) Wrong("\":\"");
      if (out.size() >= kMaxKeys) throw Malformed{fmt::format("more than {} keys", kMaxKeys)};
      if (out.contains(key)) throw Malformed{fmt::format("key {} is given twice", Quote(key))};
      out[key] = Value(depth + 1);
      Space();
      if (!Accept(',')) break;
      Space();
    }
    if (!Accept('}')) Wrong("\"}\"");
    return out;
  }

  Json Number() {
    size_t begin = at_;
    if (Peek() == '+' || Peek() == '-') ++at_;
    bool real = false;
    std::string digits(text_.substr(begin, at_ - begin));
    if (digits == "+") digits.clear();
    while (IsDigit(Peek()) || Peek() == '_' || Peek() == '.' || Peek() == 'e' || Peek() == 'E' ||
           ((Peek() == '+' || Peek() == '-') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E'))) {
      if (!IsDigit(Peek()) && Peek() != '_') real = true;
      if (Peek() != '_') digits += Peek();
      ++at_;
    }
    const char *first = digits.data(), *last = first + digits.size();
    if (!real) {
      int64_t value = 0;
      auto [stop, status] = std::from_chars(first, last, value);
      if (status == std::errc() && stop == last && !digits.empty()) return value;
    }
    double value = 0;
    auto [stop, status] = std::from_chars(first, last, value);
    if (status != std::errc() || stop != last || digits.empty()) {
      at_ = begin;
      Wrong("a number");
    }
    return value;
  }

  std::string Text() {
    char quote = text_[at_++];
    bool triple = text_.substr(at_, 2) == std::string(2, quote);
    if (triple) at_ += 2;
    std::string out;
    while (true) {
      if (AtEnd()) throw Malformed{"a string is not closed"};
      char c = text_[at_++];
      if (c == quote) {
        if (!triple) return out;
        if (text_.substr(at_, 2) == std::string(2, quote)) {
          at_ += 2;
          return out;
        }
      }
      if (c == '\\')
        Escape(out);
      else
        out += c;
    }
  }

  uint32_t Hex(int digits) {
    uint32_t value = 0;
    std::string_view code = text_.substr(at_, static_cast<size_t>(digits));
    auto [stop, status] = std::from_chars(code.data(), code.data() + code.size(), value, 16);
    if (code.size() != static_cast<size_t>(digits) || status != std::errc() || stop != code.data() + code.size())
      throw Malformed{"a bad escape in a string"};
    at_ += static_cast<size_t>(digits);
    return value;
  }

  void Escape(std::string& out) {
    if (AtEnd()) throw Malformed{"a string is not closed"};
    char c = text_[at_++];
    switch (c) {
      case 'n':
        out += '\n';
        return;
      case 't':
        out += '\t';
        return;
      case 'r':
        out += '\r';
        return;
      case 'b':
        out += '\b';
        return;
      case 'f':
        out += '\f';
        return;
      case '0':
        out += '\0';
        return;
      case '\n':
        return;
      case '\\':
      case '\'':
      case '"':
        out += c;
        return;
      case 'x':
        AppendUtf8(out, Hex(2));
        return;
      case 'u':
      case 'U': {
        uint32_t code = Hex(c == 'u' ? 4 : 8);
        if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {  // a pair, as JSON habits have it
          at_ += 2;
          uint32_t low = Hex(4);
          if (low >= 0xDC00 && low < 0xE000) code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        if ((code >= 0xD800 && code < 0xE000) || code > 0x10FFFF) throw Malformed{"a bad escape in a string"};
        AppendUtf8(out, code);
        return;
      }
      default:
        out += '\\';
        out += c;  // Python keeps the backslash
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string PythonLiteral(const Json& value) {
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_array()) {
    std::string out = "[";
    for (size_t i = 0; i < value.size(); ++i) out += (i ? ", " : "") + PythonLiteral(value[i]);
    return out + "]";
  }
  if (value.is_object()) {
    std::string out = "{";
    for (const auto& [key, member] : value.items())
      out += (out.size() > 1 ? ", " : "") + DumpJson(Json(key)) + ": " + PythonLiteral(member);
    return out + "}";
  }
  return DumpJson(value);
}

}  // namespace

bool LooksLikePythonList(std::string_view text) {
  return Reader(text).BeginsCall();
}

std::string ParsePythonCalls(std::string_view text, size_t max_calls, std::vector<ToolCall>& calls) {
  try {
    Reader(text).Calls(max_calls, calls);
    return {};
  } catch (const Malformed& error) {
    return error.message;
  }
}

bool ParsePythonLiteral(std::string_view text, Json& value) {
  try {
    value = Reader(text).Literal();
    return true;
  } catch (const Malformed&) {
    return false;
  }
}

std::string RenderPythonCall(const ToolCall& call) {
  std::string out = call.name + "(";
  for (const auto& [key, value] : call.arguments.items())
    out += (out.back() == '(' ? "" : ", ") + key + "=" + PythonLiteral(value);
  return out + ")";
}

}  // namespace assay
