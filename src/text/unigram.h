#pragma once
// SentencePiece unigram: the segmentation with the best sum of log-probabilities (Kudo 2018, arXiv 1804.10959), by
// Viterbi search.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace assay {

/// Const after construction, shareable between threads.
class UnigramModel {
 public:
  /// `spec` must have scores; Error{kCorrupt} otherwise.
  UnigramModel(const TokenizerSpec& spec, std::string_view where);
  /// Appends the ids of a normalized text (valid UTF-8).
  void Encode(std::string_view text, std::vector<TokenId>& out) const;
  TokenId ByteToken(unsigned char byte) const { return byte_ids_[byte]; }

 private:
  std::vector<std::pair<std::string, TokenId>> sorted_;  // by bytes
  std::vector<uint32_t> first_;                          // [257] where the tokens with a first byte begin
  std::vector<float> scores_;                            // [n]
  double unknown_score_ = 0;
  TokenId unk_;
  bool byte_fallback_, fuse_unk_;
  TokenId byte_ids_[256];
};

/// The value of a byte token's name `<0xNN>`, -1 when it is none.
int ByteTokenValue(std::string_view token);

}  // namespace assay
