#include "report/escape.h"

#include <fmt/core.h>

#include <cstdint>

#include "base/strings.h"

namespace assay {
namespace {

/// Decodes one code point and advances; -1 for a byte that starts no valid sequence (one byte is consumed then).
int32_t NextCodePoint(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) {
    ++at;
    return first;
  }
  const int length = first >= 0xF0 && first <= 0xF4  ? 4
                     : first >= 0xE0 && first < 0xF0 ? 3
                     : first >= 0xC2 && first < 0xE0 ? 2
                                                     : 0;
  if (length == 0 || at + static_cast<size_t>(length) > text.size()) {
    ++at;
    return -1;
  }
  int32_t code = first & (0xFF >> (length + 1));
  for (int i = 1; i < length; ++i) {
    const unsigned char next = byte(at + static_cast<size_t>(i));
    if ((next & 0xC0) != 0x80) {
      ++at;
      return -1;
    }
    code = code << 6 | (next & 0x3F);
  }
  // Overlong forms, surrogates and what lies beyond Unicode.
  constexpr int32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) {
    ++at;
    return -1;
  }
  at += static_cast<size_t>(length);
  return code;
}

/// Characters that show nothing or rearrange what follows.
bool IsFormatCharacter(int32_t code) {
  return (code >= 0x80 && code < 0xA0) || code == 0xAD || code == 0x61C || code == 0x180E ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || (code >= 0xFFF9 && code <= 0xFFFB) ||
         (code >= 0xFFFE && code <= 0xFFFF) || (code >= 0xE0000 && code <= 0xE007F);
}

/// Joiners and marks that change how their neighbours are drawn and nothing beyond.
bool IsJoinerOrMark(int32_t code) {
  return (code >= 0x200C && code <= 0x200F) || code == 0x61C;
}

template <typename Put>
void Visit(std::string_view text, bool keep_lines, bool keep_joiners, Put put) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t code = NextCodePoint(text, at);
    if (code < 0) {
      put("\xEF\xBF\xBD");
    } else if ((code == '\n' || code == '\t') && keep_lines) {
      put(text.substr(begin, 1));
    } else if (code == '\r' && keep_joiners && keep_lines && text.substr(at, 1) == "\n") {
      put(text.substr(begin, 1));
    } else if (code < 0x20 || code == 0x7F) {
      const int32_t picture = code == 0x7F ? 0x2421 : 0x2400 + code;
      const char utf8[] = {'\xE2', static_cast<char>(0x80 | (picture >> 6 & 0x3F)),
                           static_cast<char>(0x80 | (picture & 0x3F))};
      put(std::string_view(utf8, 3));
    } else if (IsFormatCharacter(code) && !(keep_joiners && IsJoinerOrMark(code))) {
      put(fmt::format("\xE2\x80\xB9U+{:04X}\xE2\x80\xBA", code));
    } else {
      put(text.substr(begin, at - begin));
    }
  }
}

}  // namespace

std::string VisibleText(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  Visit(text, keep_lines, false, [&](std::string_view piece) { out += piece; });
  return out;
}

std::string AnswerText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  Visit(text, true, true, [&](std::string_view piece) { out += piece; });
  return out;
}

std::string PrintableJson(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t at = 0; at < json.size();) {
    const size_t begin = at;
    const int32_t code = NextCodePoint(json, at);
    if (code < 0x7F || (code != 0x7F && !IsFormatCharacter(code))) {
      out += json.substr(begin, at - begin);
    } else if (code < 0x10000) {
      out += fmt::format("\\u{:04x}", code);
    } else {
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF));
    }
  }
  return out;
}

std::string Shortened(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}… ({} more bytes)", text.substr(0, end), text.size() - end);
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  Visit(text, true, false, [&](std::string_view piece) {
    if (piece.size() != 1) {
      out += piece;
      return;
    }
    switch (piece[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += piece;
    }
  });
  return out;
}

std::string MarkdownText(std::string_view text) {
  // Shown as nothing, and what stands on either side of it is no longer read together.
  constexpr std::string_view kBreak = "&#8203;";
  const std::string visible = VisibleText(text, false);
  std::string out;
  out.reserve(visible.size() + visible.size() / 8);
  for (size_t i = 0; i < visible.size(); ++i) {
    const char c = visible[i];
    if (std::string_view("\\`*_{}[]<>|~$&!").find(c) != std::string_view::npos) {
      out += '\\';
      out += c;
    } else if (c == '@' || c == '#') {
      out += c;
      out += kBreak;
    } else if (c == ':' && visible.compare(i, 3, "://") == 0) {
      out += c;
      out += kBreak;
    } else if (c == '.' && i >= 3 && ToLowerAscii(visible.substr(i - 3, 3)) == "www") {
      out += kBreak;
      out += c;
    } else if (c == '-' && i >= 2 && visible.compare(i - 2, 2, "GH") == 0) {  // GH-12 is an issue
      out += kBreak;
      out += c;
    } else if (c == ':' && i >= 6 && ToLowerAscii(visible.substr(i - 6, 6)) == "mailto") {
      out += c;
      out += kBreak;
    } else {
      out += c;
    }
  }
  return out;
}

size_t ColumnCount(std::string_view text) {
  size_t columns = 0;
  for (size_t at = 0; at < text.size(); ++columns) NextCodePoint(text, at);
  return columns;
}

std::string TerminalText(std::string_view text, size_t columns) {
  std::string visible = VisibleText(text, false);
  if (columns == 0 || ColumnCount(visible) <= columns) return visible;
  size_t at = 0;
  for (size_t i = 0; i + 1 < columns; ++i) NextCodePoint(visible, at);
  return visible.substr(0, at) + "\xE2\x80\xA6";
}

std::string NameText(std::string_view text, size_t columns) {
  const std::string visible = VisibleText(text, false);
  const size_t count = ColumnCount(visible);
  if (count <= columns || columns < 3) return TerminalText(text, columns);
  const size_t behind = (columns - 1) / 2, before = columns - 1 - behind;
  size_t begin = 0, rest = 0;
  for (size_t i = 0; i < count - behind; ++i) {
    if (i == before) begin = rest;
    NextCodePoint(visible, rest);
  }
  return visible.substr(0, begin) + "\xE2\x80\xA6" + visible.substr(rest);
}

}  // namespace assay
