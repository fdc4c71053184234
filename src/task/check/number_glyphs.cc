#include "task/check/number_glyphs.h"

#include <utf8proc.h>

#include <algorithm>

#include "dialect/answer_text.h"
#include "text/unicode.h"

namespace assay {
namespace {

struct Command {
  std::string_view text;
  char32_t glyph;  // 0: nothing
};

// LaTeX. Longer spellings stand before their beginnings.
constexpr Command kCommands[] = {
    {"{,}", ','},           {"{.}", '.'},          {"{-}", '-'},        {",\\!", ','},          {"\\!", 0},
    {"\\,", kThinSpace},    {"\\:", kThinSpace},   {"\\;", kThinSpace}, {"\\ ", kThinSpace},    {"\\$", '$'},
    {"\\%", '%'},           {"\\#", '#'},          {"\\_", '_'},        {"\\dfrac", kFraction}, {"\\tfrac", kFraction},
    {"\\cfrac", kFraction}, {"\\frac", kFraction}, {"\\times", kTimes}, {"\\cdot", kTimes},     {"\\pm", kPlusMinus},
    {"\\sqrt", kRoot},      {"\\pi", kPi},         {"\\left", 0},       {"\\right", 0},         {"\\displaystyle", 0},
    {"^{\\circ}", U'°'},    {"^\\circ", U'°'},     {"\\degree", U'°'},  {"\\euro", U'€'},       {"\\pounds", U'£'},
};

struct Alias {
  std::u32string_view from;
  char32_t to;
};
constexpr Alias kAliases[] = {
    {U"‐‑‒–−﹣－", '-'},  // dashes that stand for a minus; an em dash is a pause
    {U"\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F", kThinSpace},
    {U"٫", '.'},  // Arabic decimal point
    {U"٬", ','},  // and separator of thousands
    {U"٪﹪", '%'},
    {U"⁄∕", '/'},
    {U"’ʼ", '\''},
    {U"·⋅∙", kTimes},
};

// Digits stand in runs of ten that begin with zero.
char32_t DigitOf(char32_t c) {
  if (c < 0x80 || utf8proc_category(static_cast<utf8proc_int32_t>(c)) != UTF8PROC_CATEGORY_ND) return 0;
  if (c >= 0x1D7CE && c <= 0x1D7FF) return '0' + (c - 0x1D7CE) % 10;  // mathematical alphabets
  char32_t zero = c;
  while (c - zero < 9 && utf8proc_category(static_cast<utf8proc_int32_t>(zero - 1)) == UTF8PROC_CATEGORY_ND) --zero;
  return '0' + (c - zero);
}

bool IsInvisible(char32_t c) {
  return ShowsNothing(c) || c == 0x200C || c == 0x200D;  // joiners join nothing in a numeral
}

char32_t Plain(char32_t c) {
  if (c < 0x80) return c;
  if (char32_t digit = DigitOf(c)) return digit;
  for (const Alias& alias : kAliases)
    if (alias.from.find(c) != std::u32string_view::npos) return alias.to;
  if (c >= 0xFF01 && c <= 0xFF5E) return c - 0xFEE0;  // full-width forms
  return c;
}

}  // namespace

Glyphs ReadGlyphs(std::string_view text) {
  Glyphs glyphs;
  auto put = [&](char32_t c, size_t at) {
    glyphs.text += c;
    glyphs.begin.push_back(at);
  };
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '\\' || text[at] == '{' || text[at] == ',' || text[at] == '^') {
      auto command = std::find_if(std::begin(kCommands), std::end(kCommands),
                                  [&](const Command& each) { return text.substr(at).starts_with(each.text); });
      if (command != std::end(kCommands)) {
        if (command->glyph) put(command->glyph, at);
        at += command->text.size();
        continue;
      }
    }
    size_t length = Utf8SequenceLength(text.substr(at));
    char32_t c = length ? Utf8Decode(text.substr(at, length)) : 0xFFFD;
    if (!IsInvisible(c)) put(Plain(c), at);
    at += std::max<size_t>(length, 1);
  }
  glyphs.begin.push_back(text.size());
  return glyphs;
}

}  // namespace assay
