#pragma once
// Byte pair encoding of one word: by ranked merges of token pairs (GPT-2, Hugging Face), or by the scores of what a
// pair spells (SentencePiece). O(n log n) in the length of the word.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "text/tokenizer.h"

namespace assay {

/// Const after construction, shareable between threads.
class BpeModel {
 public:
  /// `spec` outlives this. Throws Error{kCorrupt} for merges of pieces that the vocabulary lacks.
  BpeModel(const TokenizerSpec& spec, std::string_view where);

  /// Appends the ids of one word (plain bytes; SentencePiece: normalized text).
  void Encode(std::string_view word, std::vector<TokenId>& out) const;
  /// The id of a single byte (byte-level: its token; SentencePiece: <0xNN>), -1 when there is none.
  TokenId ByteToken(unsigned char byte) const { return byte_ids_[byte]; }
  /// Where `text` may be cut without changing a merge: before a ▁ that no token holds after the character in front of
  /// it.
  bool CanCutBefore(std::string_view text, size_t at) const;

 private:
  struct Merge {
    uint32_t rank;
    TokenId id;
  };
  struct Symbol {
    int32_t prev, next;
    uint32_t begin, length;  // length 0: merged away
    TokenId id;              // -1: not in the vocabulary
  };
  struct Candidate {
    uint32_t rank;
    int32_t left;
    uint32_t length;  // of both symbols together; tells a candidate whose symbols have changed
    TokenId id;
  };
  void AddMerges(const TokenizerSpec& spec, std::string_view where);
  void AddScores(const TokenizerSpec& spec);
  void AddJoints(const TokenizerSpec& spec);
  void EncodeUncached(std::string_view word, std::vector<TokenId>& out) const;
  void MakeSymbols(std::string_view word, std::vector<Symbol>& symbols) const;
  bool FindMerge(std::string_view word, const Symbol& left, const Symbol& right, Merge& found) const;
  void MergeAll(std::string_view word, std::vector<Symbol>& symbols) const;
  void AppendUnknown(std::string_view piece, std::vector<TokenId>& out) const;

  bool byte_level_, by_score_, byte_fallback_, ignore_merges_, fuse_unk_;
  TokenId unk_;  // -1: what cannot be said is dropped
  TokenId byte_ids_[256];
  // By what a token spells, only those that text can become. Open addressing; id -1: empty. Most look-ups miss: the
  // hash says so.
  struct Spelling {
    uint64_t hash = 0;
    TokenId id = -1;
  };
  TokenId FindSpelling(std::string_view text) const;
  void AddSpelling(std::string text, TokenId id);
  std::vector<Spelling> spellings_;
  uint64_t spelling_mask_ = 0;
  std::vector<std::string> spelled_;  // [n]
  std::vector<uint32_t> score_rank_;  // [n] best score first
  // Open addressing; key left << 32 | right, all ones: empty.
  std::vector<std::pair<uint64_t, Merge>> merges_;
  uint64_t merge_mask_ = 0;
  std::unordered_set<char32_t> joints_;  // characters that some token has in front of a ▁
  uint64_t serial_;                      // tells this model's words in the threads' caches
};

}  // namespace assay
