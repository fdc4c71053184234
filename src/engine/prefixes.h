#pragma once
// What ended requests remember, for those that begin alike. They share their pages (model/sequence.h): a beginning is
// there once, however many went on from it.

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "model/sequence.h"

namespace assay {

/// Not safe for use by several threads at once.
class Prefixes {
 public:
  /// Takes in a sequence and the tokens that it holds. One whose beginning it is, or that is its beginning, may be let
  /// go for it.
  void Keep(std::vector<int32_t> tokens, std::unique_ptr<Sequence> sequence);

  struct Match {
    const Sequence* sequence = nullptr;  // null: none
    int64_t length = 0;                  // restorable
  };
  /// The sequence from which most tokens of the prompt's beginning can be taken over, which counts as use. It stays
  /// until the next Keep or LetGo.
  Match Longest(std::span<const int32_t> prompt, bool long_rope);

  /// Shortens the sequence whose use is longest ago by a page, or lets it go where it cannot go back; `but` stays.
  /// False: there is no other.
  bool LetGo(const Sequence* but = nullptr);

  size_t size() const { return kept_.size(); }
  /// Of all sequences beside their pages.
  int64_t fixed_bytes() const { return fixed_bytes_; }

 private:
  // In the order of a dictionary: from the place of a prompt in either direction, what is in common only shrinks.
  using Key = std::pair<bool, std::vector<int32_t>>;  // long_rope, tokens
  struct Kept;
  using Map = std::map<Key, Kept>;
  struct Kept {
    std::unique_ptr<Sequence> sequence;
    std::list<Map::iterator>::iterator place;
  };
  void Put(Key key, std::unique_ptr<Sequence> sequence, bool oldest);
  std::unique_ptr<Sequence> Take(Map::iterator from);

  Map kept_;
  std::list<Map::iterator> order_;  // of use, the last one last
  int64_t fixed_bytes_ = 0;
};

/// How many tokens both begin with.
size_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b);

}  // namespace assay
