#pragma once
// A PCRE2 search whose work is bounded in total. PCRE2's own match limit counts from anew at each place where a match
// may begin, so that a pattern that explodes costs the limit times the length of the text, and it counts no characters
// that are scanned.

#include <cstdint>
#include <string_view>

#include "schema/work.h"

namespace assay {

/// Options that a pattern must be compiled with to be counted.
uint32_t BoundedMatchOptions();

/// pcre2_match of `code` (a pcre2_code) from the beginning of `text`: its result, PCRE2_ERROR_MATCHLIMIT when `work` is
/// used up. Groups are not told.
int BoundedMatch(const void* code, std::string_view text, uint32_t options, Work& work);

}  // namespace assay
