#include "text/bpe.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <queue>
#include <unordered_map>

#include "base/error.h"
#include "text/unicode.h"
#include "text/unigram.h"

namespace assay {
namespace {

constexpr std::string_view kMark = "\xe2\x96\x81";  // ▁
constexpr size_t kMaxWordBytes = size_t{1} << 30;
constexpr size_t kMaxMergeBytes = 1 << 14;
constexpr size_t kShortWord = 24;  // symbols; below, looking at every pair beats a queue

uint64_t Key(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}
uint64_t Mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}
uint64_t HashText(std::string_view text) {
  uint64_t hash = text.size() * 0x9e3779b97f4a7c15u;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t eight;
    std::memcpy(&eight, text.data() + i, 8);
    hash = Mix(hash ^ eight);
  }
  uint64_t rest = 0;
  if (i < text.size()) std::memcpy(&rest, text.data() + i, text.size() - i);
  return Mix(hash ^ rest);
}
constexpr uint64_t kEmptyKey = ~uint64_t{0};

// Words seen lately with their ids; one small direct-mapped table per thread, shared by all tokenizers.
struct WordCache {
  static constexpr size_t kSlots = 8192, kMaxBytes = 30, kMaxIds = 6;
  struct Slot {
    uint64_t serial = 0;
    uint8_t length = 0, n = 0;
    char text[kMaxBytes];
    TokenId ids[kMaxIds];
  };
  std::unique_ptr<Slot[]> slots = std::make_unique<Slot[]>(kSlots);

  Slot& For(uint64_t serial, std::string_view word) { return slots[(HashText(word) + serial) & (kSlots - 1)]; }
};

}  // namespace

BpeModel::BpeModel(const TokenizerSpec& spec, std::string_view where)
    : byte_level_(spec.model == TokenizerModel::kByteLevelBpe),
      by_score_(!byte_level_ && spec.merges.empty() && !spec.scores.empty()),
      byte_fallback_(spec.byte_fallback),
      ignore_merges_(spec.ignore_merges),
      fuse_unk_(spec.fuse_unk),
      unk_(spec.drop_unknown ? -1 : spec.unk) {
  static std::atomic<uint64_t> serials{0};
  serial_ = ++serials;
  std::fill(std::begin(byte_ids_), std::end(byte_ids_), -1);
  spelled_.resize(spec.tokens.size());
  spellings_.assign(std::bit_ceil(std::max<size_t>(16, spec.tokens.size() * 2)), {});
  spelling_mask_ = spellings_.size() - 1;
  std::string bytes;
  for (size_t i = 0; i < ModelTokens(spec); ++i) {
    TokenId id = static_cast<TokenId>(i);
    const std::string& token = spec.tokens[i];
    TokenType type = spec.types[i];
    if (int value = type == TokenType::kByte ? ByteTokenValue(token) : -1; value >= 0) {
      if (!byte_level_) byte_ids_[value] = id;
      continue;
    }
    if (type == TokenType::kControl || type == TokenType::kUnknown || token.empty()) continue;
    if (byte_level_) {
      // GGUF's user-defined tokens are plain text, which may look like the byte alphabet; they are found before this
      // model sees the text.
      if (type == TokenType::kUserDefined && spec.model_tokens < 0) continue;
      if (!ByteAlphabetDecode(token, bytes)) continue;
      if (bytes.size() == 1) byte_ids_[static_cast<unsigned char>(bytes[0])] = id;
      AddSpelling(bytes, id);
    } else {
      AddSpelling(token, id);
    }
  }
  if (by_score_) {
    AddScores(spec);
  } else {
    AddMerges(spec, where);
  }
  if (!byte_level_) AddJoints(spec);
}

void BpeModel::AddSpelling(std::string text, TokenId id) {
  if (FindSpelling(text) >= 0) return;
  uint64_t hash = HashText(text), slot = hash & spelling_mask_;
  while (spellings_[slot].id >= 0) slot = (slot + 1) & spelling_mask_;
  spellings_[slot] = {hash, id};
  spelled_[id] = std::move(text);
}

TokenId BpeModel::FindSpelling(std::string_view text) const {
  uint64_t hash = HashText(text);
  for (uint64_t slot = hash & spelling_mask_; spellings_[slot].id >= 0; slot = (slot + 1) & spelling_mask_)
    if (spellings_[slot].hash == hash && spelled_[spellings_[slot].id] == text) return spellings_[slot].id;
  return -1;
}

