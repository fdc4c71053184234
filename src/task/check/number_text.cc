#include "task/check/number_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "task/check/number_glyphs.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kNone = SIZE_MAX;

bool IsDigit(char32_t c) {
  return c >= '0' && c <= '9';
}
bool IsSpace(char32_t c) {
  return c == ' ' || c == kThinSpace;
}
bool IsCurrency(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_SC;
}
bool IsLetter(char32_t c) {
  auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
bool IsAlnum(char32_t c) {
  return IsDigit(c) || IsLetter(c);
}
// Letters that a digit after them makes a name with (Q4, é9). Scripts whose words take numbers without a space do not.
bool NamesWith(char32_t c) {
  return c == '_' || (IsLetter(c) && (c < 0x590 || (c >= 0x1E00 && c < 0x2000)) && c != kPi);
}
// Superscript digits and signs as ASCII, 0 for others.
char32_t Superscript(char32_t c) {
  constexpr std::u32string_view kFrom = U"⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", kTo = U"0123456789-+";
  size_t i = kFrom.find(c);
  return i == std::u32string_view::npos ? 0 : kTo[i];
}
bool IsVulgarFraction(char32_t c) {
  return (c >= 0xBC && c <= 0xBE) || (c >= 0x2150 && c <= 0x215E) || c == 0x2189;
}

struct Scale {
  std::u32string_view word;
  int zeros;
};
constexpr Scale kScaleWords[] = {
    {U"hundred", 2},    {U"thousand", 3}, {U"million", 6},  {U"billion", 9},   {U"trillion", 12},  {U"mn", 6},
    {U"bn", 9},         {U"lakh", 5},     {U"crore", 7},    {U"tausend", 3},   {U"millionen", 6},  {U"milliarde", 9},
    {U"milliarden", 9}, {U"mio", 6},      {U"mrd", 9},      {U"millones", 6},  {U"millón", 6},     {U"milliard", 9},
    {U"milhões", 6},    {U"milhão", 6},   {U"mil", 3},      {U"mille", 3},     {U"milioni", 6},    {U"miliardi", 9},
    {U"тысяча", 3},     {U"тысячи", 3},   {U"тысяч", 3},    {U"тыс", 3},       {U"миллион", 6},    {U"миллиона", 6},
    {U"миллионов", 6},  {U"млн", 6},      {U"миллиард", 9}, {U"миллиарда", 9}, {U"миллиардов", 9}, {U"млрд", 9},
};
constexpr std::pair<char32_t, int> kScaleSigns[] = {{U'十', 1}, {U'百', 2}, {U'千', 3}, {U'万', 4},
                                                    {U'萬', 4}, {U'亿', 8}, {U'億', 8}, {U'兆', 12},
                                                    {U'천', 3}, {U'만', 4}, {U'억', 8}};
// What may stand between a sign and a number beside a currency sign.
constexpr std::u32string_view kCurrencyCodes[] = {U"USD", U"EUR", U"GBP", U"JPY", U"CNY", U"INR",
                                                  U"CHF", U"RMB", U"Rs.", U"Rs",  U"kr"};

constexpr int kMaxZeros = 100;  // of signs of scale behind one another (万亿); with more it is no number

Decimal Ten(int64_t exponent) {
  std::optional<Decimal> power = Decimal::Parse("1e" + std::to_string(exponent));
  ASSAY_CHECK(power.has_value());
  return *power;
}

// base to a whole power; nothing where the result is out of all proportion.
std::optional<Decimal> Power(const Decimal& base, const Decimal& exponent) {
  double count = exponent.Magnitude().Rounded();
  if (!exponent.whole() || count > 400) return {};
  if (base.zero()) return exponent.negative() || exponent.zero() ? std::nullopt : std::optional<Decimal>(base);
  if (base == Ten(1)) return Ten(static_cast<int64_t>(exponent.Rounded()));
  if (static_cast<double>(base.Text().size()) * count > 100) return {};
  Decimal out = Ten(0);
  for (int i = 0; i < static_cast<int>(count); ++i) out = out.Times(base);
  return exponent.negative() ? Ten(0).Over(out) : out;
}

std::optional<Decimal> Quotient(const std::optional<Decimal>& a, const std::optional<Decimal>& b) {
  if (!a || !b || b->zero() || a->Text().size() > 50 || b->Text().size() > 50) return {};
  return a->Over(*b);
}

// A numeral from its first digit on: what it says, and where it ends.
struct Numeral {
  std::optional<Decimal> value;
  size_t end = 0;
  bool passed_over = false;  // a date, a time, a version: not meant as a number
};

class Reader {
 public:
  Reader(const Glyphs& glyphs, bool decimal_comma)
      : g_(glyphs), group_(decimal_comma ? '.' : ','), point_(decimal_comma ? ',' : '.') {}

  bool Begins(size_t i) const {
    char32_t c = g_.at(i);
    if (IsDigit(c) || c == kFraction || c == kRoot || IsVulgarFraction(c)) return true;
    return c == point_ && IsDigit(g_.at(i + 1)) &&
           (i == 0 || (!IsDigit(g_.at(i - 1)) && !IsLetter(g_.at(i - 1)) && g_.at(i - 1) != '.'));
  }

  Numeral Read(size_t i, bool currency) const {
    Numeral n = ReadValue(i);
    if (n.passed_over) return n;
    n = Scaled(TimesPowerOfTen(n), currency);
    return Tail(n);
  }

 private:
  size_t SkipSpaces(size_t i) const {
    while (IsSpace(g_.at(i))) ++i;
    return i;
  }
  size_t SkipDigits(size_t i) const {
    while (IsDigit(g_.at(i))) ++i;
    return i;
  }
  bool LooksLike(size_t i, std::u32string_view text) const {
    return std::u32string_view(g_.text).substr(std::min(i, g_.text.size())).starts_with(text);
  }
  // Behind the braces that open at i; i where none does.
  size_t SkipBraces(size_t i) const {
    if (g_.at(i) != '{') return i;
    int depth = 0;
    for (; i < g_.text.size(); ++i) {
      if (g_.at(i) == '{') ++depth;
      if (g_.at(i) == '}' && --depth == 0) return i + 1;
    }
    return i;
  }

  Numeral ReadValue(size_t i) const {
    char32_t first = g_.at(i);
    if (first == kFraction) return ReadFraction(i);
    if (first == kRoot) return {{}, SkipRoot(i), false};
    if (IsVulgarFraction(first)) return {VulgarFraction(first), i + 1, false};
    Numeral n = ReadPlain(i);
    if (n.passed_over) return n;
    char32_t next = g_.at(n.end);
    if (g_.text[i] == '0' && n.end == i + 1 && std::u32string_view(U"xXbBoO").find(next) != std::u32string_view::npos &&
        IsAlnum(g_.at(n.end + 1))) {
      while (IsAlnum(g_.at(n.end))) ++n.end;
      return {{}, n.end, false};
    }
    n = Exponent(n);
    if (IsChain(n.end)) {
      while (IsDigit(g_.at(n.end)) || (std::u32string_view(U"-/:.,").find(g_.at(n.end)) != std::u32string_view::npos &&
                                       IsDigit(g_.at(n.end + 1))))
        ++n.end;
      return {{}, n.end, true};
    }
    if (g_.at(n.end) == '/' && IsDigit(g_.at(n.end + 1))) {
      Numeral divisor = ReadPlain(n.end + 1);
      return {Quotient(n.value, divisor.value), divisor.end, false};
    }
    if (g_.at(n.end) == '.' && (g_.at(n.end + 1) == '(' && IsDigit(g_.at(n.end + 2))))
      return {{}, SkipDigits(n.end + 2), false};  // 0.(3)
    return WithFraction(Raised(n));
  }

  // Whether what follows makes a date, a time or a telephone number of it: 2024-01-05, 1/2/2024, 10:30.
  bool IsChain(size_t end) const {
    char32_t mark = g_.at(end);
    if ((mark != '-' && mark != '/' && mark != ':') || !IsDigit(g_.at(end + 1))) return false;
    if (mark == ':') return true;
    size_t second = SkipDigits(end + 1);
    return g_.at(second) == mark && IsDigit(g_.at(second + 1));
  }

  // Digits with their separators, taken to the end of the run.
  Numeral ReadPlain(size_t i) const {
    std::vector<std::u32string_view> groups;
    std::u32string marks;
    std::u32string_view text = g_.text;
    size_t at = i;
    if (g_.at(i) == point_) {
      groups.push_back({});
    } else {
      at = SkipDigits(i);
      groups.push_back(text.substr(i, at - i));
    }
    while (Continues(groups[0], marks, at)) {
      marks += g_.at(at);
      size_t end = SkipDigits(at + 1);
      groups.push_back(text.substr(at + 1, end - at - 1));
      at = end;
    }
    return {Value(groups, marks), at, IsVersion(groups, marks)};
  }

  bool Continues(std::u32string_view lead, std::u32string_view marks, size_t at) const {
    char32_t mark = g_.at(at);
    if (!IsDigit(g_.at(at + 1))) return false;
    if (mark == ',' || mark == '.' || mark == '_') return true;
    if (mark != '\'' && !IsSpace(mark)) return false;
    // Between these a number goes on only where three digits follow.
    bool same = marks.find_first_not_of(mark) == std::u32string_view::npos;
    return same && !lead.empty() && lead.size() <= 3 && lead[0] != '0' && SkipDigits(at + 1) == at + 4;
  }

  std::optional<Decimal> Value(const std::vector<std::u32string_view>& groups, std::u32string_view marks) const {
    size_t whole = groups.size();  // groups before the point
    if (!marks.empty() && marks.back() == point_) --whole;
    if (marks.substr(0, whole - 1).find(point_) != std::u32string_view::npos) return {};
    if (whole > 1) {
      char32_t mark = marks[0];
      if (marks.substr(0, whole - 1).find_first_not_of(mark) != std::u32string_view::npos || groups[0].empty() ||
          groups[0][0] == '0')
        return {};
      auto sizes = [&](size_t first, size_t last, size_t size) {
        return std::all_of(groups.begin() + static_cast<std::ptrdiff_t>(first),
                           groups.begin() + static_cast<std::ptrdiff_t>(last),
                           [size](std::u32string_view each) { return each.size() == size; });
      };
      bool thousands = groups[0].size() <= 3 && sizes(1, whole, 3);
      bool indian = mark == group_ && whole > 2 && groups[0].size() <= 2 && sizes(1, whole - 1, 2) &&
                    groups[whole - 1].size() == 3;
      if (!thousands && !indian) return {};
    }
    std::string digits;
    for (size_t i = 0; i < groups.size(); ++i) {
      if (i == whole) digits += '.';
      for (char32_t c : groups[i]) digits += static_cast<char>(c);
    }
    if (digits.starts_with('.')) digits.insert(0, "0");
    return Decimal::Parse(digits);
  }

  // 1.2.3 or 31.12.2024, not 1.234.567.
  static bool IsVersion(const std::vector<std::u32string_view>& groups, std::u32string_view marks) {
    if (marks.size() < 2 || marks.find_first_not_of('.') != std::u32string_view::npos) return false;
    return std::any_of(groups.begin() + 1, groups.end(), [](std::u32string_view each) { return each.size() != 3; });
  }

  Numeral Exponent(Numeral n) const {
    if (g_.at(n.end) != 'e' && g_.at(n.end) != 'E') return n;
    size_t at = n.end + 1;
    std::string text = "1e";
    if (g_.at(at) == '+' || g_.at(at) == '-') text += static_cast<char>(g_.at(at++));
    if (!IsDigit(g_.at(at))) return n;
    while (IsDigit(g_.at(at))) text += static_cast<char>(g_.at(at++));
    std::optional<Decimal> factor = Decimal::Parse(text);
    bool read = n.value && factor && !IsLetter(g_.at(at));
    return {read ? std::optional<Decimal>(n.value->Times(*factor)) : std::nullopt, at, false};
  }

  // ^3, ^{-3}, **3 or ⁻³ behind `end`, which moves behind it. kNone: there is none.
  size_t ReadPower(size_t end, std::optional<Decimal>& exponent) const {
    std::string text;
    size_t at = end;
    if (Superscript(g_.at(at))) {
      while (char32_t c = Superscript(g_.at(at))) text += static_cast<char>(c), ++at;
      exponent = Decimal::Parse(text);
      return at;
    }
    bool stars = LooksLike(at, U"**") && (IsDigit(g_.at(at + 2)) || (g_.at(at + 2) == '-' && IsDigit(g_.at(at + 3))));
    if (g_.at(at) != '^' && !stars) return kNone;
    at += stars ? 2 : 1;
    bool braces = g_.at(at) == '{' || g_.at(at) == '(';
    size_t after = g_.at(at) == '{' ? SkipBraces(at) : 0;
    if (braces) ++at;
    if (g_.at(at) == '-' || g_.at(at) == '+') text += static_cast<char>(g_.at(at++));
    while (IsDigit(g_.at(at))) text += static_cast<char>(g_.at(at++));
    bool closed = !braces || g_.at(at) == '}' || g_.at(at) == ')';
    if (closed) exponent = Decimal::Parse(text);
    return after ? after : at + static_cast<size_t>(braces && closed);
  }

  Numeral Raised(const Numeral& n) const {
    std::optional<Decimal> exponent;
    size_t end = ReadPower(n.end, exponent);
    if (end == kNone) return n;
    return {n.value && exponent ? Power(*n.value, *exponent) : std::nullopt, end, false};
  }

  // 1.5 × 10^3
  Numeral TimesPowerOfTen(const Numeral& n) const {
    size_t at = SkipSpaces(n.end);
    if (std::u32string_view(U"×xX*").find(g_.at(at)) == std::u32string_view::npos) return n;
    at = SkipSpaces(at + 1);
    if (!LooksLike(at, U"10")) return n;
    std::optional<Decimal> exponent;
    size_t end = ReadPower(at + 2, exponent);
    if (end == kNone) return n;
    std::optional<Decimal> factor = exponent ? Power(Ten(1), *exponent) : std::nullopt;
    return {n.value && factor ? std::optional<Decimal>(n.value->Times(*factor)) : std::nullopt, end, false};
  }

  static std::optional<Decimal> VulgarFraction(char32_t c) {
    std::string one;
    AppendUtf8(one, c);
    std::string parts = Normalize(one, NormalForm::kNfkc);  // "3⁄4"
    constexpr std::string_view kSlash = "\xE2\x81\x84";
    size_t slash = parts.find(kSlash);
    if (slash == std::string::npos) return {};
    return Quotient(Decimal::Parse(parts.substr(0, slash)), Decimal::Parse(parts.substr(slash + kSlash.size())));
  }

  // \frac{3}{4}, \frac34
  Numeral ReadFraction(size_t i) const {
    std::optional<Decimal> parts[2];
    size_t at = i + 1;
    for (std::optional<Decimal>& part : parts) {
      at = SkipSpaces(at);
      if (IsDigit(g_.at(at))) {
        part = Decimal::Parse(std::string(1, static_cast<char>(g_.at(at++))));
        continue;
      }
      size_t end = SkipBraces(at), inner = SkipSpaces(at + 1);
      bool negative = g_.at(inner) == '-';
      inner += negative;
      if (end > at && (IsDigit(g_.at(inner)) || g_.at(inner) == point_)) {
        Numeral n = ReadPlain(inner);
        if (SkipSpaces(n.end) + 1 == end)
          part = n.value && negative ? std::optional<Decimal>(n.value->Negated()) : n.value;
      }
      at = end;
    }
    return Raised({Quotient(parts[0], parts[1]), at, false});
  }

  // 2½, 2 1/2, 2\frac{1}{2}
  Numeral WithFraction(const Numeral& n) const {
    if (!n.value || !n.value->whole()) return n;
    size_t at = n.end;
    if (IsSpace(g_.at(at))) ++at;
    Numeral part;
    if (IsVulgarFraction(g_.at(at))) {
      part = {VulgarFraction(g_.at(at)), at + 1, false};
    } else if (g_.at(at) == kFraction) {
      part = ReadFraction(at);
    } else if (at > n.end && IsDigit(g_.at(at))) {
      size_t slash = SkipDigits(at), end = SkipDigits(slash + 1);
      if (g_.at(slash) != '/' || end == slash + 1 || g_.at(end) == '/' || g_.at(end) == '.') return n;
      part = {Quotient(ReadPlain(at).value, ReadPlain(slash + 1).value), end, false};
      if (!part.value || Decimal::Compare(*part.value, Ten(0)) >= 0) return n;  // two numbers
    } else {
      return n;
    }
    return {part.value ? std::optional<Decimal>(n.value->Plus(*part.value)) : std::nullopt, part.end, false};
  }

  // 2.5 million, 5k, 3万
  Numeral Scaled(Numeral n, bool currency) const {
    int zeros = 0;
    bool sure = true;
    size_t at = n.end + static_cast<size_t>(IsSpace(g_.at(n.end)));
    for (bool more = true; more;) {
      more = false;
      for (auto [sign, count] : kScaleSigns)
        if (g_.at(at) == sign) {
          zeros = std::min(zeros + count, kMaxZeros + 1);
          n.end = ++at;
          more = true;
        }
    }
    if (zeros && IsDigit(g_.at(n.end))) return {{}, SkipDigits(n.end), false};  // 3万5千
    if (!zeros) {
      size_t end = at;
      std::u32string word;
      while (IsLetter(g_.at(end)) && word.size() < 16)
        word += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(g_.at(end++))));
      if (word.empty() || IsDigit(g_.at(end)) || IsLetter(g_.at(end))) return n;
      for (const Scale& scale : kScaleWords)
        if (word == scale.word ||
            (word.size() == scale.word.size() + 1 && word.back() == 's' && word.starts_with(scale.word)))
          zeros = scale.zeros;
      if (!zeros && word.size() == 1 && at == n.end) zeros = ScaleLetter(g_.at(at), currency, sure);
      if (zeros) n.end = end;
    }
    if (zeros && n.value)
      n.value = sure && zeros <= kMaxZeros ? std::optional<Decimal>(n.value->Times(Ten(zeros))) : std::nullopt;
    return n;
  }

  // k, M and B behind the digits. Capitals may as well be units where no money is meant.
  static int ScaleLetter(char32_t letter, bool currency, bool& sure) {
    constexpr std::pair<char32_t, int> kLetters[] = {{'k', 3},  {'K', 3}, {'M', 6}, {'B', 9},
                                                     {'T', 12}, {'m', 6}, {'b', 9}, {'t', 12}};
    for (auto [each, zeros] : kLetters) {
      if (letter != each) continue;
      sure = currency || letter == 'k';
      return sure || letter < 'a' ? zeros : 0;
    }
    return 0;
  }

  size_t SkipRoot(size_t i) const {
    size_t at = i + 1;
    if (g_.at(at) == '[')
      while (at < g_.text.size() && g_.at(at++) != ']') {
      }
    size_t end = SkipBraces(SkipSpaces(at));
    while (IsDigit(g_.at(end)) || (g_.at(end) == '.' && IsDigit(g_.at(end + 1)))) ++end;
    return end;
  }

  // What makes a number of another kind of it: 2π, 3√2, 5 ± 1, 0.1(6), 0.\overline{3}.
  Numeral Tail(Numeral n) const {
    size_t at = SkipSpaces(n.end);
    if (g_.at(at) == kPlusMinus) {
      at = SkipSpaces(at + 1);
      if (IsDigit(g_.at(at))) return {{}, ReadPlain(at).end, false};
    }
    if (g_.at(at) == kTimes || g_.at(at) == '*') at = SkipSpaces(at + 1);
    if (g_.at(at) == kRoot) return {{}, SkipRoot(at), false};
    if (g_.at(at) == kPi) return {{}, at + 1, false};
    if (LooksLike(n.end, U"\\overline")) return {{}, SkipBraces(n.end + 9), false};
    if (LooksLike(n.end, U".\\overline")) return {{}, SkipBraces(n.end + 10), false};
    size_t digits = SkipDigits(n.end + 1);
    if (n.value && !n.value->whole() && g_.at(n.end) == '(' && digits > n.end + 1 && g_.at(digits) == ')')
      return {{}, digits + 1, false};
    return n;
  }

  const Glyphs& g_;
  char32_t group_, point_;
};

