#pragma once
// Regular expressions as tokenizer files write them (Oniguruma's dialect), run by PCRE2 with its JIT and under match
// limits.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

/// Const after construction, shareable between threads.
class SplitRegex {
 public:
  /// Throws Error{kCorrupt} for a malformed pattern, Error{kUnsupported} for what PCRE2 means differently.
  SplitRegex(std::string_view pattern, std::string_view where);
  ~SplitRegex();
  SplitRegex(SplitRegex&&) noexcept;
  SplitRegex& operator=(SplitRegex&&) noexcept;

  /// Calls `found(begin, end)` for every non-overlapping match, left to right; empty ones too, but right behind another
  /// match. `text` must be valid UTF-8. Throws Error{kResource} when the match limit is hit.
  void ForEach(std::string_view text, const std::function<void(size_t, size_t)>& found) const;
  /// Every match replaced by the literal `replacement`.
  std::string Replace(std::string_view text, std::string_view replacement) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace assay
