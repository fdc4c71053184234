#include "text/normalizer.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "text/split_regex.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kMaxSteps = 64;
constexpr size_t kMaxContentBytes = 4096;

// SentencePiece's compiled character map: a Darts double-array trie (little-endian uint32 units, its size in bytes in
// front) from a character sequence to the offset of its zero-terminated replacement. Unit layout: s-yata/darts-clone,
// darts.h.
class CharacterMap {
 public:
  CharacterMap(std::string_view blob, std::string_view where) {
    uint32_t trie_bytes = 0;
    if (blob.size() < 4) Fail(ErrorKind::kCorrupt, "{}: compiled character map of {} bytes", where, blob.size());
    std::memcpy(&trie_bytes, blob.data(), 4);
    if (trie_bytes > blob.size() - 4 || trie_bytes % 4 != 0 || trie_bytes == 0)
      Fail(ErrorKind::kCorrupt, "{}: compiled character map of {} bytes states a trie of {} bytes", where, blob.size(),
           trie_bytes);
    units_.resize(trie_bytes / 4);
    std::memcpy(units_.data(), blob.data() + 4, trie_bytes);
    replacements_ = blob.substr(4 + trie_bytes);
    if (!IsValidUtf8(replacements_))
      Fail(ErrorKind::kCorrupt, "{}: compiled character map: replacements are not UTF-8", where);
  }

  // Longest entry at the beginning of `text`: its length (0: none) and replacement.
  size_t Longest(std::string_view text, std::string_view& replacement) const {
    size_t best = 0;
    size_t at = Offset(units_[0]);
    for (size_t i = 0; i < text.size(); ++i) {
      unsigned char byte = static_cast<unsigned char>(text[i]);
      if (byte == 0) break;
      at ^= byte;
      if (at >= units_.size()) break;
      uint32_t unit = units_[at];
      if ((unit & 0x800000ff) != byte) break;
      at ^= Offset(unit);
      if (unit >> 8 & 1) {
        if (at >= units_.size()) break;
        size_t offset = units_[at] & 0x7fffffff;
        if (offset >= replacements_.size()) break;
        size_t end = replacements_.find('\0', offset);
        if (end == std::string::npos) end = replacements_.size();
        std::string_view value = std::string_view(replacements_).substr(offset, end - offset);
        if (IsValidUtf8(value)) best = i + 1, replacement = value;
      }
    }
    // An entry must not end inside a character.
    return best < text.size() && best > 0 && (text[best] & 0xc0) == 0x80 ? 0 : best;
  }

 private:
  static size_t Offset(uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & (1u << 9)) >> 6); }
  std::vector<uint32_t> units_;
  std::string replacements_;
};

std::string ApplyMap(const CharacterMap& map, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    std::string_view replacement;
    size_t length = map.Longest(text.substr(i), replacement);
    if (length > 0) {
      out += replacement;
    } else {
      length = std::max<size_t>(1, Utf8SequenceLength(text.substr(i)));
      out += text.substr(i, length);
    }
    i += length;
  }
  return out;
}

// A chain of Replace steps must not grow a text without bound.
void CheckGrowth(size_t now, size_t original) {
  if (now > (size_t{16} << 20) + 64 * original)
    Fail(ErrorKind::kResource, "normalizing a text of {} bytes: the result passes {} bytes", original, now);
}

std::string ReplaceLiteral(std::string_view text, std::string_view from, std::string_view to, size_t original) {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  size_t last = 0;
  for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, last)) {
    out += text.substr(last, at - last);
    out += to;
    last = at + from.size();
    CheckGrowth(out.size(), original);
  }
  out += text.substr(last);
  return out;
}

std::string_view StripWhiteSpace(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    size_t length = Utf8SequenceLength(text);
    if (length == 0 || !IsWhiteSpace(Utf8Decode(text.substr(0, length)))) break;
    text.remove_prefix(length);
  }
  while (right && !text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (text[begin] & 0xc0) == 0x80) --begin;
    std::string_view last = text.substr(begin);
    if (Utf8SequenceLength(last) != last.size() || !IsWhiteSpace(Utf8Decode(last))) break;
    text.remove_suffix(last.size());
  }
  return text;
}