// What stands before a numeral: its sign and currency, or what makes it part of something else.
struct Lead {
  size_t begin;
  bool negative = false, currency = false, in_word = false, unread = false;
};

bool EndsWithWord(const Glyphs& g, size_t end, std::u32string_view word) {
  if (end < word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    char32_t c = g.text[end - word.size() + i];
    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != word[i]) return false;
  }
  return end == word.size() || !IsLetter(g.text[end - word.size() - 1]);
}

Lead ReadLead(const Glyphs& g, size_t i) {
  Lead lead{i};
  auto at = [&](size_t back, size_t from) -> char32_t { return from >= back ? g.text[from - back] : 0; };
  char32_t last = at(1, i);
  bool braced = last == '{';
  char32_t outer = braced ? at(2, i) : last;
  lead.in_word = NamesWith(last) || outer == '^' || (braced && outer == '_');
  lead.unread = last == kPlusMinus || last == kRoot ||
                (last == '/' && (at(2, i) == kPi || at(2, i) == ')' || at(2, i) == '}' || NamesWith(at(2, i))));
  // Backwards over the currency, then the sign, or the reverse.
  size_t begin = i;
  auto skip_currency = [&] {
    size_t from = begin - static_cast<size_t>(begin > 0 && IsSpace(at(1, begin)));
    if (IsCurrency(at(1, from))) {
      --from;
      for (int letters = 0; letters < 3 && at(1, from) >= 'A' && at(1, from) <= 'Z'; ++letters) --from;
      begin = from;
      return true;
    }
    for (std::u32string_view code : kCurrencyCodes)
      if (from >= code.size() && std::u32string_view(g.text).substr(from - code.size(), code.size()) == code &&
          !IsLetter(at(1, from - code.size()))) {
        begin = from - code.size();
        return true;
      }
    return false;
  };
  lead.currency = skip_currency();
  size_t sign = begin;
  while (begin - sign < 3 && IsSpace(at(1, sign))) --sign;
  if (at(1, sign) == '-') {
    size_t before = sign - 1;
    while (sign - before < 4 && IsSpace(at(1, before))) --before;
    char32_t left = at(1, before);
    bool touching = sign == begin, alone = before + 1 < sign || before == 0;
    bool binary = IsDigit(left) || NamesWith(left) || Superscript(left) || left == kPi || left == ')' || left == ']' ||
                  left == '}' || left == '-' || left == '%';
    bool opened = left == '=' || left == U'≈' || left == '(' || left == '{' || left == '[';
    if (touching ? alone || !binary : opened) {
      lead.negative = true;
      begin = sign - 1;
      if (!lead.currency) lead.currency = skip_currency();
    }
  } else if (sign < begin && (EndsWithWord(g, sign, U"negative") || EndsWithWord(g, sign, U"minus"))) {
    bool minus = EndsWithWord(g, sign, U"minus");
    size_t before = sign - (minus ? 5 : 8);
    while (before > 0 && IsSpace(at(1, before))) --before;
    lead.negative = !minus || !(IsDigit(at(1, before)) || at(1, before) == ')');
  }
  lead.in_word = lead.in_word && begin == i;
  lead.begin = begin;
  return lead;
}

}  // namespace

std::vector<TextNumber> FindNumbers(std::string_view text, bool decimal_comma) {
  Glyphs glyphs = ReadGlyphs(text);
  Reader reader(glyphs, decimal_comma);
  std::vector<TextNumber> numbers;
  for (size_t at = 0; at < glyphs.text.size();) {
    if (!reader.Begins(at)) {
      ++at;
      continue;
    }
    Lead lead = ReadLead(glyphs, at);
    Numeral n = reader.Read(at, lead.currency);
    if (lead.unread) n.value.reset();
    if (n.value && lead.negative) n.value = n.value->Negated();
    if (!lead.in_word && !n.passed_over) numbers.push_back({n.value, glyphs.begin[lead.begin], glyphs.begin[n.end]});
    at = std::max(n.end, at + 1);
  }
  return numbers;
}

}  // namespace assay
