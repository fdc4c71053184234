#include "jinja/strings.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace assay::jinja {
namespace {

// A byte that is not UTF-8 travels as the surrogate 0xDC00 + byte, as in Python's surrogateescape.
constexpr uint32_t kEscapedByte = 0xDC00;

utf8proc_category_t Category(uint32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

bool IsCased(uint32_t c) {
  return IsUpper(c) || IsLower(c) || IsTitle(c);
}

bool IsCaseIgnorable(uint32_t c) {
  auto category = Category(c);
  return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xB7 || c == 0x2019 ||
         category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_LM || category == UTF8PROC_CATEGORY_SK;
}

// Full case mappings of SpecialCasing.txt that chat text meets; utf8proc has the simple ones only.
struct Special {
  uint32_t from;
  const char* upper;
  const char* title;
};
constexpr Special kSpecial[] = {{0xDF, "SS", "Ss"},     {0x149, "ʼN", "ʼN"},    {0x1F0, "J̌", "J̌"},
                                {0xFB00, "FF", "Ff"},   {0xFB01, "FI", "Fi"},   {0xFB02, "FL", "Fl"},
                                {0xFB03, "FFI", "Ffi"}, {0xFB04, "FFL", "Ffl"}, {0xFB05, "ST", "St"},
                                {0xFB06, "ST", "St"},   {0x587, "ԵՒ", "Եւ"}};

void AppendUpper(std::string& out, uint32_t c, bool title) {
  for (const Special& special : kSpecial)
    if (special.from == c) {
      out += title ? special.title : special.upper;
      return;
    }
  AppendCodePoint(out, static_cast<uint32_t>(title ? utf8proc_totitle(static_cast<utf8proc_int32_t>(c))
                                                   : utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}

// The start of the last character.
size_t LastCharacter(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && text.size() - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  size_t end = at;
  NextCodePoint(text, end);
  return end == text.size() ? at : text.size() - 1;
}

// A capital sigma that ends a word becomes the final form.
bool IsFinalSigma(std::string_view text, size_t begin, size_t end) {
  bool before = false;
  for (size_t back = begin; back > 0;) {
    back = LastCharacter(text.substr(0, back));
    size_t at = back;
    uint32_t c = NextCodePoint(text, at);
    if (IsCaseIgnorable(c)) continue;
    before = IsCased(c);
    break;
  }
  if (!before) return false;
  for (size_t at = end; at < text.size();) {
    uint32_t c = NextCodePoint(text, at);
    if (!IsCaseIgnorable(c)) return !IsCased(c);
  }
  return true;
}

void AppendLower(std::string& out, std::string_view text, size_t begin, size_t end, uint32_t c) {
  if (c == 0x3A3)
    AppendCodePoint(out, IsFinalSigma(text, begin, end) ? 0x3C2 : 0x3C3);
  else if (c == 0x130)
    out += "i\xCC\x87";
  else
    AppendCodePoint(out, static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

// What a strip takes away.
class StripSet {
 public:
  explicit StripSet(const std::string* characters) : white_(!characters) {
    if (white_) return;
    for (size_t at = 0; at < characters->size();) set_.push_back(NextCodePoint(*characters, at));
    std::sort(set_.begin(), set_.end());
  }
  bool Has(uint32_t c) const { return white_ ? IsSpace(c) : std::binary_search(set_.begin(), set_.end(), c); }

 private:
  bool white_;
  std::vector<uint32_t> set_;
};

std::string WithoutUnderscores(std::string_view text, bool& good) {
  std::string plain;
  good = !text.empty();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      plain += text[i];
      continue;
    }
    if (i == 0 || i + 1 == text.size() || !std::isalnum(static_cast<unsigned char>(text[i - 1])) ||
        !std::isalnum(static_cast<unsigned char>(text[i + 1])))
      good = false;
  }
  return plain;
}

}  // namespace

uint32_t NextCodePoint(std::string_view text, size_t& at) {
  auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) {
    ++at;
    return lead;
  }
  utf8proc_int32_t code_point = -1;
  auto used = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                               static_cast<utf8proc_ssize_t>(std::min<size_t>(4, text.size() - at)), &code_point);
  if (used <= 0) {
    ++at;
    return kEscapedByte + lead;
  }
  at += static_cast<size_t>(used);
  return static_cast<uint32_t>(code_point);
}

void AppendCodePoint(std::string& text, uint32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c >= kEscapedByte + 0x80 && c <= kEscapedByte + 0xFF) {
    text += static_cast<char>(c - kEscapedByte);
  } else {
    utf8proc_uint8_t bytes[4];
    auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
    text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(std::max<utf8proc_ssize_t>(size, 0)));
  }
}

bool IsAscii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

size_t CountCodePoints(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) NextCodePoint(text, at);
  return count;
}

size_t ByteOffset(std::string_view text, size_t index, bool ascii) {
  if (ascii) return std::min(index, text.size());
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) NextCodePoint(text, at);
  return at;
}

std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> characters;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    NextCodePoint(text, at);
    characters.push_back(text.substr(begin, at - begin));
  }
  return characters;
}

