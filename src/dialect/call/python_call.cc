#include "dialect/call/python_call.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "dialect/answer_json.h"
#include "dialect/answer_text.h"
#include "text/unicode.h"

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
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  void Space() {  // and comments
    while (!AtEnd()) {
      if (Peek() == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else if (Trim(text_.substr(at_, 1)).empty())
        ++at_;
      else
        return;
    }
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

  // A dotted name. Tools and their parameters may have dashes inside, which Python's names have not.
  std::string Name(bool dashes = true) {
    size_t begin = at_;
    if (!IsNameStart(Peek())) Wrong("a name");
    while (IsNameByte(Peek()) || (Peek() == '.' && IsNameStart(Peek(1))) ||
           (dashes && Peek() == '-' && (IsNameByte(Peek(1)) || Peek(1) == '-')))
      ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  ToolCall Call() {
    ToolCall call;
    call.arguments = Json::object();
    call.name = Name();
    auto add = [&call](std::string key, Json value) {
      if (call.arguments.size() >= kMaxKeys) throw Malformed{fmt::format("more than {} arguments", kMaxKeys)};
      if (call.arguments.contains(key))
        throw Malformed{fmt::format("{}: argument {} is given twice", call.name, Quote(key))};
      call.arguments[key] = std::move(value);
    };
    Space();
    if (!Accept('(')) Wrong("\"(\"");
    Space();
    while (Peek() != ')') {
      if (Peek() == '*' && Peek(1) == '*') {  // **{"key": value}
        at_ += 2;
        Space();
        if (Peek() != '{') Wrong("a dictionary after **");
        Json dict = Dict(0);
        for (auto& [key, value] : dict.items()) add(key, value);
      } else {
        bool named = IsNameStart(Peek());
        std::string key = named ? Name() : "";
        Space();
        if (!named || !Accept('='))
          throw Malformed{fmt::format("{}: expected arguments by keyword (name=value)", call.name)};
        add(key, Value(0));
      }
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
    if (BeginsString()) return Json(Strings());
    if (c == '[') return List('[', ']', depth);
    if (c == '(') return List('(', ')', depth);
    if (c == '{') return Dict(depth);
    if (IsDigit(c) || c == '-' || c == '+' || c == '.') return Number();
    if (IsNameStart(c)) {
      std::string word = Name(/*dashes=*/false);
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
      if (!BeginsString()) Wrong("a key in quotes");
      std::string key = Strings();
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

  // Digits that `base` has, single underscores between them taken out; empty when there is none.
  std::string Digits(int base) {
    auto is_digit = [base](char c) {
      int value = IsDigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
      return value < base;
    };
    std::string digits;
    while (is_digit(Peek()) || (Peek() == '_' && !digits.empty() && is_digit(Peek(1)))) {
      if (Peek() != '_') digits += Peek();
      ++at_;
    }
    return digits;
  }

  // Python's forms of numbers, handed over as JSON's so that both have the same value.
  Json Number() {
    size_t begin = at_;
    bool negative = Peek() == '-';
    if (Peek() == '+' || Peek() == '-') ++at_;
    Space();
    std::string number;
    char mark = static_cast<char>(Peek(1) | 0x20);
    int base = Peek() != '0' ? 10 : mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    if (base != 10) {
      at_ += Peek(2) == '_' ? 3 : 2;
      std::string digits = Digits(base);
      uint64_t value = 0;
      auto [stop, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
      if (status == std::errc::result_out_of_range)
        throw Malformed{"an integer beyond 64 bits in hexadecimal, octal or binary"};
      if (status == std::errc()) number = std::to_string(value);
    } else {
      number = DecimalNumber();
    }
    Json value;
    std::string error;
    if (number.empty() || IsNameByte(Peek()) || !ParseStrictJson((negative ? "-" : "") + number, value, error)) {
      at_ = begin;
      Wrong("a number");
    }
    return value;
  }

  // As JSON writes it: 1. is 1.0, .5 is 0.5, 007.5 is 7.5. Empty when it is none, as 007.
  std::string DecimalNumber() {
    std::string whole = Digits(10), fraction, exponent;
    bool point = Accept('.'), real = point;
    if (point) fraction = Digits(10);
    if (whole.empty() && fraction.empty()) return {};
    if (Peek() == 'e' || Peek() == 'E') {
      ++at_;
      real = true;
      if (Peek() == '-' || Peek() == '+') exponent = text_[at_++];
      std::string digits = Digits(10);
      if (digits.empty()) return {};
      exponent = "e" + exponent + digits;
    }
    size_t zeros = std::min(whole.find_first_not_of('0'), whole.size());
    if (zeros > 0 && zeros < whole.size() && !real) return {};
    whole.erase(0, zeros);
    if (whole.empty()) whole = "0";
    return whole + (real ? "." + (fraction.empty() ? "0" : fraction) : "") + exponent;
  }

  // Bytes of a string's prefix (r, u, b, f … in any case) that stand before a quote.
  size_t PrefixSize() const {
    size_t size = 0;
    while (size < 2 && Peek(size) != '\0' && std::string_view("rRuUbBfFtT").find(Peek(size)) != std::string_view::npos)
      ++size;
    return size;
  }
  bool BeginsString() const {
    char c = Peek(PrefixSize());
    return c == '"' || c == '\'';
  }

  // Strings side by side are one.
  std::string Strings() {
    std::string out;
    for (; BeginsString(); Space()) {
      std::string prefix = ToLowerAscii(text_.substr(at_, PrefixSize()));
      at_ += prefix.size();
      if (prefix.find_first_of("ft") != std::string::npos)
        throw Malformed{
            fmt::format("expected a literal, found the {}-string {}", prefix, Quote(text_.substr(at_), 20))};
      if (prefix.find('b') != std::string::npos)
        throw Malformed{fmt::format("bytes are no JSON value: {}", Quote(text_.substr(at_), 20))};
      if (!prefix.empty() && prefix != "r" && prefix != "u") Wrong("a string");
      Text(prefix == "r", out);
    }
    return out;
  }

  void Text(bool raw, std::string& out) {
    char quote = text_[at_++];
    bool triple = Peek() == quote && Peek(1) == quote;
    if (triple) at_ += 2;
    while (true) {
      if (AtEnd()) throw Malformed{"a string is not closed"};
      char c = text_[at_++];
      if (c == '\r') {  // Python's source has one kind of line end
        if (Peek() == '\n') continue;
        c = '\n';
      }
      if (c == '\n' && !triple) throw Malformed{"a string is not closed on its line"};
      if (c == quote && (!triple || (Peek() == quote && Peek(1) == quote))) {
        if (triple) at_ += 2;
        return;
      }
      if (c != '\\') {
        out += c;
      } else if (raw) {
        if (AtEnd()) throw Malformed{"a string is not closed"};
        out += c;
        out += text_[at_++];
      } else {
        Escape(out);
      }
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
      case 'a':
        out += '\a';
        return;
      case 'v':
        out += '\v';
        return;
      case '\r':
        if (Peek() == '\n') ++at_;
        return;
      case '\n':
        return;
      case 'N':
        throw Malformed{"a character by its name (\\N{…}) is not read"};
      case '0':
      case '1':
      case '2':
      case '3':
      case '4':
      case '5':
      case '6':
      case '7': {  // up to three octal digits
        auto code = static_cast<uint32_t>(c - '0');
        for (int i = 0; i < 2 && Peek() >= '0' && Peek() <= '7'; ++i)
          code = code * 8 + static_cast<uint32_t>(text_[at_++] - '0');
        AppendUtf8(out, code);
        return;
      }
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

size_t PythonStringEnd(std::string_view text, size_t at) {
  std::string_view triple = text.substr(at, 3), end = text.substr(at, 1);
  if (triple.size() == 3 && triple[1] == end[0] && triple[2] == end[0]) end = triple;
  for (at += end.size(); at < text.size(); ++at) {
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '\n' && end.size() == 1)
      break;
    else if (text.substr(at, end.size()) == end)
      return at + end.size();
  }
  return std::string_view::npos;
}

std::string RenderPythonCall(const ToolCall& call) {
  std::string out = call.name + "(";
  for (const auto& [key, value] : call.arguments.items())
    out += (out.back() == '(' ? "" : ", ") + key + "=" + PythonLiteral(value);
  return out + ")";
}

}  // namespace assay
