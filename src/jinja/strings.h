#pragma once
// Python's str on UTF-8 text: everything counts code points. Invalid bytes count as one character each.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::jinja {

/// Decodes one code point at `at` and moves past it.
uint32_t NextCodePoint(std::string_view text, size_t& at);
void AppendCodePoint(std::string& text, uint32_t code_point);
bool IsAscii(std::string_view text);
size_t CountCodePoints(std::string_view text);
/// The byte offset of code point `index`, text.size() past the end.
size_t ByteOffset(std::string_view text, size_t index, bool ascii);
/// Views of the single characters.
std::vector<std::string_view> Characters(std::string_view text);

bool IsSpace(uint32_t code_point);  // str.isspace
bool IsAlpha(uint32_t code_point);
bool IsDecimal(uint32_t code_point);
bool IsDigit(uint32_t code_point);
bool IsNumeric(uint32_t code_point);
bool IsUpper(uint32_t code_point);
bool IsLower(uint32_t code_point);
bool IsTitle(uint32_t code_point);
bool IsPrintable(uint32_t code_point);
bool IsWord(uint32_t code_point);  // \w

std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
std::string Capitalize(std::string_view text);
std::string TitleCase(std::string_view text);  // str.title
std::string SwapCase(std::string_view text);
std::string CaseFold(std::string_view text);
bool IsLineBreak(uint32_t code_point);

/// Strips white space, or any of `characters` when given.
std::string_view StripLeft(std::string_view text, const std::string* characters = nullptr);
std::string_view StripRight(std::string_view text, const std::string* characters = nullptr);

std::vector<std::string_view> SplitWhite(std::string_view text, int64_t limit);  // limit < 0: none
std::vector<std::string_view> SplitWhiteRight(std::string_view text, int64_t limit);
std::vector<std::string_view> SplitOn(std::string_view text, std::string_view separator, int64_t limit);
std::vector<std::string_view> SplitOnRight(std::string_view text, std::string_view separator, int64_t limit);
std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends);
/// What SplitWhite without a limit counts.
size_t CountWords(std::string_view text);
/// Occurrences, not overlapping; an empty needle counts the gaps.
size_t CountText(std::string_view text, std::string_view needle);
std::string ReplaceText(std::string_view text, std::string_view from, std::string_view to, int64_t limit);

std::string ReprText(std::string_view text);
std::string ReprFloat(double number);
/// As int() and float() read text: surrounding space and single underscores allowed, at most 4300 digits (Python's
/// limit). `beyond` gets the decimal digits of a number that does not fit 64 bits, else nothing.
bool ParseInt(std::string_view text, int base, int64_t& number, std::string& beyond);
bool ParseFloat(std::string_view text, double& number);

}  // namespace assay::jinja
