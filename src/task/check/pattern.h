#pragma once
// Regular expressions of task files (PCRE2, UTF, with limits on work and depth). \d is 0 to 9, lines end with CR, LF or
// both, and canonical equivalents are the same: a pattern is tried on the composed text (NFC) and on the text as it is.

#include <memory>
#include <string>
#include <string_view>

#include "schema/work.h"

namespace assay {

enum class PatternResult { kMatch, kNoMatch, kLimit };

class Pattern {  // const after construction; may be shared by threads
 public:
  /// whole: the pattern must cover the whole text. Throws FieldError (field empty) with PCRE2's reason and offset.
  Pattern(const std::string& pattern, bool ignore_case, bool whole);
  /// Invalid UTF-8 in `text` is replaced first.
  PatternResult Match(std::string_view text) const;
  /// The same out of the work that the check has left; kLimit when it is used up.
  PatternResult Match(std::string_view text, Work& work) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace assay
