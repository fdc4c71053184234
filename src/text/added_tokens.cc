#include "text/added_tokens.h"

#include <algorithm>
#include <iterator>

#include "text/unicode.h"

namespace assay {
namespace {

// The character that ends just before `at`, 0 at the beginning or where the bytes are no UTF-8. `length` is its length
// in bytes.
char32_t CharacterBefore(std::string_view text, size_t at, size_t& length) {
  length = 0;
  if (at == 0) return 0;
  size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && (text[begin] & 0xc0) == 0x80) --begin;
  std::string_view last = text.substr(begin, at - begin);
  if (Utf8SequenceLength(last) != last.size()) return 0;
  length = last.size();
  return Utf8Decode(last);
}

char32_t CharacterAt(std::string_view text, size_t at, size_t& length) {
  length = Utf8SequenceLength(text.substr(at));
  return length == 0 ? 0 : Utf8Decode(text.substr(at, length));
}

}  // namespace

void AddedTokenMatcher::Add(std::string content, const AddedToken& token) {
  if (content.empty()) return;
  tokens_.emplace_back(std::move(content), token);
}

void AddedTokenMatcher::Finish() {
  auto less = [](const auto& a, const auto& b) { return a.first < b.first; };
  auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  std::stable_sort(tokens_.begin(), tokens_.end(), less);
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), same), tokens_.end());
  std::fill(std::begin(first_), std::end(first_), 0);
  for (const auto& [content, token] : tokens_) ++first_[static_cast<unsigned char>(content[0]) + 1];
  for (size_t b = 0; b < 256; ++b) first_[b + 1] += first_[b];
}

const AddedToken* AddedTokenMatcher::LongestAt(std::string_view text, size_t begin, size_t& length) const {
  unsigned char head = static_cast<unsigned char>(text[begin]);
  auto low = tokens_.begin() + first_[head], high = tokens_.begin() + first_[head + 1];
  const AddedToken* found = nullptr;
  for (size_t depth = 1; low != high; ++depth) {
    if (low->first.size() == depth) {
      found = &low->second;
      length = depth;
      ++low;
    }
    if (begin + depth >= text.size()) break;
    unsigned char byte = static_cast<unsigned char>(text[begin + depth]);
    auto at = [depth](const auto& entry) { return static_cast<unsigned char>(entry.first[depth]); };
    low = std::partition_point(low, high, [&](const auto& entry) { return at(entry) < byte; });
    high = std::partition_point(low, high, [&](const auto& entry) { return at(entry) <= byte; });
  }
  return found;
}

std::vector<AddedTokenMatcher::Part> AddedTokenMatcher::Find(std::string_view text, bool parse_special) const {
  std::vector<Part> parts;
  size_t done = 0;  // everything before is in `parts`
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    const AddedToken* found = LongestAt(text, i, length);
    if (!found) {
      ++i;
      continue;
    }
    size_t begin = i, end = i + length, step = 0;
    i = end;
    if (found->special && !parse_special) continue;
    if (found->single_word) {
      if (IsWordChar(CharacterBefore(text, begin, step))) continue;
      if (end < text.size() && IsWordChar(CharacterAt(text, end, step))) continue;
    }
    if (found->lstrip) begin = std::max(begin, done);
    while (found->lstrip && begin > done && IsWhiteSpace(CharacterBefore(text, begin, step))) begin -= step;
    while (found->rstrip && end < text.size() && IsWhiteSpace(CharacterAt(text, end, step))) end += step;
    if (done < begin) parts.push_back({done, begin, -1});
    if (begin < end) parts.push_back({begin, end, found->id});
    done = end;  // the search goes on behind the token, in what it swallowed too
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
  return parts;
}

}  // namespace assay
