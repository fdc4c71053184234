#include "task/check/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/core.h>
#include <pcre2.h>

#include <algorithm>

#include "base/error.h"
#include "dialect/answer_text.h"
#include "schema/bounded_match.h"
#include "task/check/check.h"

namespace assay {
namespace {

constexpr size_t kMaxPatternBytes = 16384;

struct Free {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
};

// \d as the digits 0 to 9, which is what 2026-05-01 is written with and what programs read; PCRE2 takes the digits of
// every script where \w is Unicode's, and has no switch for it before 10.43.
std::string WithAsciiDigits(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  size_t class_begin = 0;  // where ] is still a character of the class
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      char next = pattern[++i];
      if (next == 'd' || next == 'D') {
        std::string_view ranges = next == 'd' ? "0-9" : "\\x{0}-\\x{2f}\\x{3a}-\\x{10ffff}";
        out += in_class ? std::string(ranges) : fmt::format("[{}]", ranges);
      } else if (next == 'Q') {
        size_t end = std::min(pattern.find("\\E", i), pattern.size());
        out.append("\\").append(pattern.substr(i, end - i));
        i = end - 1;
      } else {
        (out += c) += next;
      }
      continue;
    }
    if (!in_class && c == '[') {
      in_class = true;
      class_begin = i + 1;
      if (class_begin < pattern.size() && pattern[class_begin] == '^') ++class_begin;
    } else if (in_class && c == '[' && i + 1 < pattern.size() && pattern[i + 1] == ':') {
      if (size_t end = pattern.find(":]", i + 2); end != std::string_view::npos) {  // [:alpha:]
        out.append(pattern.substr(i, end + 1 - i));
        i = end + 1;
        c = ']';
      }
    } else if (c == ']' && i != class_begin) {
      in_class = false;
    }
    out += c;
  }
  return out;
}

std::unique_ptr<pcre2_code, Free> Compile(const std::string& pattern, uint32_t options) {
  std::unique_ptr<pcre2_compile_context, Free> context(pcre2_compile_context_create(nullptr));
  ASSAY_CHECK(context != nullptr);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_ANYCRLF);  // $ of (?m) stands before CR LF as well
  int error = 0;
  size_t offset = 0;
  std::unique_ptr<pcre2_code, Free> code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                                       options, &error, &offset, context.get()));
  if (code) return code;
  unsigned char message[256] = {};
  pcre2_get_error_message(error, message, sizeof message);
  throw FieldError{"",
                   fmt::format("not a regular expression: {} (at byte {} of {}); \\\\ before a mark takes it literally",
                               reinterpret_cast<const char*>(message), offset, Quote(pattern, 100))};
}

}  // namespace

struct Pattern::Code {
  // As written, and in composed form where that is another text.
  std::vector<std::unique_ptr<pcre2_code, Free>> forms;

  static PatternResult Match(const pcre2_code* code, const std::string& text, Work& work) {
    const int result = BoundedMatch(code, text, PCRE2_NO_UTF_CHECK, work);
    if (result >= 0) return PatternResult::kMatch;
    if (result == PCRE2_ERROR_NOMATCH) return PatternResult::kNoMatch;
    return PatternResult::kLimit;  // match, depth or heap limit; nothing else can happen with checked text
  }
};

Pattern::Pattern(const std::string& pattern, bool ignore_case, bool whole) {
  if (pattern.size() > kMaxPatternBytes)
    throw FieldError{"", fmt::format("expected a pattern of at most {} bytes, found {}: shorten it", kMaxPatternBytes,
                                     pattern.size())};
  uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | BoundedMatchOptions();
  if (ignore_case) options |= PCRE2_CASELESS;
  if (whole) options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
  Compile(pattern, options);  // for the place of a mistake
  auto compiled = std::make_shared<Code>();
  compiled->forms.push_back(Compile(WithAsciiDigits(pattern), options));
  if (std::string composed = Composed(pattern); composed != pattern)
    compiled->forms.push_back(Compile(WithAsciiDigits(composed), options));
  code_ = std::move(compiled);
}

PatternResult Pattern::Match(std::string_view text) const {
  Work work;
  return Match(text, work);
}

PatternResult Pattern::Match(std::string_view text, Work& work) const {
  std::string valid = ValidUtf8(text), composed = Composed(valid);
  PatternResult result = Code::Match(code_->forms.back().get(), composed, work);
  if (result != PatternResult::kNoMatch || (composed == valid && code_->forms.size() == 1)) return result;
  return Code::Match(code_->forms.front().get(), valid, work);
}

}  // namespace assay