void BpeModel::AddMerges(const TokenizerSpec& spec, std::string_view where) {
  // Merges name tokens as the file writes them, special ones included.
  std::unordered_map<std::string_view, TokenId> by_text;
  by_text.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i) by_text.emplace(spec.tokens[i], static_cast<TokenId>(i));
  merges_.assign(std::bit_ceil(std::max<size_t>(16, spec.merges.size() * 2)), {kEmptyKey, {}});
  merge_mask_ = merges_.size() - 1;
  std::string joined;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const std::string& merge = spec.merges[rank];
    if (merge.size() > kMaxMergeBytes)
      Fail(ErrorKind::kCorrupt, "{}: merge {} has {} bytes", where, rank, merge.size());
    TokenId ids[3] = {-1, -1, -1};
    bool found = false;
    // Usually one space; where tokens hold spaces themselves, the cut that names three tokens is meant.
    for (size_t space = merge.find(' ', 1); space != std::string::npos && !found; space = merge.find(' ', space + 1)) {
      std::string_view left = std::string_view(merge).substr(0, space),
                       right = std::string_view(merge).substr(space + 1);
      joined.assign(left).append(right);
      auto a = by_text.find(left), b = by_text.find(right), ab = by_text.find(joined);
      if (right.empty() || a == by_text.end() || b == by_text.end() || ab == by_text.end()) continue;
      ids[0] = a->second, ids[1] = b->second, ids[2] = ab->second;
      found = true;
    }
    if (!found)
      Fail(ErrorKind::kCorrupt, "{}: merge {} \"{}\": expected two tokens of the vocabulary that join to a third",
           where, rank, merge);
    uint64_t key = Key(ids[0], ids[1]);
    uint64_t slot = Mix(key) & merge_mask_;
    while (merges_[slot].first != kEmptyKey && merges_[slot].first != key) slot = (slot + 1) & merge_mask_;
    if (merges_[slot].first == kEmptyKey) merges_[slot] = {key, {static_cast<uint32_t>(rank), ids[2]}};
  }
}

void BpeModel::AddScores(const TokenizerSpec& spec) {
  std::vector<float> distinct(spec.scores);
  std::sort(distinct.begin(), distinct.end(), std::greater<>());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  score_rank_.resize(spec.scores.size());
  for (size_t i = 0; i < spec.scores.size(); ++i)
    score_rank_[i] = static_cast<uint32_t>(
        std::lower_bound(distinct.begin(), distinct.end(), spec.scores[i], std::greater<>()) - distinct.begin());
}

void BpeModel::AddJoints(const TokenizerSpec& spec) {
  for (const std::string& token : spec.tokens) {
    for (size_t at = token.find(kMark, 1); at != std::string::npos; at = token.find(kMark, at + 1)) {
      size_t begin = at - 1;
      while (begin > 0 && (token[begin] & 0xc0) == 0x80) --begin;
      std::string_view before = std::string_view(token).substr(begin, at - begin);
      if (Utf8SequenceLength(before) == before.size()) joints_.insert(Utf8Decode(before));
    }
  }
}

bool BpeModel::CanCutBefore(std::string_view text, size_t at) const {
  if (ignore_merges_ || at == 0 || at >= text.size() || !text.substr(at).starts_with(kMark)) return false;
  size_t begin = at - 1;
  while (begin > 0 && (text[begin] & 0xc0) == 0x80) --begin;
  char32_t before = Utf8Decode(text.substr(begin, at - begin));
  // A run of unknown characters fuses into one token; it must not be cut, so only known characters end a piece.
  return !joints_.contains(before) && FindSpelling(text.substr(begin, at - begin)) >= 0;
}

void BpeModel::Encode(std::string_view word, std::vector<TokenId>& out) const {
  if (word.empty()) return;
  if (word.size() > WordCache::kMaxBytes) return EncodeUncached(word, out);
  thread_local WordCache cache;
  WordCache::Slot& slot = cache.For(serial_, word);
  if (slot.serial == serial_ && slot.length == word.size() && std::memcmp(slot.text, word.data(), word.size()) == 0) {
    out.insert(out.end(), slot.ids, slot.ids + slot.n);
    return;
  }
  size_t before = out.size();
  EncodeUncached(word, out);
  size_t n = out.size() - before;
  if (n > WordCache::kMaxIds) return;
  slot.serial = serial_;
  slot.length = static_cast<uint8_t>(word.size());
  slot.n = static_cast<uint8_t>(n);
  std::memcpy(slot.text, word.data(), word.size());
  std::copy(out.begin() + static_cast<ptrdiff_t>(before), out.end(), slot.ids);
}

void BpeModel::EncodeUncached(std::string_view word, std::vector<TokenId>& out) const {
  if (word.size() > kMaxWordBytes)
    Fail(ErrorKind::kResource, "a word of {} bytes, at most {} expected", word.size(), kMaxWordBytes);
  if (ignore_merges_) {
    if (TokenId id = FindSpelling(word); id >= 0) {
      out.push_back(id);
      return;
    }
  }
  std::vector<Symbol> symbols;
  MakeSymbols(word, symbols);
  if (symbols.empty()) return;
  MergeAll(word, symbols);
  bool unknown_before = false;
  for (int32_t i = 0; i >= 0; i = symbols[i].next) {
    const Symbol& symbol = symbols[i];
    if (symbol.id >= 0) {
      out.push_back(symbol.id);
      unknown_before = false;
    } else {
      size_t size = out.size();
      AppendUnknown(word.substr(symbol.begin, symbol.length), out);
      bool is_unk = out.size() == size + 1 && out.back() == unk_ && unk_ >= 0;
      if (is_unk && unknown_before && fuse_unk_) out.pop_back();
      unknown_before = is_unk;
    }
  }
}

