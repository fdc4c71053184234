#include "text/pretokenizer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "text/split_regex.h"
#include "text/unicode.h"

namespace assay {

const std::string_view kGpt2Regex =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

namespace {

constexpr size_t kMaxSteps = 64;
constexpr size_t kMaxPatternBytes = 1 << 16;
// Rust's \w has the joiners that Oniguruma's has not.
constexpr std::string_view kWhitespaceRegex = "[\\w\\x{200c}\\x{200d}]+|[^\\w\\s\\x{200c}\\x{200d}]+";

struct Span {
  size_t begin, end;
  bool match;
};

// Every character for which `is` holds is a match of its own; the stretches between are not.
template <typename Predicate>
void FindCharacters(std::string_view text, Predicate is, std::vector<Span>& spans) {
  size_t last = 0;
  for (size_t i = 0; i < text.size();) {
    size_t length = std::max<size_t>(1, Utf8SequenceLength(text.substr(i)));
    if (is(Utf8Decode(text.substr(i, length)))) {
      if (last < i) spans.push_back({last, i, false});
      spans.push_back({i, i + length, true});
      last = i + length;
    }
    i += length;
  }
  if (last < text.size()) spans.push_back({last, text.size(), false});
}

void FindRegex(std::string_view text, const SplitRegex& regex, std::vector<Span>& spans) {
  size_t last = 0;
  regex.ForEach(text, [&](size_t begin, size_t end) {
    if (last < begin) spans.push_back({last, begin, false});
    spans.push_back({begin, end, true});
    last = end;
  });
  if (last < text.size()) spans.push_back({last, text.size(), false});
}

void FindLiteral(std::string_view text, std::string_view literal, std::vector<Span>& spans) {
  size_t last = 0;
  for (size_t at = text.find(literal); at != std::string_view::npos; at = text.find(literal, last)) {
    if (last < at) spans.push_back({last, at, false});
    spans.push_back({at, at + literal.size(), true});
    last = at + literal.size();
  }
  if (last < text.size()) spans.push_back({last, text.size(), false});
}

// What becomes of the matches; the rules are those of Hugging Face `tokenizers`, SplitDelimiterBehavior.
void Emit(std::string_view text, std::vector<Span>& spans, SplitBehavior behavior, std::vector<std::string_view>& out) {
  auto push = [&](size_t begin, size_t end) { out.push_back(text.substr(begin, end - begin)); };
  switch (behavior) {
    case SplitBehavior::kIsolated:
      for (const Span& s : spans) push(s.begin, s.end);
      return;
    case SplitBehavior::kRemoved:
      for (const Span& s : spans)
        if (!s.match) push(s.begin, s.end);
      return;
    case SplitBehavior::kContiguous:
      for (size_t i = 0; i < spans.size();) {
        size_t j = i + 1;
        while (j < spans.size() && spans[j].match == spans[i].match) ++j;
        push(spans[i].begin, spans[j - 1].end);
        i = j;
      }
      return;
    case SplitBehavior::kMergedWithPrevious:
      for (size_t i = 0; i < spans.size();) {
        bool take_next = i + 1 < spans.size() && !spans[i].match && spans[i + 1].match;
        push(spans[i].begin, spans[take_next ? i + 1 : i].end);
        i += take_next ? 2 : 1;
      }
      return;
    case SplitBehavior::kMergedWithNext:
      for (size_t i = 0; i < spans.size();) {
        bool take_next = i + 1 < spans.size() && spans[i].match && !spans[i + 1].match;
        push(spans[i].begin, spans[take_next ? i + 1 : i].end);
        i += take_next ? 2 : 1;
      }
      return;
  }
}

}  // namespace

struct PreTokenizer::Step {
  PreTokenizerStep step;
  std::optional<SplitRegex> regex;

