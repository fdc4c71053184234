#include "text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <variant>

#include "base/error.h"
#include "base/strings.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"
#include "text/unicode.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

namespace assay {
namespace {

constexpr std::string_view kMark = "\xe2\x96\x81";  // ▁
constexpr size_t kMaxTokens = 4'000'000;
constexpr size_t kMaxTokenBytes = 4096;
constexpr size_t kMaxAdded = 1'000'000;
// Distinct lengths of added tokens cost a look-up each wherever their first byte stands.
constexpr size_t kMaxAddedBytes = 1024;

void ValidateSpec(const TokenizerSpec& spec, std::string_view where) {
  size_t n = spec.tokens.size();
  if (n == 0) Fail(ErrorKind::kCorrupt, "{}: the vocabulary is empty", where);
  if (n > kMaxTokens) Fail(ErrorKind::kCorrupt, "{}: {} tokens, at most {} expected", where, n, kMaxTokens);
  if (spec.types.size() != n)
    Fail(ErrorKind::kCorrupt, "{}: expected {} token types, found {}", where, n, spec.types.size());
  if (!spec.scores.empty() && spec.scores.size() != n)
    Fail(ErrorKind::kCorrupt, "{}: expected {} token scores, found {}", where, n, spec.scores.size());
  for (size_t i = 0; i < n; ++i) {
    if (spec.tokens[i].size() > kMaxTokenBytes)
      Fail(ErrorKind::kCorrupt, "{}: token {} has {} bytes, at most {} expected", where, i, spec.tokens[i].size(),
           kMaxTokenBytes);
    auto type = static_cast<unsigned>(spec.types[i]);
    if (type < 1 || type > 6) Fail(ErrorKind::kCorrupt, "{}: token {}: type {} does not exist", where, i, type);
    if (!spec.scores.empty() && !std::isfinite(spec.scores[i]))
      Fail(ErrorKind::kCorrupt, "{}: token {}: its score is not a finite number", where, i);
  }
  auto in_range = [&](TokenId id, const char* name) {
    if (id < -1 || id >= static_cast<int64_t>(n))
      Fail(ErrorKind::kCorrupt, "{}: {} token {} is outside the vocabulary of {}", where, name, id, n);
  };
  in_range(spec.bos, "BOS"), in_range(spec.eos, "EOS"), in_range(spec.unk, "unknown"), in_range(spec.pad, "padding");
  in_range(spec.eot, "end-of-turn"), in_range(spec.eom, "end-of-message");
  for (const TokenId id : spec.after_bos) in_range(id, "second BOS");
  for (const TokenId id : spec.ends) in_range(id, "end-of-generation");
  if (spec.model_tokens > static_cast<int64_t>(n))
    Fail(ErrorKind::kCorrupt, "{}: {} tokens of the model in a vocabulary of {}", where, spec.model_tokens, n);
  if (spec.add_bos && spec.bos < 0)
    Fail(ErrorKind::kCorrupt, "{}: a BOS token is to be added, but there is none", where);
  if (spec.add_eos && spec.eos < 0)
    Fail(ErrorKind::kCorrupt, "{}: an EOS token is to be added, but there is none", where);
  if (spec.added.size() > kMaxAdded)
    Fail(ErrorKind::kCorrupt, "{}: {} added tokens, at most {} expected", where, spec.added.size(), kMaxAdded);
  for (const AddedToken& added : spec.added) {
    if (added.id < 0) Fail(ErrorKind::kCorrupt, "{}: added token \"{}\" has id {}", where, added.content, added.id);
    in_range(added.id, "added");
    if (added.content.size() > kMaxAddedBytes)
      Fail(ErrorKind::kCorrupt, "{}: added token {} has {} bytes, at most {} expected", where, added.id,
           added.content.size(), kMaxAddedBytes);
  }
  bool bpe_from_scores = spec.model == TokenizerModel::kSentencePieceBpe && !spec.scores.empty();
  if (spec.merges.empty() && spec.model == TokenizerModel::kSentencePieceBpe && !bpe_from_scores)
    Fail(ErrorKind::kCorrupt, "{}: SentencePiece BPE needs scores or merges", where);
  for (const PreTokenizerStep& step : spec.pre_steps) {
    if (step.kind == PreTokenizerStep::Kind::kMetaspace && step.pattern != kMark)
      Fail(ErrorKind::kUnsupported, "{}: Metaspace with \"{}\" in place of spaces", where, step.pattern);
    if (step.kind == PreTokenizerStep::Kind::kByteLevel && spec.model != TokenizerModel::kByteLevelBpe)
      Fail(ErrorKind::kUnsupported, "{}: ByteLevel pre-tokenizer with a model that is not byte-level BPE", where);
  }
}

bool IsSpecialType(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUnknown;
}

}  // namespace

struct Tokenizer::Impl {
  TokenizerSpec spec;
  std::optional<Normalizer> normalizer;
  std::optional<PreTokenizer> pre_tokenizer;
  std::variant<std::monostate, BpeModel, UnigramModel, WordPieceModel> model;
  AddedTokenMatcher added_raw, added_normalized;
  std::unordered_map<std::string_view, TokenId> by_name;  // views into spec
  std::vector<uint8_t> flags;                             // [n] kSpecial | kAdded
  bool strip_leading_space = false, cut_at_marks = false;
  bool marks_beginning = false;  // Metaspace, "first"

