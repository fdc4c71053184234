#pragma once
// Cutting text into the words that a model's merges or scores work within.

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace assay {

/// GPT-2's splitting expression, which ByteLevel implies.
extern const std::string_view kGpt2Regex;

/// Const after construction, shareable between threads.
class PreTokenizer {
 public:
  /// The words of one text; the views live as long as this and the text do.
  struct Words {
    std::vector<std::string_view> pieces;
    std::deque<std::string> rewritten;
  };

  /// Throws Error{kCorrupt|kUnsupported} for bad patterns.
  PreTokenizer(const std::vector<PreTokenizerStep>& steps, std::string_view where);
  ~PreTokenizer();

  /// `text` must be valid UTF-8. `at_start`: it is the beginning of what the user gave. Words are in plain bytes, never
  /// in GPT-2's byte alphabet, and never empty.
  Words Apply(std::string_view text, bool at_start) const;

 private:
  struct Step;
  std::vector<Step> steps_;
};

}  // namespace assay
