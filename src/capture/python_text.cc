#include "capture/python_text.h"

#include <charconv>

#include "text/unicode.h"

namespace assay {
namespace {

/// The code point that `digits` hexadecimal digits stand for.
std::optional<char32_t> TakeHex(std::string_view& text, size_t digits) {
  uint32_t value = 0;
  if (text.size() < digits) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value, 16);
  if (error != std::errc() || end != text.data() + digits) return std::nullopt;
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

}  // namespace

std::optional<std::string> TakePythonText(std::string_view& text) {
  if (text.empty() || (text[0] != '\'' && text[0] != '"')) return std::nullopt;
  const char quote = text[0];
  std::string_view rest = text.substr(1);
  std::string out;
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c == quote) {
      text = rest;
      return out;
    }
    if (c != '\\') {
      out += c;
      continue;
    }
    if (rest.empty()) return std::nullopt;
    const char escaped = rest[0];
    rest.remove_prefix(1);
    switch (escaped) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case 'r':
        out += '\r';
        break;
      case 'x':
      case 'u':
      case 'U': {
        const std::optional<char32_t> point = TakeHex(rest, escaped == 'x' ? 2 : escaped == 'u' ? 4 : 8);
        if (!point) return std::nullopt;
        AppendUtf8(out, *point);
        break;
      }
      case '\\':
      case '\'':
      case '"':
        out += escaped;
        break;
      default:  // repr writes no others
        return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace assay
