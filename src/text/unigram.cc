#include "text/unigram.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {
namespace {

// SentencePiece's penalty below the worst score for a character that no token says.
constexpr double kUnknownPenalty = 10.0;

}  // namespace

int ByteTokenValue(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (char c : token.substr(3, 2)) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

UnigramModel::UnigramModel(const TokenizerSpec& spec, std::string_view where)
    : scores_(spec.scores),
      unk_(spec.drop_unknown ? -1 : spec.unk),
      byte_fallback_(spec.byte_fallback),
      fuse_unk_(spec.fuse_unk) {
  if (scores_.size() != spec.tokens.size())
    Fail(ErrorKind::kCorrupt, "{}: unigram model: expected a score for each of {} tokens, found {}", where,
         spec.tokens.size(), scores_.size());
  std::fill(std::begin(byte_ids_), std::end(byte_ids_), -1);
  double worst = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < ModelTokens(spec); ++i) {
    TokenType type = spec.types[i];
    int byte = type == TokenType::kByte ? ByteTokenValue(spec.tokens[i]) : -1;
    if (byte >= 0) byte_ids_[byte] = static_cast<TokenId>(i);
    if (type == TokenType::kNormal) worst = std::min(worst, static_cast<double>(scores_[i]));
    if ((type == TokenType::kNormal || type == TokenType::kUserDefined) && !spec.tokens[i].empty())
      sorted_.emplace_back(spec.tokens[i], static_cast<TokenId>(i));
  }
  unknown_score_ = (sorted_.empty() ? 0.0 : worst) - kUnknownPenalty;
  std::sort(sorted_.begin(), sorted_.end());
  first_.assign(257, 0);
  for (const auto& [text, id] : sorted_) ++first_[static_cast<unsigned char>(text[0]) + 1];
  for (size_t b = 0; b < 256; ++b) first_[b + 1] += first_[b];
}

void UnigramModel::Encode(std::string_view text, std::vector<TokenId>& out) const {
  struct Node {
    double score = -std::numeric_limits<double>::infinity();
    uint32_t begin = 0;
    TokenId id = -2;  // -1: an unknown character
  };
  if (text.empty()) return;
  if (text.size() >= std::numeric_limits<uint32_t>::max())
    Fail(ErrorKind::kResource, "a text of {} bytes for the unigram model", text.size());
  std::vector<Node> best(text.size() + 1);
  best[0].score = 0;
  for (size_t i = 0; i < text.size();) {
    size_t length = std::max<size_t>(1, Utf8SequenceLength(text.substr(i)));
    auto offer = [&](size_t end, double score, TokenId id) {
      Node& node = best[end];
      if (node.id == -2 || score > node.score) node = {score, static_cast<uint32_t>(i), id};
    };
    // The tokens that share ever longer beginnings with the text from here are a shrinking range of the sorted list.
    unsigned char head = static_cast<unsigned char>(text[i]);
    auto low = sorted_.begin() + first_[head], high = sorted_.begin() + first_[head + 1];
    bool single = false;
    for (size_t depth = 1; low != high; ++depth) {
      for (; low != high && low->first.size() == depth; ++low) {
        single = single || depth == length;
        offer(i + depth, best[i].score + static_cast<double>(scores_[low->second]), low->second);
      }
      if (i + depth >= text.size()) break;
      unsigned char byte = static_cast<unsigned char>(text[i + depth]);
      auto at = [depth](const auto& entry) { return static_cast<unsigned char>(entry.first[depth]); };
      low = std::partition_point(low, high, [&](const auto& entry) { return at(entry) < byte; });
      high = std::partition_point(low, high, [&](const auto& entry) { return at(entry) <= byte; });
    }
    if (!single) offer(i + length, best[i].score + unknown_score_, -1);
    i += length;
  }
  struct Piece {
    size_t begin, end;
    TokenId id;
  };
  std::vector<Piece> path;
  for (size_t end = text.size(); end > 0; end = best[end].begin) path.push_back({best[end].begin, end, best[end].id});
  bool unknown_before = false;
  for (size_t p = path.size(); p-- > 0;) {
    if (path[p].id >= 0) {
      out.push_back(path[p].id);
      unknown_before = false;
      continue;
    }
    std::string_view piece = text.substr(path[p].begin, path[p].end - path[p].begin);
    bool bytes = byte_fallback_;
    for (char c : piece) bytes = bytes && byte_ids_[static_cast<unsigned char>(c)] >= 0;
    if (bytes) {
      for (char c : piece) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
    } else if (unk_ >= 0 && !(unknown_before && fuse_unk_)) {
      out.push_back(unk_);
    }
    unknown_before = !bytes;
  }
}

}  // namespace assay