void BpeModel::AppendUnknown(std::string_view piece, std::vector<TokenId>& out) const {
  bool all = byte_fallback_;
  for (char c : piece) all = all && byte_ids_[static_cast<unsigned char>(c)] >= 0;
  if (all) {
    for (char c : piece) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  } else if (unk_ >= 0) {
    out.push_back(unk_);
  }
}

void BpeModel::MakeSymbols(std::string_view word, std::vector<Symbol>& symbols) const {
  symbols.reserve(word.size());
  auto add = [&](size_t begin, size_t length, TokenId id) {
    int32_t index = static_cast<int32_t>(symbols.size());
    symbols.push_back({index - 1, index + 1, static_cast<uint32_t>(begin), static_cast<uint32_t>(length), id});
  };
  for (size_t i = 0; i < word.size();) {
    if (byte_level_) {
      TokenId id = byte_ids_[static_cast<unsigned char>(word[i])];
      if (id >= 0) {
        add(i, 1, id);
      } else if (unk_ >= 0) {
        if (fuse_unk_ && !symbols.empty() && symbols.back().id == unk_) {
          ++symbols.back().length;
        } else {
          add(i, 1, unk_);
        }
      }
      ++i;
      continue;
    }
    size_t length = std::max<size_t>(1, Utf8SequenceLength(word.substr(i)));
    TokenId whole = FindSpelling(word.substr(i, length));
    bool bytes = !by_score_ && byte_fallback_ && whole < 0;
    for (size_t b = 0; b < length && bytes; ++b) bytes = byte_ids_[static_cast<unsigned char>(word[i + b])] >= 0;
    if (bytes) {
      for (size_t b = 0; b < length; ++b) add(i + b, 1, byte_ids_[static_cast<unsigned char>(word[i + b])]);
    } else {
      add(i, length, whole);
    }
    i += length;
  }
  if (!symbols.empty()) symbols.back().next = -1;
}

bool BpeModel::FindMerge(std::string_view word, const Symbol& left, const Symbol& right, Merge& found) const {
  if (by_score_) {
    TokenId id = FindSpelling(word.substr(left.begin, left.length + right.length));
    if (id < 0) return false;
    found = {score_rank_[id], id};
    return true;
  }
  if (left.id < 0 || right.id < 0) return false;
  uint64_t key = Key(left.id, right.id);
  for (uint64_t slot = Mix(key) & merge_mask_; merges_[slot].first != kEmptyKey; slot = (slot + 1) & merge_mask_) {
    if (merges_[slot].first == key) {
      found = merges_[slot].second;
      return true;
    }
  }
  return false;
}

void BpeModel::MergeAll(std::string_view word, std::vector<Symbol>& symbols) const {
  auto join = [&](Symbol& left, TokenId id) {
    Symbol& right = symbols[left.next];
    left.length += right.length;
    left.id = id;
    left.next = right.next;
    right.length = 0;
    if (left.next >= 0) symbols[left.next].prev = static_cast<int32_t>(&left - symbols.data());
  };
  Merge merge;
  if (symbols.size() <= kShortWord) {
    std::array<Merge, kShortWord> pair;  // of symbol i with its next one
    constexpr Merge kNone{UINT32_MAX, -1};
    auto look = [&](int32_t i) {
      pair[i] = kNone;
      if (symbols[i].next >= 0 && FindMerge(word, symbols[i], symbols[symbols[i].next], merge)) pair[i] = merge;
    };
    for (size_t i = 0; i < symbols.size(); ++i) look(static_cast<int32_t>(i));
    for (;;) {
      int32_t best = 0;
      for (int32_t i = symbols[0].next; i >= 0; i = symbols[i].next)
        if (pair[i].rank < pair[best].rank) best = i;
      if (pair[best].id < 0) return;
      join(symbols[best], pair[best].id);
      look(best);
      if (symbols[best].prev >= 0) look(symbols[best].prev);
    }
  }
  auto later = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  std::priority_queue<Candidate, std::vector<Candidate>, decltype(later)> queue(later);
  auto offer = [&](int32_t left) {
    if (left < 0 || symbols[left].next < 0) return;
    const Symbol &a = symbols[left], &b = symbols[a.next];
    if (FindMerge(word, a, b, merge)) queue.push({merge.rank, left, a.length + b.length, merge.id});
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) offer(static_cast<int32_t>(i));
  while (!queue.empty()) {
    Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.left];
    if (left.length == 0 || left.next < 0 || left.length + symbols[left.next].length != top.length) continue;
    join(left, top.id);
    offer(top.left);
    offer(left.prev);
  }
}

}  // namespace assay
