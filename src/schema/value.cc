// Patterns and numbers.

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "base/json_number.h"
#include "schema/bounded_match.h"
#include "schema/compile.h"

namespace assay::json_schema {
namespace {

constexpr size_t kMaxPatternBytes = 1 << 16;

// ECMA-262 names general categories in full as well, PCRE2 by their letters only.
constexpr std::pair<std::string_view, std::string_view> kCategories[] = {
    {"Letter", "L"},
    {"Cased_Letter", "L&"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"Format", "Cf"},
    {"Surrogate", "Cs"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
};

// What ECMA-262 says otherwise than PCRE2: category names, \s with the Unicode spaces, \v as one character, the dot
// without four line ends, and no named classes in brackets.
std::string Translate(const std::string& source) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < source.size(); ++i) {
    char c = source[i];
    if (c != '\\' || i + 1 == source.size()) {
      if (c == '.' && !in_class)
        out += "[^\\n\\r\\u2028\\u2029]";
      else if (c == '[' && in_class)
        out += "\\[";
      else
        out += c;
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
      continue;
    }
    char next = source[++i];
    static constexpr std::string_view kSpaces =
        "\\u{9}-\\u{d}\\u{20}\\u{a0}\\u{1680}\\u{2000}-\\u{200a}\\u{2028}\\u{2029}\\u{202f}\\u{205f}\\u{3000}\\u{feff}";
    size_t close = source.find('}', i);
    if ((next == 'p' || next == 'P') && i + 1 < source.size() && source[i + 1] == '{' && close != std::string::npos) {
      std::string_view name = std::string_view(source).substr(i + 2, close - i - 2);
      for (std::string_view prefix : {"General_Category=", "gc=", "Script=", "sc="})
        if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
      for (auto [full, letters] : kCategories)
        if (name == full) name = letters;
      out += fmt::format("\\{}{{{}}}", next, name);
      i = close;
    } else if (next == 's') {
      out += in_class ? std::string(kSpaces) : "[" + std::string(kSpaces) + "]";
    } else if (next == 'S' && !in_class) {
      out += "[^" + std::string(kSpaces) + "]";
    } else if (next == 'v') {
      out += "\\x0b";
    } else {
      out += '\\';
      out += next;
    }
  }
  return out;
}

}  // namespace

Pattern::Pattern(const std::string& source, const std::string& place) : source_(source) {
  if (source.size() > kMaxPatternBytes)
    Fail(ErrorKind::kResource, "{}: expected a pattern of at most {} bytes, found {}", place, kMaxPatternBytes,
         source.size());
  std::string translated = Translate(source);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
  pcre2_set_parens_nest_limit(context, 100);
  uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF |
                     PCRE2_ALLOW_EMPTY_CLASS | PCRE2_NEVER_BACKSLASH_C | BoundedMatchOptions();
  code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), options, &error, &offset,
                        context);
  pcre2_compile_context_free(context);
  if (code_) return;
  unsigned char message[160];
  pcre2_get_error_message(error, message, sizeof message);
  Fail(ErrorKind::kInvalid, "{}: bad pattern {}: {}; \\\\ before a mark takes it literally", place,
       DumpJson(source).substr(0, 200), reinterpret_cast<char*>(message));
}

Pattern::~Pattern() {
  pcre2_code_free(static_cast<pcre2_code*>(code_));
}

bool Pattern::Matches(const std::string& text, Work& work) const {
  int result = BoundedMatch(code_, text, 0, work);
  if (result >= 0) return true;
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21) return false;  // not a text at all
  Fail(ErrorKind::kResource, "pattern {}: the search takes too long", DumpJson(source_).substr(0, 200));
}

bool IsMultipleOf(const Json& value, const Json& divisor) {
  return NumberOf(value).IsMultipleOf(NumberOf(divisor));
}

}  // namespace assay::json_schema