  static constexpr uint8_t kSpecial = 1, kAdded = 2;

  void EncodeWord(std::string_view word, std::vector<TokenId>& out) const {
    if (const auto* unigram = std::get_if<UnigramModel>(&model)) return unigram->Encode(word, out);
    if (const auto* pieces = std::get_if<WordPieceModel>(&model)) return pieces->Encode(word, out);
    const BpeModel& bpe = std::get<BpeModel>(model);
    if (!cut_at_marks) return bpe.Encode(word, out);
    size_t begin = 0;
    // Before a run of marks, never inside it.
    for (size_t at = word.find(kMark, 1); at != std::string_view::npos; at = word.find(kMark, at + 1)) {
      bool run = at >= kMark.size() && word.substr(at - kMark.size(), kMark.size()) == kMark;
      if (run || !bpe.CanCutBefore(word, at)) continue;
      bpe.Encode(word.substr(begin, at - begin), out);
      begin = at;
    }
    bpe.Encode(word.substr(begin), out);
  }

  void EncodeNormalized(std::string_view text, bool at_start, bool parse_special, std::vector<TokenId>& out) const {
    auto plain = [&](std::string_view part, bool start) {
      for (std::string_view word : pre_tokenizer->Apply(part, start).pieces) EncodeWord(word, out);
    };
    if (added_normalized.empty()) return plain(text, at_start);
    for (const auto& part : added_normalized.Find(text, parse_special)) {
      if (part.id >= 0) {
        out.push_back(part.id);
      } else {
        plain(text.substr(part.begin, part.end - part.begin), at_start && part.begin == 0);
      }
    }
  }

  // Text between added tokens. What is not UTF-8 goes in byte by byte.
  void EncodePlain(std::string_view text, bool at_start, bool parse_special, std::vector<TokenId>& out) const {
    while (!text.empty()) {
      size_t valid = ValidUtf8Prefix(text);
      if (valid > 0) {
        std::string_view run = text.substr(0, valid);
        if (normalizer->empty()) {
          EncodeNormalized(run, at_start, parse_special, out);
        } else {
          const std::string normalized = normalizer->Apply(run);
          // The first character adds nothing: it was removed, and what is left does not begin the text.
          const bool removed =
              at_start && marks_beginning && normalized == normalizer->Apply(run.substr(Utf8SequenceLength(run)));
          EncodeNormalized(normalized, at_start && !removed, parse_special, out);
        }
        text.remove_prefix(valid);
        at_start = false;
      }
      for (; !text.empty() && Utf8SequenceLength(text) == 0; text.remove_prefix(1), at_start = false) {
        auto byte = static_cast<unsigned char>(text[0]);
        TokenId id = std::visit(
            [&](const auto& m) {
              if constexpr (requires { m.ByteToken(byte); }) return m.ByteToken(byte);
              return TokenId{-1};
            },
            model);
        if (id < 0 && !spec.drop_unknown) id = spec.unk;
        if (id >= 0) out.push_back(id);
      }
    }
  }

