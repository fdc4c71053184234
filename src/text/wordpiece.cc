#include "text/wordpiece.h"

#include <algorithm>

namespace assay {
namespace {

constexpr std::string_view kGoesOn = "##";
constexpr size_t kMaxWordCharacters = 100;  // Hugging Face's default; a longer word is unknown

bool IsCharacterStart(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

}  // namespace

WordPieceModel::WordPieceModel(const TokenizerSpec& spec) : unk_(spec.drop_unknown ? -1 : spec.unk) {
  for (size_t i = 0; i < ModelTokens(spec); ++i) {
    std::string_view token = spec.tokens[i];
    if (spec.types[i] == TokenType::kUnused || token.empty()) continue;
    longest_ = std::max(longest_, token.size());
    if (token.starts_with(kGoesOn) && token.size() > kGoesOn.size())
      goes_on_.emplace(token.substr(kGoesOn.size()), static_cast<TokenId>(i));
    begins_.emplace(token, static_cast<TokenId>(i));
  }
}

void WordPieceModel::Encode(std::string_view word, std::vector<TokenId>& out) const {
  const size_t before = out.size();
  bool covered =
      std::count_if(word.begin(), word.end(), IsCharacterStart) <= static_cast<ptrdiff_t>(kMaxWordCharacters);
  for (size_t begin = 0; covered && begin < word.size();) {
    const auto& tokens = begin == 0 ? begins_ : goes_on_;
    size_t end = std::min(word.size(), begin + longest_);
    auto found = tokens.end();
    for (; end > begin; --end) {
      if (end < word.size() && !IsCharacterStart(word[end])) continue;
      found = tokens.find(word.substr(begin, end - begin));
      if (found != tokens.end()) break;
    }
    covered = found != tokens.end();
    if (covered) out.push_back(found->second);
    begin = end;
  }
  if (covered) return;
  out.resize(before);
  if (unk_ >= 0) out.push_back(unk_);
}

}  // namespace assay
