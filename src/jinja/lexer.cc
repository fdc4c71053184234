#include "jinja/lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "jinja/strings.h"

namespace assay::jinja {
namespace {

bool IsDigitAt(std::string_view text, size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

// digits with single underscores between them; returns the end.
size_t Digits(std::string_view text, size_t at) {
  while (IsDigitAt(text, at)) {
    ++at;
    if (at < text.size() && text[at] == '_' && IsDigitAt(text, at + 1)) ++at;
  }
  return at;
}

class Lexer {
 public:
  Lexer(std::string_view source, std::string_view where) : source_(source), where_(where) {}

  std::vector<Token> Run() {
    while (at_ < source_.size()) TextAndTag();
    Add(TokenKind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void Bad(const std::string& reason) { Fail(ErrorKind::kCorrupt, "{}:{}: {}", where_, line_, reason); }

  void Add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text), 0, {}, 0}); }

  // Moves to `end`, counting lines.
  void Advance(size_t end) {
    line_ += static_cast<int>(
        std::count(source_.begin() + static_cast<ptrdiff_t>(at_), source_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    if (end > at_) line_starting_ = source_[end - 1] == '\n';
    at_ = end;
  }

  size_t SkipSpace(size_t at) const {
    while (at < source_.size()) {
      size_t next = at;
      if (!IsSpace(NextCodePoint(source_, next))) break;
      at = next;
    }
    return at;
  }

  bool Has(size_t at, std::string_view text) const {
    return source_.substr(std::min(at, source_.size()), text.size()) == text;
  }

  // The text up to `tag`, stripped as the tag's sign (or lstrip_blocks) asks.
  std::string_view Stripped(std::string_view text, char sign, bool is_variable) const {
    if (sign == '-') return StripRight(text);
    if (sign == '+' || is_variable) return text;
    size_t line_begin = text.rfind('\n') + 1;
    if ((line_begin > 0 || line_starting_) && StripLeft(text.substr(line_begin)).empty())
      return text.substr(0, line_begin);
    return text;
  }

  void TextAndTag() {
    size_t tag = source_.find('{', at_);
    while (tag != std::string_view::npos && !Has(tag, "{{") && !Has(tag, "{%") && !Has(tag, "{#"))
      tag = source_.find('{', tag + 1);
    if (tag == std::string_view::npos) {
      Add(TokenKind::kText, std::string(source_.substr(at_)));
      Advance(source_.size());
      return;
    }
    size_t after = tag + 2;
    char sign = after < source_.size() && (source_[after] == '-' || source_[after] == '+') ? source_[after] : ' ';
    if (sign != ' ') ++after;
    char type = source_[tag + 1];
    auto text = Stripped(source_.substr(at_, tag - at_), sign, type == '{');
    if (!text.empty()) Add(TokenKind::kText, std::string(text));
    Advance(tag);
    if (type == '#') return Comment(after);
    size_t raw_end = type == '%' ? RawTagEnd(after) : 0;
    Advance(after);
    if (raw_end) {
      Advance(raw_end);
      return Raw();
    }
    Add(type == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, {});
    Tag(type == '{');
  }

  // Past the end of a comment, block or raw tag that closes at `at` (on the sign, if any).
  size_t AfterClose(size_t at, std::string_view close) const {
    char sign = source_[at];
    if (sign == '-') return SkipSpace(at + 1 + close.size());
    if (sign == '+') return at + 1 + close.size();
    at += close.size();
    return Has(at, "\n") ? at + 1 : at;  // trim_blocks
  }

  void Comment(size_t from) {
    size_t close = source_.find("#}", from);
    if (close == std::string_view::npos) Bad("the comment does not end");
    if (close > from && (source_[close - 1] == '-' || source_[close - 1] == '+')) --close;
    Advance(AfterClose(close, "#}"));
  }

  // Past `raw %}`, or 0 when the tag is another.
  size_t RawTagEnd(size_t at) const {
    at = SkipSpace(at);
    if (!Has(at, "raw")) return 0;
    at = SkipSpace(at + 3);
    if (Has(at, "%}")) return at + 2;
    return Has(at, "-%}") ? SkipSpace(at + 3) : 0;
  }

  void Raw() {
    for (size_t tag = source_.find("{%", at_); tag != std::string_view::npos; tag = source_.find("{%", tag + 2)) {
      size_t at = tag + 2;
      char sign = at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : ' ';
      at = SkipSpace(sign == ' ' ? at : at + 1);
      if (!Has(at, "endraw")) continue;
      at = SkipSpace(at + 6);
      if (!Has(at, "%}") && !Has(at, "-%}") && !Has(at, "+%}")) continue;
      auto text = Stripped(source_.substr(at_, tag - at_), sign, false);
      if (!text.empty()) Add(TokenKind::kText, std::string(text));
      Advance(AfterClose(at, "%}"));
      return;
    }
    Bad("the raw block does not end");
  }

  void Tag(bool is_variable) {
    std::string open;  // brackets
    while (true) {
      Advance(SkipSpace(at_));
      if (at_ >= source_.size()) Bad(is_variable ? "the print tag '{{' does not end" : "the tag '{%' does not end");
      if (open.empty() && End(is_variable)) return;
      if (!Number() && !Name() && !String()) Operator(open);
    }
  }

  bool End(bool is_variable) {
    std::string_view close = is_variable ? "}}" : "%}";
    bool signed_close = Has(at_ + 1, close) && (source_[at_] == '-' || (source_[at_] == '+' && !is_variable));
    if (!signed_close && !Has(at_, close)) return false;
    Add(is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, {});
    if (is_variable)
      Advance(signed_close ? SkipSpace(at_ + 3) : at_ + 2);
    else
      Advance(AfterClose(at_, close));
    return true;
  }

  bool Number() {
    if (!IsDigitAt(source_, at_)) return false;
    size_t end = Digits(source_, at_);
    bool is_float = false;
    if (at_ == 0 || source_[at_ - 1] != '.') {
      size_t e = end;
      if (Has(end, ".") && IsDigitAt(source_, end + 1)) {
        is_float = true;
        e = end = Digits(source_, end + 1);
      }
      if (e < source_.size() && (source_[e] | 0x20) == 'e') {
        ++e;
        if (Has(e, "+") || Has(e, "-")) ++e;
        if (IsDigitAt(source_, e)) {
          is_float = true;
          end = Digits(source_, e);
        }
      }
    }
    if (!is_float) return Integer();
    Token token{TokenKind::kFloat, line_, std::string(source_.substr(at_, end - at_)), 0, {}, 0};
    if (!ParseFloat(token.text, token.number)) Bad("bad number '" + token.text + "'");
    tokens_.push_back(std::move(token));
    Advance(end);
    return true;
  }

  bool Integer() {
    size_t end = at_ + 1;
    int base = 10;
    if (source_[at_] == '0') {
      char letter = end < source_.size() ? static_cast<char>(source_[end] | 0x20) : ' ';
      int wanted = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
      auto digit = [&](size_t at) {
        if (at >= source_.size()) return false;
        int value = source_[at] >= '0' && source_[at] <= '9'                     ? source_[at] - '0'
                    : (source_[at] | 0x20) >= 'a' && (source_[at] | 0x20) <= 'f' ? (source_[at] | 0x20) - 'a' + 10
                                                                                 : 99;
        return value < wanted;
      };
      size_t at = end + 1;
      bool good = false;
      while (wanted && (digit(at) || (Has(at, "_") && digit(at + 1)))) {
        at += Has(at, "_") ? 2 : 1;
        good = true;
      }
      if (good) {
        base = wanted;
        end = at;
      } else {
        while (Has(end, "0") || Has(end, "_0")) end += Has(end, "_") ? 2 : 1;
      }
    } else {
      end = Digits(source_, at_);
    }
    Token token{TokenKind::kInteger, line_, std::string(source_.substr(at_, end - at_)), 0, {}, 0};
    if (!ParseInt(token.text, base, token.integer, token.beyond)) Bad("bad number '" + token.text + "'");
    tokens_.push_back(std::move(token));
    Advance(end);
    return true;
  }

  bool Name() {
    size_t end = at_;
    while (end < source_.size()) {
      size_t next = end;
      uint32_t c = NextCodePoint(source_, next);
      if (!IsWord(c)) break;
      end = next;
    }
    if (end == at_) return false;
    Add(TokenKind::kName, std::string(source_.substr(at_, end - at_)));
    Advance(end);
    return true;
  }

  bool String() {
    char quote = source_[at_];
    if (quote != '"' && quote != '\'') return false;
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) Bad("the string does not end");
    Add(TokenKind::kString, Unescape(source_.substr(at_ + 1, end - at_ - 1)));
    Advance(end + 1);
    return true;
  }

  // Python's unicode_escape.
  std::string Unescape(std::string_view text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      if (text[at] != '\\') {
        out += text[at++];
        continue;
      }
      ++at;  // the lexer saw a character after every backslash
      if (static_cast<unsigned char>(text[at]) >= 0x80) {
        // The reference escapes non-ASCII to "\xe9" first, so that the backslash in front pairs with that one.
        uint32_t c = NextCodePoint(text, at);
        out += '\\' + (c < 0x100     ? fmt::format("x{:02x}", c)
                       : c < 0x10000 ? fmt::format("u{:04x}", c)
                                     : fmt::format("U{:08x}", c));
        continue;
      }
      char c = text[at++];
      static constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
      if (size_t i = kFrom.find(c); i != std::string_view::npos)
        out += kTo[i];
      else if (c == '\n')
        continue;
      else if (c >= '0' && c <= '7')
        AppendCodePoint(out, Octal(text, at));
      else if (c == 'x' || c == 'u' || c == 'U')
        AppendCodePoint(out, Hexadecimal(text, at, c == 'x' ? 2 : c == 'u' ? 4 : 8));
      else if (c == 'N' && (at >= text.size() || text[at] != '{'))
        Bad("malformed \\N escape in a string");
      else if (c == 'N')
        Fail(ErrorKind::kUnsupported, "{}:{}: \\N{{...}} in a string", where_, line_);
      else
        out.append(1, '\\').append(1, c);
    }
    return out;
  }