  void AppendPiece(TokenId id, std::string& out) const {
    const std::string& token = spec.tokens[id];
    const TokenType type = spec.types[id];
    if (spec.model == TokenizerModel::kWordPiece) {  // a space before every word that does not begin the text
      bool goes_on = token.starts_with("##");
      if (!goes_on && !out.empty()) out += ' ';
      out += std::string_view(token).substr(goes_on ? 2 : 0);
      return;
    }
    if (flags[id] & (kSpecial | kAdded)) {
      // User-defined pieces of SentencePiece may hold marks; control tokens are names.
      if (spec.model == TokenizerModel::kByteLevelBpe || (flags[id] & kSpecial)) {
        out += token;
        return;
      }
    }
    if (spec.model == TokenizerModel::kByteLevelBpe) {
      std::string bytes;
      out += ByteAlphabetDecode(token, bytes) ? bytes : token;
      return;
    }
    if (int byte = type == TokenType::kByte ? ByteTokenValue(token) : -1; byte >= 0) {
      out += static_cast<char>(byte);
      return;
    }
    for (size_t i = 0; i < token.size();) {
      if (std::string_view(token).substr(i).starts_with(kMark)) {
        out += ' ';
        i += kMark.size();
      } else {
        out += token[i++];
      }
    }
  }
};

Tokenizer::Tokenizer() : impl_(std::make_unique<Impl>()) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::Create(TokenizerSpec spec, std::string_view where) {
  ValidateSpec(spec, where);
  std::shared_ptr<Tokenizer> made(new Tokenizer);
  Impl& impl = *made->impl_;
  impl.spec = std::move(spec);
  const TokenizerSpec& s = impl.spec;
  impl.normalizer.emplace(s.normalizer, where);
  impl.pre_tokenizer.emplace(s.pre_steps, where);
  if (s.model == TokenizerModel::kUnigram) {
    impl.model.emplace<UnigramModel>(s, where);
  } else if (s.model == TokenizerModel::kWordPiece) {
    impl.model.emplace<WordPieceModel>(s);
  } else {
    impl.model.emplace<BpeModel>(s, where);
  }
  impl.flags.assign(s.tokens.size(), 0);
  impl.by_name.reserve(s.tokens.size());
  for (size_t i = 0; i < s.tokens.size(); ++i) {
    impl.by_name.emplace(s.tokens[i], static_cast<TokenId>(i));
    if (IsSpecialType(s.types[i])) impl.flags[i] |= Impl::kSpecial;
    if (s.types[i] == TokenType::kUserDefined) impl.flags[i] |= Impl::kAdded;
  }
  for (const AddedToken& added : s.added) {
    impl.by_name.emplace(added.content, added.id);
    impl.flags[added.id] |= added.special ? Impl::kSpecial | Impl::kAdded : Impl::kAdded;
    // Two passes, also where there is nothing to normalize.
    if (added.normalized && IsValidUtf8(added.content)) {
      impl.added_normalized.Add(impl.normalizer->Apply(added.content), added);
    } else {
      impl.added_raw.Add(added.content, added);
    }
  }
  impl.added_raw.Finish();
  impl.added_normalized.Finish();
  bool metaspace = false;
  for (const PreTokenizerStep& step : s.pre_steps) {
    if (step.kind != PreTokenizerStep::Kind::kMetaspace || step.prepend == PrependScheme::kNever) continue;
    metaspace = true;
    impl.marks_beginning = impl.marks_beginning || step.prepend == PrependScheme::kFirst;
  }
  impl.strip_leading_space = s.model != TokenizerModel::kByteLevelBpe && (s.add_space_prefix || metaspace);
  impl.cut_at_marks = s.model == TokenizerModel::kSentencePieceBpe;
  return made;
}

std::vector<TokenId> Tokenizer::Beginning() const {
  const TokenizerSpec& spec = impl_->spec;
  if (!spec.add_bos) return {};
  std::vector<TokenId> ids{spec.bos};
  ids.insert(ids.end(), spec.after_bos.begin(), spec.after_bos.end());
  return ids;
}

std::string Tokenizer::DoubledSpecial(std::span<const TokenId> ids) const {
  const TokenizerSpec& spec = impl_->spec;
  auto text_of = [&](std::span<const TokenId> tokens) {
    std::string text;
    for (TokenId id : tokens) text += TokenBytes(id);
    return text;
  };
  std::vector<std::string> doubled;
  const std::vector<TokenId> begin = Beginning();
  const size_t n = begin.size();
  if (n > 0 && ids.size() >= 2 * n && std::equal(begin.begin(), begin.end(), ids.begin() + static_cast<ptrdiff_t>(n)))
    doubled.push_back("begins with " + text_of(begin));
  if (spec.add_eos && ids.size() >= n + 2 && ids[ids.size() - 2] == spec.eos)
    doubled.push_back("ends with " + text_of({&spec.eos, 1}));
  if (doubled.empty()) return "";
  return fmt::format(
      "the text {}, which the tokenizer adds as well: the model gets it twice, as from the engine it is meant for; "
      "leave it out of the text",
      Join(doubled, " and "));
}

std::vector<TokenId> Tokenizer::Encode(std::string_view text, bool parse_special, bool add_special) const {
  const Impl& impl = *impl_;
  std::vector<TokenId> ids;
  if (add_special) ids = Beginning();
  ids.reserve(text.size() / 3 + 2);
  if (impl.added_raw.empty()) {
    impl.EncodePlain(text, true, parse_special, ids);
  } else {
    for (const auto& part : impl.added_raw.Find(text, parse_special)) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        impl.EncodePlain(text.substr(part.begin, part.end - part.begin), part.begin == 0, parse_special, ids);
      }
    }
  }
  if (add_special && impl.spec.add_eos) ids.push_back(impl.spec.eos);
  return ids;
}

