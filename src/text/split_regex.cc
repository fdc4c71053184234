#include "text/split_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kMaxPatternBytes = 1 << 16;
// Steps per match; what long runs of one character need grows with the text.
constexpr uint32_t kMatchLimit = 200'000, kMatchLimitPerByte = 16, kMaxMatchLimit = 1'000'000'000;
constexpr uint32_t kHeapLimitKib = 1 << 16;

// Contents of character classes. PCRE2's \s also takes U+180E, and its \w leaves out marks; tokenizer files mean
// Unicode's White_Space and Oniguruma's word characters.
constexpr std::string_view kSpaceSet =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
#define ASSAY_WORD_SET                                                                                            \
  "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{" \
  "1f189}"
constexpr std::string_view kWordSet = ASSAY_WORD_SET;
// Outside of sets Oniguruma goes by a table of Latin-1, in which ² ³ ¹ ¼ ½ ¾ are word characters too.
#define ASSAY_WORDS ASSAY_WORD_SET "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}]"
#define ASSAY_WORD "[" ASSAY_WORDS
#define ASSAY_NO_WORD "[^" ASSAY_WORDS
constexpr std::string_view kWord = ASSAY_WORD, kNoWord = ASSAY_NO_WORD,
                           kBoundary =
                               "(?:(?<=" ASSAY_WORD ")(?!" ASSAY_WORD ")|(?<!" ASSAY_WORD ")(?=" ASSAY_WORD "))",
                           kNoBoundary =
                               "(?:(?<=" ASSAY_WORD ")(?=" ASSAY_WORD ")|(?<!" ASSAY_WORD ")(?!" ASSAY_WORD "))";
#undef ASSAY_WORD
#undef ASSAY_NO_WORD
#undef ASSAY_WORDS
#undef ASSAY_WORD_SET

// [:name:] as Oniguruma has it, contents of a class.
constexpr std::pair<std::string_view, std::string_view> kNamedSets[] = {
    {"alpha", "\\p{Alphabetic}"},
    {"upper", "\\p{Uppercase}"},
    {"lower", "\\p{Lowercase}"},
    {"digit", "\\p{Nd}"},
    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"space", kSpaceSet},
    {"punct", "\\p{P}\\p{S}"},
    {"word", kWordSet},
    {"xdigit", "0-9A-Fa-f"},
    {"cntrl", "\\p{Cc}"},
    {"blank", "\\x{9}\\p{Zs}"},
    {"ascii", "\\x{0}-\\x{7f}"},
};

// \p{Han} is the script in Oniguruma and in Rust; in PCRE2 since 10.40 also what is used with it (Script_Extensions).
// `rest` begins at \p or \P.
std::string Property(std::string_view rest) {
  size_t end = rest.find('}');
  std::string_view name = rest.starts_with("\\p{") || rest.starts_with("\\P{") ? rest.substr(3, end - 3) : "";
  auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  bool script = PCRE2_MINOR >= 40 && end != std::string_view::npos && name.size() > 2 && name != "Any" &&
                std::all_of(name.begin(), name.end(), is_letter);
  return std::string(rest.substr(0, 2)) + (script ? "{sc:" + std::string(name) + "}" : "");
}

// Set difference [A&&[^B]], which PCRE2 lacks, as (?:(?![B])[A]); B names properties only. `rest` begins at && and
// `out` ends with [A; returns how much of `rest` is read.
size_t Exclude(std::string_view rest, std::string& out, size_t class_begin, std::string_view where) {
  constexpr std::string_view kOpen = "&&[^";
  size_t at = kOpen.size();
  bool simple = rest.starts_with(kOpen) && out[class_begin + 1] != '^';
  while (simple && (rest.substr(at).starts_with("\\p{") || rest.substr(at).starts_with("\\P{"))) {
    size_t close = rest.find('}', at);
    simple = close != std::string_view::npos;
    at = simple ? close + 1 : at;
  }
  if (!simple || at == kOpen.size() || !rest.substr(at).starts_with("]]"))
    Fail(ErrorKind::kUnsupported, "{}: set intersection && in the regular expression", where);
  std::string set = out.substr(class_begin);
  out.resize(class_begin);
  std::string excluded;
  for (size_t i = kOpen.size(); i < at; i = rest.find('}', i) + 1) {
    std::string property = Property(rest.substr(i));
    excluded += property.size() > 2 ? property : std::string(rest.substr(i, rest.find('}', i) + 1 - i));
  }
  out.append("(?:(?![").append(excluded).append("])").append(set).append("])");
  return at + 2;
}