  static uint32_t Octal(std::string_view text, size_t& at) {
    uint32_t code = static_cast<uint32_t>(text[at - 1] - '0');
    for (int i = 0; i < 2 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i)
      code = code * 8 + static_cast<uint32_t>(text[at++] - '0');
    return code;
  }

  uint32_t Hexadecimal(std::string_view text, size_t& at, size_t digits) {
    uint32_t code = 0;
    auto part = text.substr(at, digits);
    auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), code, 16);
    if (part.size() != digits || error != std::errc() || end != part.data() + digits || code > 0x10FFFF)
      Bad("truncated or wrong escape in a string");
    if (code >= 0xD800 && code < 0xE000)
      Fail(ErrorKind::kUnsupported, "{}:{}: half a surrogate pair in a string", where_, line_);
    at += digits;
    return code;
  }

  void Operator(std::string& open) {
    static constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                      "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                      ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (std::string_view op : kOperators) {
      if (!Has(at_, op)) continue;
      if (op == "(" || op == "[" || op == "{") open += op == "(" ? ')' : op == "[" ? ']' : '}';
      if (op == ")" || op == "]" || op == "}") {
        if (open.empty()) Bad(fmt::format("unexpected '{}'", op));
        if (open.back() != op[0]) Bad(fmt::format("unexpected '{}', expected '{}'", op, open.back()));
        open.pop_back();
      }
      Add(TokenKind::kOperator, std::string(op));
      Advance(at_ + op.size());
      return;
    }
    size_t end = at_;
    NextCodePoint(source_, end);
    Bad(fmt::format("unexpected character {}", ReprText(source_.substr(at_, end - at_))));
  }

  std::string_view source_, where_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view source, std::string_view where) {
  return Lexer(source, where).Run();
}

std::string NormalizeNewlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

}  // namespace assay::jinja
