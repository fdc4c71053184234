#pragma once
// Answers as text is compared: what looks the same is the same. Unicode decides what is white space, a mark and a word.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.h"

namespace assay {

/// Invalid bytes become U+FFFD.
std::string ValidUtf8(std::string_view text);
/// The same, and the rest its canonical composition (NFC).
std::string Composed(std::string_view text);
/// Composed, without characters that show nothing (zero-width space, direction marks, soft hyphen …), every space
/// character being a space: a no-break space between two words makes no other answer.
std::string AsSeen(std::string_view text);
/// White space of Unicode and characters that show nothing off both ends.
std::string_view TrimText(std::string_view text);
/// The same and quotes, stops, brackets and Markdown marks of any script: **“Paris.”** is Paris.
std::string_view StripMarks(std::string_view text);

/// Format characters that have no width. Joiners (U+200C, U+200D) change how their neighbours look: they are none.
bool ShowsNothing(char32_t c);

/// Whether one word has characters on both sides of byte `at`, as \b sees words, marks being part of their letter. In
/// scripts that write no spaces every character ends, and so do words where such a script meets another.
bool WordGoesOn(std::string_view text, size_t at);
/// `word` may not be empty. whole_word: no word goes on before or behind it.
bool Occurs(std::string_view text, std::string_view word, bool whole_word);

/// True when `text` has nothing but white space of Unicode and characters that show nothing.
bool IsBlank(std::string_view text);
/// At most `limit` bytes of `text`, cut at a character, with a sign that more was there.
std::string CutAt(std::string_view text, size_t limit);
/// At most `limit` bytes of `text` in quotes, cut at a character, for details.
std::string Quote(std::string_view text, size_t limit = 80);
/// The same for JSON values.
std::string QuoteJson(const Json& value, size_t limit = 120);
/// What stands where something else was expected: "number 5", "string \"x\"", "null".
std::string FoundText(const Json& value);
/// Unicode case folding after canonical composition; invalid UTF-8 is folded as ASCII.
std::string FoldCase(std::string_view text);

}  // namespace assay
