#pragma once
// Finding added tokens in text.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace assay {

/// Const after construction, shareable between threads.
class AddedTokenMatcher {
 public:
  /// A part of a text: an added token (id >= 0) or what lies between.
  struct Part {
    size_t begin, end;
    TokenId id;
  };
  /// `content` is what `token` looks like in the text that will be searched; empty contents are never found, of equal
  /// ones the first is.
  void Add(std::string content, const AddedToken& token);
  /// After the last Add and before the first Find.
  void Finish();
  bool empty() const { return tokens_.empty(); }
  /// Leftmost, longest match, as in Hugging Face `tokenizers`. With `parse_special` false, special tokens are passed
  /// over as plain text.
  std::vector<Part> Find(std::string_view text, bool parse_special) const;

 private:
  const AddedToken* LongestAt(std::string_view text, size_t begin, size_t& length) const;

  // Sorted by content, so that what shares a beginning with the text is a range that shrinks byte by byte.
  std::vector<std::pair<std::string, AddedToken>> tokens_;
  uint32_t first_[257] = {};  // where the tokens with a first byte begin
};

}  // namespace assay
