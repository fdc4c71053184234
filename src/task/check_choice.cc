// choice: the letter of the chosen option. Extraction is a cascade; the first step that finds a letter decides, and the
// last hit within a step counts. Nothing found is its own failure class: a guess would add noise to a paired test (as
// MMLU-Pro's random fallback does).
#include <fmt/core.h>

#include <array>
#include <optional>

#include "base/strings.h"
#include "task/check_table.h"

namespace assay {
namespace {

bool IsAsciiLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsWordByte(char c) {
  return IsAsciiLetter(c) || (c >= '0' && c <= '9') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
char Upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

// Marks that may stand around a letter or an option: (B), **B**, B., "B".
std::string_view StripMarks(std::string_view text) {
  constexpr std::string_view kMarks = " \t\r\n*_`\"'()[]{}.:,;!$";
  size_t begin = text.find_first_not_of(kMarks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kMarks) - begin + 1);
}

// An option's text as it is compared: folded, without marks and a leading article, which answers add and drop at will.
std::string OptionText(std::string_view text) {
  std::string folded = FoldCase(StripMarks(text));
  for (std::string_view article : {"a ", "an ", "the "})
    if (folded.size() > article.size() && folded.starts_with(article)) return folded.substr(article.size());
  return folded;
}

class Choice : public CheckBody {
 public:
  explicit Choice(const Json& spec) {
    letters_ = SpecString(spec, "letters", "ABCDEFGHIJ");
    if (spec.contains("choices") && !spec["choices"].is_null()) {
      if (spec.contains("letters") && !spec["letters"].is_null())
        throw FieldError{"letters", "\"choices\" fixes the letters"};
      choices_ = SpecStrings(spec, "choices");
      if (choices_.size() < 2 || choices_.size() > 26)
        throw FieldError{"choices", fmt::format("expected 2 to 26 options, found {}", choices_.size())};
      letters_.clear();
      for (size_t i = 0; i < choices_.size(); ++i) {
        letters_ += static_cast<char>('A' + i);
        choices_[i] = OptionText(choices_[i]);
      }
    }
    if (letters_.size() < 2 || letters_.size() > 26)
      throw FieldError{"letters", "expected 2 to 26 letters such as \"ABCD\""};
    for (size_t i = 0; i < letters_.size(); ++i)
      if (letters_[i] < 'A' || letters_[i] > 'Z' || letters_.find(letters_[i]) != i)
        throw FieldError{"letters",
                         fmt::format("expected distinct capital letters such as \"ABCD\", found {}", Quote(letters_))};
    std::string value = SpecString(spec, "value");
    if (value.size() != 1 || letters_.find(value[0]) == std::string::npos)
      throw FieldError{"value", fmt::format("expected one letter of {}, found {}", letters_, Quote(value))};
    value_ = value[0];
  }

  CheckOutcome Run(const AnswerView& answer, const Example&, std::string&) const override {
    char letter = Extract(answer.text);
    if (!letter)
      return Mismatch{Failure::kNoChoice, fmt::format("no letter of {} in {}", letters_, Quote(answer.text))};
    if (letter == value_) return {};
    return Mismatch{Failure::kWrongValue,
                    fmt::format("expected {}, found {} in {}", value_, letter, Quote(answer.text))};
  }

  std::vector<Lint> Doubts(const Example&) const override {
    for (size_t i = 0; i < choices_.size(); ++i)
      for (size_t j = i + 1; j < choices_.size(); ++j)
        if (choices_[i] == choices_[j])
          return {{"choices", fmt::format("options {} and {} are the same text", letters_[i], letters_[j])}};
    return {};
  }

 private:
  char Known(char c) const { return letters_.find(c) == std::string::npos ? '\0' : c; }

  char Extract(std::string_view text) const {
    if (char letter = WholeAnswer(text)) return letter;
    for (std::string_view phrase : {"answer is", "answer:", "choice is", "option is"})
      if (char letter = AfterPhrase(text, phrase)) return letter;
    if (char letter = Leading(text)) return letter;
    return Standalone(text);
  }

  // "B", "(b)", "**B.**", or an option's own text.
  char WholeAnswer(std::string_view text) const {
    std::string_view bare = StripMarks(text);
    if (bare.size() == 1) return Known(Upper(bare[0]));
    std::string folded = OptionText(bare);
    for (size_t i = 0; i < choices_.size(); ++i)
      if (!choices_[i].empty() && folded == choices_[i]) return letters_[i];
    return '\0';
  }

  // The letter at the start of `text` after marks: capital and not the first letter of a word or the article of a
  // sentence; small only in brackets.
  char LetterAt(std::string_view text) const {
    size_t at = text.find_first_not_of(" \t\r\n*_`\"'([{:$");
    if (at == std::string_view::npos) return '\0';
    char next = at + 1 < text.size() ? text[at + 1] : '\0';
    bool bracketed = at > 0 && (text[at - 1] == '(' || text[at - 1] == '[') && (next == ')' || next == ']');
    if (bracketed) return Known(Upper(text[at]));
    if (IsWordByte(next) || next == '\'') return '\0';
    if (IsArticle(text, at)) return '\0';
    return Known(text[at]);
  }

  // "A dog", "I think": a letter that begins running prose.
  static bool IsArticle(std::string_view text, size_t at) {
    return (text[at] == 'A' || text[at] == 'I') && at + 2 < text.size() && text[at + 1] == ' ' && text[at + 2] >= 'a' &&
           text[at + 2] <= 'z';
  }

  char AfterPhrase(std::string_view text, std::string_view phrase) const {
    std::string lower = ToLowerAscii(text);
    for (size_t at = lower.rfind(phrase); at != std::string::npos;
         at = at ? lower.rfind(phrase, at - 1) : std::string::npos) {
      std::string_view rest = text.substr(at + phrase.size());
      for (std::string_view word : {" option", " choice", " letter"})
        if (ToLowerAscii(rest.substr(0, word.size())) == word) rest.remove_prefix(word.size());
      if (char letter = LetterAt(rest)) return letter;
      std::string folded = OptionText(rest);
      for (size_t i = 0; i < choices_.size(); ++i)
        if (!choices_[i].empty() && folded == choices_[i]) return letters_[i];
    }
    return '\0';
  }

  // "B) Paris", "(B) Paris", "B. Paris", "B: Paris" at the start of the answer.
  char Leading(std::string_view text) const {
    size_t at = text.find_first_not_of(" \t\r\n*_`\"'([");
    if (at == std::string_view::npos || at + 1 >= text.size()) return '\0';
    constexpr std::string_view kAfter = ").:]*\n";
    return kAfter.find(text[at + 1]) == std::string_view::npos ? '\0' : Known(text[at]);
  }

  // The last capital letter standing alone.
  char Standalone(std::string_view text) const {
    for (size_t at = text.size(); at-- > 0;) {
      if (!Known(text[at]) || (at > 0 && (IsWordByte(text[at - 1]) || text[at - 1] == '\'')) || IsArticle(text, at))
        continue;
      if (at + 1 < text.size() && (IsWordByte(text[at + 1]) || text[at + 1] == '\'')) continue;
      return text[at];
    }
    return '\0';
  }

  std::string letters_;
  std::vector<std::string> choices_;  // folded
  char value_ = 0;
};

}  // namespace

std::unique_ptr<CheckBody> CompileChoice(const Json& spec, const Example&) {
  return std::make_unique<Choice>(spec);
}

}  // namespace assay
