#pragma once
// WordPiece as BERT uses it: the longest token at the beginning of a word, then the longest one that goes on ("##…").

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer.h"

namespace assay {

/// Const after construction, shareable between threads.
class WordPieceModel {
 public:
  /// `spec` outlives this.
  explicit WordPieceModel(const TokenizerSpec& spec);
  /// Appends the ids of one word (valid UTF-8); a word that tokens do not cover is one unknown token.
  void Encode(std::string_view word, std::vector<TokenId>& out) const;

 private:
  std::unordered_map<std::string_view, TokenId> begins_, goes_on_;  // the latter without their ##
  size_t longest_ = 1;                                              // token, in bytes
  TokenId unk_;
};

}  // namespace assay