bool IsSpace(uint32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsAlpha(uint32_t c) {
  auto category = Category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
bool IsDecimal(uint32_t c) {
  return Category(c) == UTF8PROC_CATEGORY_ND;
}
bool IsDigit(uint32_t c) {
  return IsDecimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
         (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
}
bool IsNumeric(uint32_t c) {
  auto category = Category(c);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}
bool IsUpper(uint32_t c) {
  return Category(c) == UTF8PROC_CATEGORY_LU;
}
bool IsLower(uint32_t c) {
  return Category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA;
}
bool IsTitle(uint32_t c) {
  return Category(c) == UTF8PROC_CATEGORY_LT;
}
bool IsPrintable(uint32_t c) {
  if (c < 0x80) return c >= 0x20 && c < 0x7F;
  auto category = Category(c);
  return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}
bool IsWord(uint32_t c) {
  return c == '_' || IsAlpha(c) || IsNumeric(c);
}

std::string Upper(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) AppendUpper(out, NextCodePoint(text, at), false);
  return out;
}

std::string Lower(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    uint32_t c = NextCodePoint(text, at);
    AppendLower(out, text, begin, at, c);
  }
  return out;
}

std::string Capitalize(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    uint32_t c = NextCodePoint(text, at);
    if (begin == 0)
      AppendUpper(out, c, true);
    else
      AppendLower(out, text, begin, at, c);
  }
  return out;
}

std::string TitleCase(std::string_view text) {
  std::string out;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    uint32_t c = NextCodePoint(text, at);
    if (inside)
      AppendLower(out, text, begin, at, c);
    else
      AppendUpper(out, c, true);
    inside = IsCased(c);
  }
  return out;
}

std::string SwapCase(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    uint32_t c = NextCodePoint(text, at);
    if (IsUpper(c))
      AppendLower(out, text, begin, at, c);
    else if (IsLower(c))
      AppendUpper(out, c, false);
    else
      AppendCodePoint(out, c);
  }
  return out;
}

std::string CaseFold(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    auto c = static_cast<utf8proc_int32_t>(NextCodePoint(text, at));
    utf8proc_int32_t folded[8];
    int boundary = 0;
    auto count = c >= 0xD800 && c < 0xE000 ? -1 : utf8proc_decompose_char(c, folded, 8, UTF8PROC_CASEFOLD, &boundary);
    if (count <= 0 || count > 8) {
      out += text.substr(begin, at - begin);
      continue;
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i) AppendCodePoint(out, static_cast<uint32_t>(folded[i]));
  }
  return out;
}

