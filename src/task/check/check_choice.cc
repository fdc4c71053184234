// choice: the letter of the chosen option. Nothing found is its own failure class: a guess would add noise to a paired
// test (as MMLU-Pro's random fallback does).
#include <fmt/core.h>

#include "task/check/check_table.h"
#include "task/check/choice_text.h"

namespace assay {
namespace {

class Choice : public CheckBody {
 public:
  explicit Choice(const Json& spec) {
    letters_ = SpecString(spec, "letters", "ABCDEFGHIJ");
    if (spec.contains("choices") && !spec["choices"].is_null()) {
      if (spec.contains("letters") && !spec["letters"].is_null())
        throw FieldError{"letters", "\"choices\" fixes the letters: remove \"letters\""};
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
      throw FieldError{"letters", fmt::format("expected 2 to 26 letters such as \"ABCD\", found {}", Quote(letters_))};
    for (size_t i = 0; i < letters_.size(); ++i)
      if (letters_[i] < 'A' || letters_[i] > 'Z' || letters_.find(letters_[i]) != i)
        throw FieldError{"letters",
                         fmt::format("expected distinct capital letters such as \"ABCD\", found {}", Quote(letters_))};
    std::string value = SpecString(spec, "value");
    if (value.size() != 1 || letters_.find(value[0]) == std::string::npos)
      throw FieldError{"value", fmt::format("expected one letter of {}, found {}", letters_, Quote(value))};
    value_ = value[0];
  }

  CheckOutcome Run(const AnswerView& answer, const Example&, CheckRemarks& remarks) const override {
    char letter = ChosenLetter(answer.text, letters_, choices_);
    if (!letter)
      return Mismatch{Failure::kNoChoice,
                      fmt::format("no single letter of {} is chosen in {}", letters_, Quote(answer.text))};
    remarks.read = letter;
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
  std::string letters_;
  std::vector<std::string> choices_;  // folded
  char value_ = 0;
};

}  // namespace

std::unique_ptr<CheckBody> CompileChoice(const Json& spec, const Example&) {
  return std::make_unique<Choice>(spec);
}

}  // namespace assay