// Rewrites \s \S \w \W and set differences, and refuses class syntax that Oniguruma and PCRE2 read differently.
std::string Translate(std::string_view pattern, std::string_view where) {
  std::string out;
  bool in_class = false;
  size_t class_begin = 0;  // in `out`
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      char next = pattern[++i];
      std::string_view set = next == 's' || next == 'S'   ? kSpaceSet
                             : next == 'w' || next == 'W' ? kWordSet
                                                          : std::string_view{};
      bool negated = next == 'S' || next == 'W';
      if (!in_class && (next == 'b' || next == 'B')) {
        out += next == 'b' ? kBoundary : kNoBoundary;
      } else if (set.empty() || (in_class && negated)) {
        if (next == 'h' || next == 'H')
          Fail(ErrorKind::kUnsupported, "{}: \\{} in the regular expression", where, next);
        std::string property = next == 'p' || next == 'P' ? Property(pattern.substr(i - 1)) : "";
        if (property.size() > 2) {
          out += property;
          i = pattern.find('}', i);
        } else {
          out += c;
          out += next;
        }
      } else if (in_class) {
        out += set;
      } else if (next == 'w' || next == 'W') {
        out.append(negated ? kNoWord : kWord);
      } else {
        out.append(negated ? "[^" : "[").append(set).append("]");
      }
    } else if (in_class) {
      if (c == '[' && !pattern.substr(i).starts_with("[:"))
        Fail(ErrorKind::kUnsupported, "{}: a set inside a set in the regular expression", where);
      if (pattern.substr(i).starts_with("&&")) {
        i += Exclude(pattern.substr(i), out, class_begin, where) - 1;
        in_class = false;
        continue;
      }
      if (c == '[') {  // [:class:]
        size_t end = pattern.find(":]", i);
        if (end == std::string_view::npos)
          Fail(ErrorKind::kCorrupt, "{}: unterminated [: in the regular expression", where);
        std::string_view name = pattern.substr(i + 2, end - i - 2);
        auto known =
            std::find_if(std::begin(kNamedSets), std::end(kNamedSets), [&](auto& s) { return s.first == name; });
        if (known == std::end(kNamedSets))
          Fail(ErrorKind::kUnsupported, "{}: [:{}:] in the regular expression", where, name);
        out += known->second;
        i = end + 1;
        continue;
      }
      if (c == ']') in_class = false;
      out += c;
    } else {
      out += c;
      if (c == '[') {
        in_class = true;
        class_begin = out.size() - 1;
        if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
        if (i + 1 < pattern.size() && pattern[i + 1] == ']') out.append("\\"), out += pattern[++i];
      }
    }
  }
  return out;
}

// What a match needs beside the pattern; one per thread.
struct MatchScratch {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 8 << 20, nullptr);
  MatchScratch() {
    if (!data || !context || !stack) throw std::bad_alloc();
    pcre2_set_heap_limit(context, kHeapLimitKib);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~MatchScratch() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  MatchScratch(const MatchScratch&) = delete;
  MatchScratch& operator=(const MatchScratch&) = delete;
};

}  // namespace

struct SplitRegex::State {
  pcre2_code* code = nullptr;
  std::string pattern;
  ~State() { pcre2_code_free(code); }
};

SplitRegex::SplitRegex(std::string_view pattern, std::string_view where) : state_(std::make_unique<State>()) {
  if (pattern.empty()) Fail(ErrorKind::kCorrupt, "{}: empty regular expression", where);
  if (pattern.size() > kMaxPatternBytes)
    Fail(ErrorKind::kCorrupt, "{}: regular expression of {} bytes, at most {} expected", where, pattern.size(),
         kMaxPatternBytes);
  if (!IsValidUtf8(pattern)) Fail(ErrorKind::kCorrupt, "{}: regular expression is not UTF-8", where);
  state_->pattern = pattern;
  std::string translated = Translate(pattern, where);
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  int error = 0;
  size_t offset = 0;
  // MULTILINE because ^ and $ are line anchors in Oniguruma's default syntax.
  state_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                               PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY,
                               &error, &offset, context);
  pcre2_compile_context_free(context);
  if (!state_->code) {
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    Fail(ErrorKind::kCorrupt, "{}: regular expression \"{}\": {}", where, pattern,
         reinterpret_cast<const char*>(message));
  }
  pcre2_jit_compile(state_->code, PCRE2_JIT_COMPLETE);  // without it the interpreter serves, slower
}

SplitRegex::~SplitRegex() = default;
SplitRegex::SplitRegex(SplitRegex&&) noexcept = default;
SplitRegex& SplitRegex::operator=(SplitRegex&&) noexcept = default;

void SplitRegex::ForEach(std::string_view text, const std::function<void(size_t, size_t)>& found) const {
  thread_local MatchScratch scratch;
  // PCRE2 takes a null subject only in newer versions.
  auto subject = reinterpret_cast<PCRE2_SPTR>(text.data() ? text.data() : "");
  auto limit = static_cast<uint32_t>(
      std::min<uint64_t>(kMatchLimit + kMatchLimitPerByte * uint64_t{text.size()}, kMaxMatchLimit));
  pcre2_set_match_limit(scratch.context, limit);
  pcre2_set_depth_limit(scratch.context, limit);
  size_t start = 0, last = std::string_view::npos;  // where the last match ended
  while (start <= text.size()) {
    int count =
        pcre2_match(state_->code, subject, text.size(), start, PCRE2_NO_UTF_CHECK, scratch.data, scratch.context);
    if (count == PCRE2_ERROR_NOMATCH) return;
    if (count < 0) {
      PCRE2_UCHAR message[256] = {};
      pcre2_get_error_message(count, message, sizeof(message));
      Fail(ErrorKind::kResource, "splitting a text of {} bytes with the regular expression \"{}\": {}", text.size(),
           state_->pattern, reinterpret_cast<const char*>(message));
    }
    const size_t* ends = pcre2_get_ovector_pointer(scratch.data);
    size_t begin = ends[0], end = ends[1];
    if (begin > end || end < start || (begin == end && end == last)) {  // \K moved the start, or nothing new: go on
      const size_t next = std::max(start, end);
      if (next >= text.size()) return;
      start = next + std::max<size_t>(1, Utf8SequenceLength(text.substr(next)));
      continue;
    }
    found(begin, end);
    start = last = end;
  }
}

std::string SplitRegex::Replace(std::string_view text, std::string_view replacement) const {
  std::string out;
  size_t last = 0;
  ForEach(text, [&](size_t begin, size_t end) {
    out += text.substr(last, begin - last);
    out += replacement;
    last = end;
  });
  out += text.substr(last);
  return out;
}

}  // namespace assay
