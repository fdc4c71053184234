#pragma once
// UTF-8 and the few Unicode properties and normal forms that tokenizers need. Tables are those of the linked Unicode
// library.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

/// Length of the valid UTF-8 sequence at the beginning of `text` (1 to 4), 0 when there is none (then one byte is to be
/// skipped).
size_t Utf8SequenceLength(std::string_view text);
/// Length of the longest beginning of `text` that begins some valid sequence without completing it (0 to 3).
size_t Utf8IncompleteLength(std::string_view text);
/// The code point of a sequence whose length is known to be valid.
char32_t Utf8Decode(std::string_view sequence);
void AppendUtf8(std::string& out, char32_t code_point);
/// Bytes at the beginning of `text` that are valid UTF-8.
size_t ValidUtf8Prefix(std::string_view text);
inline bool IsValidUtf8(std::string_view text) {
  return ValidUtf8Prefix(text) == text.size();
}
bool IsAscii(std::string_view text);

bool IsWhiteSpace(char32_t c);   // the White_Space property
bool IsNumeric(char32_t c);      // general categories Nd, Nl, No
bool IsPunctuation(char32_t c);  // ASCII punctuation and categories P*
bool IsControl(char32_t c);      // categories C*, but not tab and the line ends
bool IsIdeograph(char32_t c);    // the blocks that BERT calls Chinese characters
// \w of Unicode regular expressions (UTS #18): alphabetic characters, marks, digits, connectors, U+200C and U+200D.
bool IsWordChar(char32_t c);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
/// `text` must be valid UTF-8.
std::string Normalize(std::string_view text, NormalForm form);
std::string LowercaseUnicode(std::string_view text);
std::string WithoutMarks(std::string_view text);          // categories Mn, Mc, Me
std::string StripNonspacingMarks(std::string_view text);  // Mn only

/// GPT-2's byte alphabet: every byte as a printable character. Encode never fails; Decode returns false (and leaves
/// `bytes` unspecified) when a character does not belong to the alphabet.
std::string ByteAlphabetEncode(std::string_view bytes);
bool ByteAlphabetDecode(std::string_view text, std::string& bytes);

}  // namespace assay