  void Split(std::string_view text, std::vector<std::string_view>& out) const {
    std::vector<Span> spans;
    SplitBehavior behavior = step.behavior;
    bool invert = step.invert;
    switch (step.kind) {
      case PreTokenizerStep::Kind::kDigits:
        FindCharacters(text, IsNumeric, spans);
        behavior = step.individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
        break;
      case PreTokenizerStep::Kind::kPunctuation:
        FindCharacters(text, IsPunctuation, spans);
        break;
      case PreTokenizerStep::Kind::kWhitespaceSplit:
        FindCharacters(text, IsWhiteSpace, spans);
        behavior = SplitBehavior::kRemoved;
        break;
      case PreTokenizerStep::Kind::kWhitespace:
        FindRegex(text, *regex, spans);
        behavior = SplitBehavior::kRemoved;
        invert = true;
        break;
      case PreTokenizerStep::Kind::kSplit:
        if (regex) {
          FindRegex(text, *regex, spans);
        } else {
          FindLiteral(text, step.pattern, spans);
        }
        break;
      case PreTokenizerStep::Kind::kByteLevel:
        FindRegex(text, *regex, spans);
        behavior = SplitBehavior::kIsolated;
        break;
      case PreTokenizerStep::Kind::kMetaspace:
        FindLiteral(text, step.pattern, spans);
        behavior = SplitBehavior::kMergedWithNext;
        break;
    }
    if (invert)
      for (Span& s : spans) s.match = !s.match;
    Emit(text, spans, behavior, out);
  }
};

PreTokenizer::PreTokenizer(const std::vector<PreTokenizerStep>& steps, std::string_view where) {
  if (steps.size() > kMaxSteps)
    Fail(ErrorKind::kCorrupt, "{}: {} pre-tokenizer steps, at most {} expected", where, steps.size(), kMaxSteps);
  for (const PreTokenizerStep& step : steps) {
    Step& made = steps_.emplace_back();
    made.step = step;
    bool has_pattern = step.kind == PreTokenizerStep::Kind::kSplit || step.kind == PreTokenizerStep::Kind::kMetaspace;
    if (has_pattern && (step.pattern.empty() || step.pattern.size() > kMaxPatternBytes || !IsValidUtf8(step.pattern)))
      Fail(ErrorKind::kCorrupt, "{}: pre-tokenizer pattern is empty, too long or not UTF-8", where);
    if (step.kind == PreTokenizerStep::Kind::kMetaspace && Utf8SequenceLength(step.pattern) != step.pattern.size())
      Fail(ErrorKind::kCorrupt, "{}: Metaspace replacement: expected one character, found \"{}\"", where, step.pattern);
    if (step.kind == PreTokenizerStep::Kind::kSplit && step.regex) made.regex.emplace(step.pattern, where);
    if (step.kind == PreTokenizerStep::Kind::kWhitespace) made.regex.emplace(kWhitespaceRegex, where);
    if (step.kind == PreTokenizerStep::Kind::kByteLevel && step.use_regex) made.regex.emplace(kGpt2Regex, where);
  }
}

PreTokenizer::~PreTokenizer() = default;

PreTokenizer::Words PreTokenizer::Apply(std::string_view text, bool at_start) const {
  Words words;
  if (text.empty()) return words;
  words.pieces.push_back(text);
  bool in_byte_alphabet = false, begins = at_start;  // begins: the first word does, nothing in front was removed
  std::vector<std::string_view> next;
  auto rewrite = [&](std::string&& s) { return std::string_view(words.rewritten.emplace_back(std::move(s))); };
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& made = steps_[i];
    const PreTokenizerStep& step = made.step;
    const bool byte_level = step.kind == PreTokenizerStep::Kind::kByteLevel;
    const bool last = i + 1 == steps_.size();
    if (byte_level && !step.use_regex && !step.add_prefix_space && last) break;
    next.clear();
    next.reserve(std::max<size_t>(words.pieces.size(), text.size() / 5));
    for (size_t p = 0; p < words.pieces.size(); ++p) {
      std::string_view piece = words.pieces[p];
      if (byte_level && step.add_prefix_space && !piece.starts_with(' ')) piece = rewrite(" " + std::string(piece));
      if (step.kind == PreTokenizerStep::Kind::kMetaspace) {
        std::string replaced;
        for (char c : piece) c == ' ' ? replaced += step.pattern : replaced += c;
        bool prepend =
            step.prepend == PrependScheme::kAlways || (step.prepend == PrependScheme::kFirst && begins && p == 0);
        if (prepend && !replaced.starts_with(step.pattern)) replaced.insert(0, step.pattern);
        piece = rewrite(std::move(replaced));
      }
      bool cut = byte_level ? step.use_regex : step.kind != PreTokenizerStep::Kind::kMetaspace || step.split;
      if (cut) {
        made.Split(piece, next);
      } else {
        next.push_back(piece);
      }
      if (p == 0) begins = begins && !next.empty() && next.front().data() == piece.data();
    }
    if (byte_level && !last && !in_byte_alphabet) {
      in_byte_alphabet = true;
      for (auto& piece : next) piece = rewrite(ByteAlphabetEncode(piece));
    }
    words.pieces.swap(next);
  }
  if (in_byte_alphabet) {
    std::string bytes;
    for (auto& piece : words.pieces)
      if (ByteAlphabetDecode(piece, bytes)) piece = rewrite(std::string(bytes));
  }
  std::erase_if(words.pieces, [](std::string_view piece) { return piece.empty(); });
  return words;
}

}  // namespace assay