std::string Tokenizer::Decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string out;
  for (TokenId id : ids) {
    if (id < 0 || id >= vocab_size() || (skip_special && IsSpecial(id))) continue;
    impl_->AppendPiece(id, out);
  }
  if (impl_->strip_leading_space && out.starts_with(' ')) out.erase(0, 1);
  return out;
}

std::string Tokenizer::TokenBytes(TokenId id) const {
  std::string out;
  if (id >= 0 && id < vocab_size()) impl_->AppendPiece(id, out);
  return out;
}

bool Tokenizer::IsSpecial(TokenId id) const {
  return id >= 0 && id < vocab_size() && (impl_->flags[id] & Impl::kSpecial) != 0;
}

int Tokenizer::vocab_size() const {
  return static_cast<int>(impl_->spec.tokens.size());
}
const TokenizerSpec& Tokenizer::spec() const {
  return impl_->spec;
}

std::optional<TokenId> Tokenizer::Find(std::string_view token) const {
  auto it = impl_->by_name.find(token);
  if (it == impl_->by_name.end()) return std::nullopt;
  return it->second;
}

std::string Utf8Stream::Push(std::string_view bytes) {
  held_ += bytes;
  std::string out;
  std::string_view rest = held_;
  while (!rest.empty()) {
    size_t valid = ValidUtf8Prefix(rest);
    out += rest.substr(0, valid);
    rest.remove_prefix(valid);
    if (rest.empty()) break;
    // A beginning that may still be completed is held; one that was broken off is one U+FFFD, as decoders commonly do
    // it.
    size_t length = Utf8IncompleteLength(rest);
    if (length == rest.size()) break;
    out += "\xef\xbf\xbd";
    rest.remove_prefix(std::max<size_t>(1, length));
  }
  held_ = std::string(rest);
  return out;
}

std::string Utf8Stream::Flush() {
  bool any = !held_.empty();
  held_.clear();
  return any ? "\xef\xbf\xbd" : "";
}

}  // namespace assay
