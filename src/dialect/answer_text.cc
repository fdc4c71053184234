#include "dialect/answer_text.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>

#include "base/json_number.h"
#include "base/strings.h"
#include "text/unicode.h"

namespace assay {
namespace {

struct Range {
  char32_t first, last;
};

template <size_t N>
bool In(const Range (&ranges)[N], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges), [c](Range r) { return c >= r.first && c <= r.last; });
}

// A character of space, not the end of a line.
bool IsSpaceCharacter(char32_t c) {
  return c > 0x20 && IsWhiteSpace(c) && c != 0x85 && c != 0x2028 && c != 0x2029;
}

// The character before `at` and where it begins; an invalid byte is U+FFFD.
char32_t Before(std::string_view text, size_t& at) {
  size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  size_t length = Utf8SequenceLength(text.substr(begin, at - begin));
  if (length == 0 || begin + length != at) begin = at - 1, length = 0;
  std::string_view sequence = text.substr(begin, at - begin);
  at = begin;
  if (length == 0) return static_cast<unsigned char>(sequence[0]) < 0x80 ? static_cast<char32_t>(sequence[0]) : 0xFFFD;
  return Utf8Decode(sequence);
}

char32_t After(std::string_view text, size_t& at) {
  size_t length = Utf8SequenceLength(text.substr(at));
  char32_t c = length ? Utf8Decode(text.substr(at, length)) : 0xFFFD;
  at += std::max<size_t>(length, 1);
  return c;
}

template <typename Outer>
std::string_view StripEnds(std::string_view text, const Outer& outer) {
  while (!text.empty()) {
    size_t at = 0;
    if (!outer(After(text, at))) break;
    text.remove_prefix(at);
  }
  while (!text.empty()) {
    size_t at = text.size();
    if (!outer(Before(text, at))) break;
    text = text.substr(0, at);
  }
  return text;
}

bool IsMark(char32_t c) {
  constexpr std::u32string_view kAscii = U".,;:!?\"'`*_()[]{}<>";
  constexpr std::u32string_view kMeaningful = U"‰‱′″‴§¶";  // they belong to what they stand at
  if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;             // full-width forms of ASCII
  if (c < 0x80) return kAscii.find(c) != std::u32string_view::npos;
  bool dash = (c >= 0x2010 && c <= 0x2015) || c == 0xFE58 || c == 0xFE63;
  return IsPunctuation(c) && !dash && kMeaningful.find(c) == std::u32string_view::npos;
}

// Letters that make words with their own kind only, and those that make none.
enum class Script { kSpaced, kHangul, kKatakana, kSpaceless };

Script ScriptOf(char32_t c) {
  constexpr Range kHangul[] = {{0x1100, 0x11FF}, {0x3130, 0x318F}, {0xA960, 0xA97F}, {0xAC00, 0xD7FF}};
  constexpr Range kKatakana[] = {{0x30A0, 0x30FF}, {0x31F0, 0x31FF}, {0xFF66, 0xFF9F}};
  // Thai and Lao, Burmese, Khmer, signs of CJK, Hiragana, Bopomofo.
  constexpr Range kSpaceless[] = {{0xE00, 0xEFF},   {0x1000, 0x109F}, {0x1780, 0x17FF},
                                  {0x3005, 0x3007}, {0x3040, 0x309F}, {0x3100, 0x312F}};
  if (c < 0xE00) return Script::kSpaced;
  if (In(kHangul, c)) return Script::kHangul;
  if (In(kKatakana, c)) return Script::kKatakana;
  return IsIdeograph(c) || In(kSpaceless, c) ? Script::kSpaceless : Script::kSpaced;
}

bool IsJoiner(char32_t c) {
  return c == 0x200C || c == 0x200D || (ShowsNothing(c) && c != 0x200B);
}

// Combining marks and variation selectors: they go with the character before them.
bool GoesWithBase(char32_t c) {
  auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

}  // namespace

bool ShowsNothing(char32_t c) {
  constexpr Range kRanges[] = {{0xAD, 0xAD},     {0x61C, 0x61C},   {0x180E, 0x180E}, {0x200B, 0x200B}, {0x200E, 0x200F},
                               {0x202A, 0x202E}, {0x2060, 0x2064}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}};
  return In(kRanges, c);
}

std::string ValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t character = 0;
    utf8proc_ssize_t size = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    if (size > 0) {
      out.append(text.substr(at, static_cast<size_t>(size)));
      at += static_cast<size_t>(size);
    } else {
      out += "\xEF\xBF\xBD";
      ++at;
    }
  }
  return out;
}

std::string Composed(std::string_view text) {
  return Normalize(ValidUtf8(text), NormalForm::kNfc);
}

std::string AsSeen(std::string_view text) {
  std::string composed = Composed(text);
  if (IsAscii(composed)) return composed;
  std::string out;
  for (size_t at = 0; at < composed.size();) {
    size_t begin = at;
    char32_t c = After(composed, at);
    if (ShowsNothing(c)) continue;
    if (IsSpaceCharacter(c))
      out += ' ';
    else
      out.append(composed, begin, at - begin);
  }
  return out;
}

std::string_view TrimText(std::string_view text) {
  return StripEnds(text, [](char32_t c) { return IsWhiteSpace(c) || ShowsNothing(c); });
}

std::string_view StripMarks(std::string_view text) {
  return StripEnds(text, [](char32_t c) { return IsWhiteSpace(c) || ShowsNothing(c) || IsMark(c); });
}

bool WordGoesOn(std::string_view text, size_t at) {
  char32_t base = ' ', next = ' ';
  for (size_t begin = at; begin > 0;) {
    base = Before(text, begin);
    if (!IsJoiner(base) && !GoesWithBase(base)) break;
    base = ' ';
  }
  for (size_t end = at; end < text.size();) {
    next = After(text, end);
    if (!IsJoiner(next)) break;
    next = ' ';
  }
  if (!IsWordChar(base) || !IsWordChar(next)) return false;
  return GoesWithBase(next) || (ScriptOf(base) == ScriptOf(next) && ScriptOf(base) != Script::kSpaceless);
}

bool Occurs(std::string_view text, std::string_view word, bool whole_word) {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
    if (!whole_word || (!WordGoesOn(text, at) && !WordGoesOn(text, at + word.size()))) return true;
  return false;
}

std::string CutAt(std::string_view text, size_t limit) {
  if (text.size() <= limit) return std::string(text);
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return std::string(text.substr(0, limit)) + "…";
}

bool IsBlank(std::string_view text) {
  return TrimText(text).empty();
}

std::string Quote(std::string_view text, size_t limit) {
  std::string out = DumpJson(Json(ValidUtf8(CutAt(text, limit))));
  return out;
}

std::string QuoteJson(const Json& value, size_t limit) {
  return CutAt(DumpJson(value), limit);
}

std::string FoundText(const Json& value) {
  return value.is_null() ? "null" : fmt::format("{} {}", TypeName(value), QuoteJson(value, 40));
}

std::string FoldCase(std::string_view text) {
  std::string valid = ValidUtf8(text);
  utf8proc_uint8_t* folded = nullptr;
  utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()), static_cast<utf8proc_ssize_t>(valid.size()),
                   &folded, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD));
  if (size < 0) return ToLowerAscii(text);
  std::string out(reinterpret_cast<const char*>(folded), static_cast<size_t>(size));
  std::free(folded);  // NOLINT: utf8proc allocates with malloc
  return out;
}

}  // namespace assay
