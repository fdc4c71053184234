// number: a number in the answer, within a tolerance.
#include <fmt/core.h>

#include <algorithm>

#include "task/check/check_table.h"
#include "task/check/number_text.h"
#include "task/check/tolerance.h"

namespace assay {
namespace {

enum class Take { kLast, kFirst, kOnly };

class NumberCheck : public CheckBody {
 public:
  explicit NumberCheck(const Json& spec)
      : value_(SpecNumber(spec, "value")),
        tolerance_(ReadTolerance(spec)),
        after_(SpecString(spec, "after", "")),
        decimal_comma_(SpecBool(spec, "decimal_comma", false)) {
    std::string take = SpecString(spec, "take", "last");
    if (take == "last")
      take_ = Take::kLast;
    else if (take == "first")
      take_ = Take::kFirst;
    else if (take == "only")
      take_ = Take::kOnly;
    else
      throw FieldError{"take", fmt::format("expected \"last\", \"first\" or \"only\", found {}", Quote(take))};
  }

  CheckOutcome Run(const AnswerView& answer, const Example&, CheckRemarks& remarks) const override {
    std::string_view text = answer.text;
    if (!after_.empty()) {
      size_t at = text.rfind(after_);
      if (at == std::string_view::npos)
        return Mismatch{Failure::kNoNumber, fmt::format("{} does not occur", Quote(after_))};
      text.remove_prefix(at + after_.size());
    }
    std::vector<TextNumber> numbers = FindNumbers(text, decimal_comma_);
    if (numbers.empty()) return Mismatch{Failure::kNoNumber, fmt::format("no number in {}", Quote(text))};
    auto shown = [&](const TextNumber& number) { return Quote(text.substr(number.begin, number.end - number.begin)); };
    if (take_ == Take::kOnly)
      for (const TextNumber& number : numbers)
        if (number.value && numbers[0].value && *number.value != *numbers[0].value)
          return Mismatch{Failure::kWrongCount,
                          fmt::format("expected one number, found {} and {}", shown(numbers[0]), shown(number))};
    auto unread = [](const TextNumber& number) { return !number.value; };
    const TextNumber* number = take_ == Take::kLast ? &numbers.back() : &numbers.front();
    if (take_ == Take::kOnly)
      if (auto first = std::find_if(numbers.begin(), numbers.end(), unread); first != numbers.end()) number = &*first;
    if (!number->value)
      return Mismatch{Failure::kNoNumber, fmt::format("{} is no numeral that is read", shown(*number))};
    remarks.read = fmt::format("{} as {}", shown(*number), number->value->Text());
    if (Within(*number->value, value_, tolerance_)) return {};
    return Mismatch{Failure::kWrongValue, fmt::format("expected {}, found {}", value_.Text(), shown(*number))};
  }

  std::vector<Lint> Doubts(const Example&) const override {
    if (Decimal::Compare(tolerance_.relative, *Decimal::Parse("1")) >= 0)
      return {{"relative", "a relative tolerance of 1 or more accepts almost every number; 0.01 means one percent"}};
    return {};
  }

 private:
  Decimal value_;
  Tolerance tolerance_;
  Take take_ = Take::kLast;
  std::string after_;
  bool decimal_comma_;
};

}  // namespace

std::unique_ptr<CheckBody> CompileNumber(const Json& spec, const Example&) {
  return std::make_unique<NumberCheck>(spec);
}

}  // namespace assay
