#include "text/unicode.h"

#include <utf8proc.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::string_view kAsciiPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

struct ByteAlphabet {
  std::array<std::string, 256> text;
  std::array<int16_t, 512> byte;  // by code point, -1 outside the alphabet
  ByteAlphabet() {
    byte.fill(-1);
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      char32_t c = printable ? static_cast<char32_t>(b) : next++;
      AppendUtf8(text[b], c);
      byte[c] = static_cast<int16_t>(b);
    }
  }
};

const ByteAlphabet& Alphabet() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

utf8proc_category_t Category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

}  // namespace

size_t Utf8SequenceLength(std::string_view text) {
  if (text.empty()) return 0;
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = at(0);
  if (first < 0x80) return 1;
  size_t length = first >= 0xc2 && first < 0xe0   ? 2
                  : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5 ? 4
                                                  : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  // Overlong forms, surrogates and code points above U+10FFFF are no UTF-8.
  if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) >= 0xa0)) return 0;
  if ((first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) >= 0x90)) return 0;
  return length;
}

size_t Utf8IncompleteLength(std::string_view text) {
  if (text.empty() || Utf8SequenceLength(text) != 0) return 0;
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = at(0);
  if (first < 0xc2 || first > 0xf4) return 0;
  size_t need = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  unsigned low = first == 0xe0   ? 0xa0
                 : first == 0xf0 ? 0x90
                                 : 0x80,
           high = first == 0xed   ? 0x9f
                  : first == 0xf4 ? 0x8f
                                  : 0xbf;
  size_t length = 1;
  while (length < need && length < text.size() && at(length) >= low && at(length) <= high) {
    ++length;
    low = 0x80, high = 0xbf;
  }
  return length;
}

char32_t Utf8Decode(std::string_view sequence) {
  auto at = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(sequence[i])); };
  switch (sequence.size()) {
    case 1:
      return at(0);
    case 2:
      return (at(0) & 0x1f) << 6 | (at(1) & 0x3f);
    case 3:
      return (at(0) & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    default:
      return (at(0) & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f);
  }
}

void AppendUtf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

size_t ValidUtf8Prefix(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    uint64_t eight;
    if (i + 8 <= text.size()) {
      std::memcpy(&eight, text.data() + i, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        i += 8;
        continue;
      }
    }
    size_t length = Utf8SequenceLength(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return i;
}

bool IsAscii(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

bool IsWhiteSpace(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
         c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool IsNumeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  auto category = Category(c);
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

bool IsPunctuation(char32_t c) {
  if (c < 0x80) return c != 0 && kAsciiPunctuation.find(static_cast<char>(c)) != std::string_view::npos;
  auto category = Category(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool IsControl(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  auto category = Category(c);
  return category >= UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CN;
}

bool IsIdeograph(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kBlocks[] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},
                                                       {0x20000, 0x2a6df}, {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f},
                                                       {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
  for (const auto& [first, last] : kBlocks)
    if (c >= first && c <= last) return true;
  return false;
}

bool IsWordChar(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  constexpr std::pair<char32_t, char32_t> kOthers[] = {// join controls; letters in circles and squares
                                                       {0x200c, 0x200d},
                                                       {0x24b6, 0x24e9},
                                                       {0x1f130, 0x1f149},
                                                       {0x1f150, 0x1f169},
                                                       {0x1f170, 0x1f189}};
  for (const auto& [first, last] : kOthers)
    if (c >= first && c <= last) return true;
  auto category = Category(c);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ND) || category == UTF8PROC_CATEGORY_NL ||
         category == UTF8PROC_CATEGORY_PC;
}

std::string Normalize(std::string_view text, NormalForm form) {
  if (IsAscii(text)) return std::string(text);
  int options = UTF8PROC_STABLE;
  options |= form == NormalForm::kNfc || form == NormalForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* result = nullptr;
  auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &result, static_cast<utf8proc_option_t>(options));
  if (length == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (length < 0) Fail(ErrorKind::kInvalid, "text of {} bytes: {}", text.size(), utf8proc_errmsg(length));
  std::string out(reinterpret_cast<char*>(result), static_cast<size_t>(length));
  std::free(result);
  return out;
}

std::string LowercaseUnicode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    size_t length = Utf8SequenceLength(text.substr(i));
    if (length == 0) {
      out += text[i++];
      continue;
    }
    char32_t c = Utf8Decode(text.substr(i, length));
    if (c == 0x130) {
      out += "i\xcc\x87";  // the one unconditional special case of lower-casing: İ
    } else {
      AppendUtf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    }
    i += length;
  }
  return out;
}

namespace {

template <typename Predicate>
std::string Without(std::string_view text, Predicate is) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    size_t length = Utf8SequenceLength(text.substr(i));
    size_t step = length == 0 ? 1 : length;
    if (length < 2 || !is(Category(Utf8Decode(text.substr(i, length))))) out += text.substr(i, step);
    i += step;
  }
  return out;
}

}  // namespace

std::string WithoutMarks(std::string_view text) {
  return Without(text, [](utf8proc_category_t c) { return c >= UTF8PROC_CATEGORY_MN && c <= UTF8PROC_CATEGORY_ME; });
}

std::string StripNonspacingMarks(std::string_view text) {
  return Without(text, [](utf8proc_category_t c) { return c == UTF8PROC_CATEGORY_MN; });
}

std::string ByteAlphabetEncode(std::string_view bytes) {
  const ByteAlphabet& alphabet = Alphabet();
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 4);
  for (char c : bytes) out += alphabet.text[static_cast<unsigned char>(c)];
  return out;
}

bool ByteAlphabetDecode(std::string_view text, std::string& bytes) {
  const ByteAlphabet& alphabet = Alphabet();
  bytes.clear();
  for (size_t i = 0; i < text.size();) {
    size_t length = Utf8SequenceLength(text.substr(i));
    if (length == 0) return false;
    char32_t c = Utf8Decode(text.substr(i, length));
    if (c >= alphabet.byte.size() || alphabet.byte[c] < 0) return false;
    bytes += static_cast<char>(alphabet.byte[c]);
    i += length;
  }
  return true;
}

}  // namespace assay
