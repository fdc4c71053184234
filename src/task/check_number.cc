// number: a number in the answer, within a tolerance.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "task/check_table.h"
#include "task/number_text.h"

namespace assay {
namespace {

enum class Take { kLast, kFirst, kOnly };

class NumberCheck : public CheckBody {
 public:
  explicit NumberCheck(const Json& spec)
      : tolerance_(SpecNumber(spec, "tolerance", 0)),
        relative_(SpecNumber(spec, "relative", 0)),
        after_(SpecString(spec, "after", "")),
        decimal_comma_(SpecBool(spec, "decimal_comma", false)) {
    auto value = spec.find("value");
    if (value == spec.end() || value->is_null()) throw FieldError{"value", "is missing"};
    if (!value->is_number()) throw FieldError{"value", fmt::format("expected a number, found {}", value->type_name())};
    value_ = value->get<double>();
    if (tolerance_ < 0) throw FieldError{"tolerance", "may not be negative"};
    if (relative_ < 0) throw FieldError{"relative", "may not be negative"};
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

  CheckOutcome Run(const AnswerView& answer, const Example&, std::string&) const override {
    std::string_view text = answer.text;
    if (!after_.empty()) {
      size_t at = text.rfind(after_);
      if (at == std::string_view::npos)
        return Mismatch{Failure::kNoNumber, fmt::format("{} does not occur", Quote(after_))};
      text.remove_prefix(at + after_.size());
    }
    std::vector<TextNumber> numbers = FindNumbers(text, decimal_comma_);
    if (numbers.empty()) return Mismatch{Failure::kNoNumber, fmt::format("no number in {}", Quote(text))};
    if (take_ == Take::kOnly)
      for (const TextNumber& number : numbers)
        if (number.value != numbers[0].value)
          return Mismatch{Failure::kWrongCount,
                          fmt::format("expected one number, found {} and {}", numbers[0].value, number.value)};
    const TextNumber& number = take_ == Take::kLast ? numbers.back() : numbers.front();
    double distance = std::fabs(number.value - value_);
    if (number.value == value_ || distance <= std::max(tolerance_, relative_ * std::fabs(value_))) return {};
    return Mismatch{Failure::kWrongValue, fmt::format("expected {}, found {}", value_,
                                                      Quote(text.substr(number.begin, number.end - number.begin)))};
  }

  std::vector<Lint> Doubts(const Example&) const override {
    if (relative_ >= 1)
      return {{"relative", "a relative tolerance of 1 or more accepts almost every number; 0.01 means one percent"}};
    return {};
  }

 private:
  double value_ = 0, tolerance_, relative_;
  Take take_ = Take::kLast;
  std::string after_;
  bool decimal_comma_;
};

}  // namespace

std::unique_ptr<CheckBody> CompileNumber(const Json& spec, const Example&) {
  return std::make_unique<NumberCheck>(spec);
}

}  // namespace assay
