#pragma once
// Text made ready for reading numerals: one character for each glyph that matters, whatever script or LaTeX says it.

#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct Glyphs {
  /// Digits of every script are '0' to '9', dashes that can be a minus '-', full-width forms their ASCII, thin and
  /// no-break spaces kThinSpace; LaTeX commands are one character or gone; what shows nothing is gone.
  std::u32string text;
  std::vector<size_t> begin;  // byte of each glyph, and the end of the text

  char32_t at(size_t i) const { return i < text.size() ? text[i] : 0; }
};

inline constexpr char32_t kThinSpace = 0xA0, kFraction = 0xE000, kPlusMinus = 0xB1, kTimes = 0xD7, kRoot = 0x221A,
                          kPi = 0x3C0;

Glyphs ReadGlyphs(std::string_view text);

}  // namespace assay
