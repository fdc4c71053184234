#include "task/number_text.h"

#include <charconv>
#include <string>

namespace assay {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

constexpr std::string_view kCurrencies[] = {"$", "\xE2\x82\xAC", "\xC2\xA3", "\xC2\xA5"};  // $ € £ ¥
constexpr std::string_view kMinuses[] = {"-", "\xE2\x88\x92"};                             // hyphen-minus, U+2212

// Length of the one of `words` that `text` ends with, 0 for none.
template <size_t N>
size_t EndsWith(std::string_view text, const std::string_view (&words)[N]) {
  for (std::string_view word : words)
    if (text.ends_with(word)) return word.size();
  return 0;
}

// A letter before the number, of any script; the currency signs are looked at before this.
bool EndsInWord(std::string_view text) {
  if (text.empty()) return false;
  char last = text.back();
  if (IsLetter(last)) return true;
  if (static_cast<unsigned char>(last) < 0x80) return false;
  // Two-byte sequences are letters of Latin, Greek, Cyrillic, Hebrew and Arabic, but for U+0080 … U+00BF.
  return text.size() >= 2 && static_cast<unsigned char>(text[text.size() - 2]) >= 0xC3 &&
         static_cast<unsigned char>(text[text.size() - 2]) <= 0xDF;
}

// The digits from `begin`: [begin, end) with separators, cleaned into `out` for from_chars.
size_t ReadDigits(std::string_view text, size_t begin, char group, char point, std::string& out) {
  size_t at = begin;
  while (at < text.size() && IsDigit(text[at])) out += text[at++];
  size_t lead = at - begin;
  auto grouped = [&](size_t i) {
    return i + 3 < text.size() && text[i] == group && IsDigit(text[i + 1]) && IsDigit(text[i + 2]) &&
           IsDigit(text[i + 3]) && (i + 4 >= text.size() || !IsDigit(text[i + 4]));
  };
  if (lead >= 1 && lead <= 3) {
    while (grouped(at)) {
      out.append(text, at + 1, 3);
      at += 4;
    }
  }
  if (at + 1 < text.size() && text[at] == point && IsDigit(text[at + 1])) {
    out += '.';
    ++at;
    while (at < text.size() && IsDigit(text[at])) out += text[at++];
  }
  size_t exponent = at;
  if (exponent < text.size() && (text[exponent] == 'e' || text[exponent] == 'E')) {
    ++exponent;
    if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
    size_t digits = exponent;
    while (digits < text.size() && IsDigit(text[digits])) ++digits;
    if (digits > exponent && (digits == text.size() || !IsLetter(text[digits]))) {
      out += 'e';
      out.append(text, at + 1, digits - at - 1);
      at = digits;
    }
  }
  return at;
}

}  // namespace

std::vector<TextNumber> FindNumbers(std::string_view text, bool decimal_comma) {
  const char group = decimal_comma ? '.' : ',', point = decimal_comma ? ',' : '.';
  std::vector<TextNumber> numbers;
  for (size_t at = 0; at < text.size();) {
    bool bare_point =
        text[at] == point && at + 1 < text.size() && IsDigit(text[at + 1]) && (at == 0 || !IsDigit(text[at - 1]));
    if (!IsDigit(text[at]) && !bare_point) {
      ++at;
      continue;
    }
    // Backwards over currency and sign, in either order.
    size_t begin = at;
    bool negative = false;
    size_t currency = EndsWith(text.substr(0, begin), kCurrencies);
    begin -= currency;
    if (size_t minus = EndsWith(text.substr(0, begin), kMinuses)) {
      std::string_view before = text.substr(0, begin - minus);
      char last = before.empty() ? ' ' : before.back();
      if (!IsDigit(last) && !EndsInWord(before) && last != ')' && last != ']' && last != '-' && last != '%') {
        negative = true;
        begin -= minus;
        if (!currency) begin -= EndsWith(text.substr(0, begin), kCurrencies);
      }
    }
    bool in_word = begin == at && EndsInWord(text.substr(0, at));
    std::string digits = bare_point ? "0" : "";
    size_t end = ReadDigits(text, at, group, point, digits);
    double value = 0;
    auto [stop, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    bool read = status == std::errc() && stop == digits.data() + digits.size();
    if (read && !in_word) numbers.push_back({negative ? -value : value, begin, end});
    at = end > at ? end : at + 1;
  }
  return numbers;
}

}  // namespace assay
