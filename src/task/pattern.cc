#include "task/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/core.h>
#include <pcre2.h>
#include <utf8proc.h>

#include "base/error.h"
#include "task/check.h"

namespace assay {
namespace {

constexpr size_t kMaxPatternBytes = 16384;
constexpr uint32_t kMatchLimit = 2'000'000;  // a second or so at worst
constexpr uint32_t kHeapLimitKib = 65536;

struct Free {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};

}  // namespace

struct Pattern::Code {
  std::unique_ptr<pcre2_code, Free> code;
  std::unique_ptr<pcre2_match_context, Free> context;
};

Pattern::Pattern(const std::string& pattern, bool ignore_case, bool whole) {
  if (pattern.size() > kMaxPatternBytes)
    throw FieldError{"", fmt::format("a pattern may have {} bytes, found {}", kMaxPatternBytes, pattern.size())};
  uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  if (ignore_case) options |= PCRE2_CASELESS;
  if (whole) options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
  int error = 0;
  size_t offset = 0;
  auto compiled = std::make_shared<Code>();
  compiled->code.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &offset, nullptr));
  if (!compiled->code) {
    unsigned char message[256] = {};
    pcre2_get_error_message(error, message, sizeof message);
    throw FieldError{
        "", fmt::format("not a regular expression: {} (at byte {})", reinterpret_cast<const char*>(message), offset)};
  }
  compiled->context.reset(pcre2_match_context_create(nullptr));
  ASSAY_CHECK(compiled->context != nullptr);
  pcre2_set_match_limit(compiled->context.get(), kMatchLimit);
  pcre2_set_heap_limit(compiled->context.get(), kHeapLimitKib);
  code_ = std::move(compiled);
}

PatternResult Pattern::Match(std::string_view text) const {
  std::string valid = ValidUtf8(text);
  std::unique_ptr<pcre2_match_data, Free> data(pcre2_match_data_create(1, nullptr));
  ASSAY_CHECK(data != nullptr);
  int result = pcre2_match(code_->code.get(), reinterpret_cast<PCRE2_SPTR>(valid.data()), valid.size(), 0,
                           PCRE2_NO_UTF_CHECK, data.get(), code_->context.get());
  if (result >= 0) return PatternResult::kMatch;
  if (result == PCRE2_ERROR_NOMATCH) return PatternResult::kNoMatch;
  return PatternResult::kLimit;  // match, depth or heap limit; nothing else can happen with checked text
}

std::string ValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t character = 0;
    utf8proc_ssize_t size = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    if (size > 0) {
      out.append(text.substr(at, static_cast<size_t>(size)));
      at += static_cast<size_t>(size);
    } else {
      out += "\xEF\xBF\xBD";
      ++at;
    }
  }
  return out;
}

}  // namespace assay