std::string CleanText(std::string_view text, bool space_ideographs) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    size_t length = std::max<size_t>(1, Utf8SequenceLength(text.substr(i)));
    char32_t c = Utf8Decode(text.substr(i, length));
    if (space_ideographs) {
      std::string_view space = IsIdeograph(c) ? " " : "";
      out.append(space).append(text.substr(i, length)).append(space);
    } else if (c != 0 && c != 0xfffd && !IsControl(c)) {
      out += IsWhiteSpace(c) ? std::string_view(" ") : text.substr(i, length);
    }
    i += length;
  }
  return out;
}

}  // namespace

struct Normalizer::Step {
  NormalizerStep step;
  std::optional<SplitRegex> regex;
  std::optional<CharacterMap> map;
};

Normalizer::Normalizer(const std::vector<NormalizerStep>& steps, std::string_view where) {
  if (steps.size() > kMaxSteps)
    Fail(ErrorKind::kCorrupt, "{}: {} normalizer steps, at most {} expected", where, steps.size(), kMaxSteps);
  for (const NormalizerStep& step : steps) {
    Step& made = steps_.emplace_back();
    made.step = step;
    if (step.kind == NormalizerStep::Kind::kReplace) {
      if (step.pattern.empty()) Fail(ErrorKind::kCorrupt, "{}: normalizer Replace: empty pattern", where);
      if (step.regex) made.regex.emplace(step.pattern, where);
    }
    if (step.kind != NormalizerStep::Kind::kPrecompiled && step.content.size() > kMaxContentBytes)
      Fail(ErrorKind::kCorrupt, "{}: normalizer content of {} bytes, at most {} expected", where, step.content.size(),
           kMaxContentBytes);
    if (step.kind == NormalizerStep::Kind::kPrecompiled) made.map.emplace(step.content, where);
    if (step.kind != NormalizerStep::Kind::kPrecompiled && !(IsValidUtf8(step.content) && IsValidUtf8(step.pattern)))
      Fail(ErrorKind::kCorrupt, "{}: normalizer text is not UTF-8", where);
  }
}

Normalizer::~Normalizer() = default;

bool Normalizer::empty() const {
  return steps_.empty();
}

std::string Normalizer::Apply(std::string_view text) const {
  std::string now(text);
  for (const Step& made : steps_) {
    const NormalizerStep& step = made.step;
    switch (step.kind) {
      case NormalizerStep::Kind::kNfc:
        now = Normalize(now, NormalForm::kNfc);
        break;
      case NormalizerStep::Kind::kNfd:
        now = Normalize(now, NormalForm::kNfd);
        break;
      case NormalizerStep::Kind::kNfkc:
        now = Normalize(now, NormalForm::kNfkc);
        break;
      case NormalizerStep::Kind::kNfkd:
        now = Normalize(now, NormalForm::kNfkd);
        break;
      case NormalizerStep::Kind::kLowercase:
        now = LowercaseUnicode(now);
        break;
      case NormalizerStep::Kind::kStripAccents:
        now = WithoutMarks(now);
        break;
      case NormalizerStep::Kind::kBertAccents:
        now = StripNonspacingMarks(Normalize(now, NormalForm::kNfd));
        break;
      case NormalizerStep::Kind::kCleanText:
      case NormalizerStep::Kind::kSpaceIdeographs:
        now = CleanText(now, step.kind == NormalizerStep::Kind::kSpaceIdeographs);
        break;
      case NormalizerStep::Kind::kPrepend:
        if (!now.empty()) now.insert(0, step.content);
        break;
      case NormalizerStep::Kind::kReplace:
        now = made.regex ? made.regex->Replace(now, step.content)
                         : ReplaceLiteral(now, step.pattern, step.content, text.size());
        break;
      case NormalizerStep::Kind::kStrip:
        now = std::string(StripWhiteSpace(now, step.left, step.right));
        break;
      case NormalizerStep::Kind::kPrecompiled:
        now = ApplyMap(*made.map, now);
        break;
    }
    CheckGrowth(now.size(), text.size());
  }
  return now;
}

}  // namespace assay