bool IsLineBreak(uint32_t c) {
  return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

std::string_view StripLeft(std::string_view text, const std::string* characters) {
  StripSet set(characters);
  while (!text.empty()) {
    size_t at = 0;
    if (!set.Has(NextCodePoint(text, at))) break;
    text.remove_prefix(at);
  }
  return text;
}

std::string_view StripRight(std::string_view text, const std::string* characters) {
  StripSet set(characters);
  while (!text.empty()) {
    size_t begin = LastCharacter(text), at = begin;
    if (!set.Has(NextCodePoint(text, at))) break;
    text = text.substr(0, begin);
  }
  return text;
}

std::vector<std::string_view> SplitWhite(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  text = StripLeft(text);
  while (!text.empty()) {
    if (limit >= 0 && static_cast<int64_t>(parts.size()) >= limit) {
      parts.push_back(text);
      break;
    }
    size_t at = 0, end = 0;
    while (at < text.size() && !IsSpace(NextCodePoint(text, at))) end = at;
    parts.push_back(text.substr(0, end));
    text = StripLeft(text.substr(end));
  }
  return parts;
}

std::vector<std::string_view> SplitWhiteRight(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  text = StripRight(text);
  while (!text.empty()) {
    if (limit >= 0 && static_cast<int64_t>(parts.size()) >= limit) {
      parts.push_back(text);
      break;
    }
    size_t begin = text.size();
    while (begin > 0) {
      size_t last = LastCharacter(text.substr(0, begin)), at = last;
      if (IsSpace(NextCodePoint(text, at))) break;
      begin = last;
    }
    parts.push_back(text.substr(begin));
    text = StripRight(text.substr(0, begin));
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitOn(std::string_view text, std::string_view separator, int64_t limit) {
  std::vector<std::string_view> parts;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    size_t at = text.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> SplitOnRight(std::string_view text, std::string_view separator, int64_t limit) {
  std::vector<std::string_view> parts;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    size_t at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    uint32_t c = NextCodePoint(text, at);
    if (!IsLineBreak(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

size_t CountWords(std::string_view text) {
  size_t count = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const bool space = IsSpace(NextCodePoint(text, at));
    count += !space && !inside;
    inside = !space;
  }
  return count;
}

size_t CountText(std::string_view text, std::string_view needle) {
  if (needle.empty()) return CountCodePoints(text) + 1;
  size_t count = 0;
  for (size_t at = text.find(needle); at != std::string_view::npos; at = text.find(needle, at + needle.size())) ++count;
  return count;
}

std::string ReplaceText(std::string_view text, std::string_view from, std::string_view to, int64_t limit) {
  std::string out;
  int64_t done = 0;
  auto allowed = [&] { return limit < 0 || done < limit; };
  if (from.empty()) {
    size_t at = 0;
    while (true) {
      if (!allowed()) return out.append(text.substr(at));
      out += to;
      ++done;
      if (at == text.size()) return out;
      size_t begin = at;
      NextCodePoint(text, at);
      out += text.substr(begin, at - begin);
    }
  }
  while (allowed()) {
    size_t at = text.find(from);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
    ++done;
  }
  return out.append(text);
}

std::string ReprText(std::string_view text) {
  char quote = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < text.size();) {
    uint32_t c = NextCodePoint(text, at);
    if (c == static_cast<uint32_t>(quote) || c == '\\')
      out.append("\\").append(1, static_cast<char>(c));
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (IsPrintable(c))
      AppendCodePoint(out, c);
    else if (c < 0x100)
      out += fmt::format("\\x{:02x}", c);
    else if (c < 0x10000)
      out += fmt::format("\\u{:04x}", c);
    else
      out += fmt::format("\\U{:08x}", c);
  }
  return out += quote;
}

std::string ReprFloat(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  size_t e = text.find('e');
  int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
  std::string digits(text.substr(0, e)), sign;
  if (digits[0] == '-') {
    sign = "-";
    digits.erase(0, 1);
  }
  digits.erase(std::remove(digits.begin(), digits.end(), '.'), digits.end());
  auto count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    std::string mantissa = digits.substr(0, 1) + (count > 1 ? "." + digits.substr(1) : "");
    return fmt::format("{}{}e{}{:02}", sign, mantissa, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1) return sign + digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  return sign + digits.substr(0, static_cast<size_t>(exponent + 1)) + "." +
         digits.substr(static_cast<size_t>(exponent + 1));
}

namespace {

constexpr size_t kMaxIntegerDigits = 4300;

// Decimal digits of the digits of another base.
std::string DecimalDigits(std::string_view digits, int base) {
  constexpr uint32_t kLimb = 1'000'000'000;
  std::vector<uint32_t> limbs;  // little end first
  for (char c : digits) {
    uint64_t carry = static_cast<uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    for (uint32_t& limb : limbs) {
      carry += static_cast<uint64_t>(limb) * static_cast<uint64_t>(base);
      limb = static_cast<uint32_t>(carry % kLimb);
      carry /= kLimb;
    }
    if (carry > 0) limbs.push_back(static_cast<uint32_t>(carry));
  }
  std::string out = std::to_string(limbs.back());
  for (size_t i = limbs.size() - 1; i-- > 0;) out += fmt::format("{:09}", limbs[i]);
  return out;
}

}  // namespace

bool ParseInt(std::string_view text, int base, int64_t& number, std::string& beyond) {
  beyond.clear();
  text = StripLeft(StripRight(text));
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  auto prefix = [&](char letter) { return text.size() > 1 && text[0] == '0' && (text[1] | 0x20) == letter; };
  bool prefixed = true;
  if ((base == 0 || base == 16) && prefix('x'))
    base = 16;
  else if ((base == 0 || base == 8) && prefix('o'))
    base = 8;
  else if ((base == 0 || base == 2) && prefix('b'))
    base = 2;
  else
    prefixed = false;
  if (prefixed) text.remove_prefix(text.size() > 2 && text[2] == '_' ? 3 : 2);
  if (base == 0) {
    base = 10;
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("0_") != std::string_view::npos) return false;
  }
  bool good = false;
  std::string plain = WithoutUnderscores(text, good);
  if (!good || plain.empty() || plain[0] == '-' || plain[0] == '+') return false;
  if (negative) plain.insert(plain.begin(), '-');
  auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), number, base);
  if (end != plain.data() + plain.size()) return false;
  if (error != std::errc::result_out_of_range) return true;
  if (plain.size() > kMaxIntegerDigits) return false;
  beyond = (negative ? "-" : "") + DecimalDigits(std::string_view(plain).substr(negative ? 1 : 0), base);
  return true;
}

bool ParseFloat(std::string_view text, double& number) {
  bool good = false;
  std::string plain = WithoutUnderscores(StripLeft(StripRight(text)), good);
  if (!good) return false;
  size_t start = plain[0] == '+' || plain[0] == '-' ? 1 : 0;
  std::string lower;
  for (char c : plain.substr(start)) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower == "inf" || lower == "infinity" || lower == "nan") {
    number = lower == "nan" ? std::nan("") : HUGE_VAL;
    if (plain[0] == '-') number = -number;
    return true;
  }
  if (lower.empty() || !(std::isdigit(static_cast<unsigned char>(lower[0])) || lower[0] == '.')) return false;
  auto [end, error] = std::from_chars(lower.data(), lower.data() + lower.size(), number);
  if (end != lower.data() + lower.size()) return false;
  // Out of range: strtod tells which way (0 or infinity), as Python does.
  if (error == std::errc::result_out_of_range) number = std::strtod(lower.c_str(), nullptr);
  if (plain[0] == '-') number = -number;
  return true;
}

}  // namespace assay::jinja
