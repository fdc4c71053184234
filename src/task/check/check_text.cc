// equals, contains, regex.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>

#include "dialect/answer_text.h"
#include "task/check/check_table.h"
#include "task/check/pattern.h"

namespace assay {
namespace {

class Equals : public CheckBody {
 public:
  explicit Equals(const Json& spec)
      : ignore_case_(SpecBool(spec, "ignore_case", false)),
        trim_(SpecBool(spec, "trim", true)),
        strip_(SpecBool(spec, "strip_punctuation", false)) {
    for (const std::string& value : SpecStrings(spec, "value")) {
      values_.push_back(value);
      prepared_.push_back(Prepare(value));
      if (IsBlank(prepared_.back()))
        throw FieldError{"value",
                         fmt::format("expected some text, found {}: an empty answer never passes", Quote(value))};
    }
  }

  CheckOutcome Run(const AnswerView& answer, const Example&, CheckRemarks& remarks) const override {
    std::string found = Prepare(answer.text);
    remarks.read = Quote(found);
    for (const std::string& value : prepared_)
      if (found == value) return {};
    std::string expected = Quote(values_[0]);
    for (size_t i = 1; i < values_.size() && expected.size() < 200; ++i) expected += " | " + Quote(values_[i]);
    return Mismatch{Failure::kWrongValue, fmt::format("expected {}, found {}", expected, Quote(answer.text))};
  }

 private:
  std::string Prepare(std::string_view text) const {
    if (trim_) text = TrimText(text);
    if (strip_) text = StripMarks(text);
    return ignore_case_ ? FoldCase(AsSeen(text)) : AsSeen(text);
  }

  bool ignore_case_, trim_, strip_;
  std::vector<std::string> values_, prepared_;
};

class Contains : public CheckBody {
 public:
  explicit Contains(const Json& spec)
      : values_(SpecStrings(spec, "value")),
        ignore_case_(SpecBool(spec, "ignore_case", false)),
        whole_word_(SpecBool(spec, "whole_word", false)),
        any_(SpecBool(spec, "any", false)),
        not_(SpecBool(spec, "not", false)),
        max_chars_(SpecInt(spec, "max_chars", 0)) {
    if (any_ && not_)
      throw FieldError{"any", "\"any\" and \"not\" exclude each other: remove \"any\", \"not\" forbids every value"};
    if (max_chars_ < 0)
      throw FieldError{"max_chars", fmt::format("expected a number of at least 0, found {}", max_chars_)};
    for (const std::string& value : values_) {
      prepared_.push_back(Prepare(value));
      if (prepared_.back().empty() && not_)
        throw FieldError{"value",
                         "expected text that may occur, found \"\": every answer contains it, this can never pass"};
    }
  }

  CheckOutcome Run(const AnswerView& answer, const Example&, CheckRemarks& remarks) const override {
    if (max_chars_ > 0) {
      std::string composed = Composed(answer.text);
      int64_t chars = std::count_if(composed.begin(), composed.end(),
                                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
      if (chars > max_chars_)
        return Mismatch{Failure::kTooLong, fmt::format("{} characters, at most {} allowed", chars, max_chars_)};
    }
    std::string text = Prepare(answer.text);
    for (size_t i = 0; i < prepared_.size(); ++i) {
      bool occurs = prepared_[i].empty() || Occurs(text, prepared_[i], whole_word_);
      if (occurs) remarks.read += (remarks.read.empty() ? "" : ", ") + Quote(values_[i]);
      if (not_ && occurs) return Mismatch{Failure::kForbidden, fmt::format("contains {}", Quote(values_[i]))};
      if (any_ && occurs) return {};
      if (!any_ && !not_ && !occurs)
        return Mismatch{Failure::kMissing,
                        fmt::format("{} does not occur in {}", Quote(values_[i]), Quote(answer.text))};
    }
    if (!any_) return {};
    return Mismatch{Failure::kMissing,
                    fmt::format("none of {} values occurs in {}", values_.size(), Quote(answer.text))};
  }

  std::vector<Lint> Doubts(const Example&) const override {
    size_t empty = 0;
    for (const std::string& value : prepared_) empty += value.empty();
    if (empty && (any_ || empty == values_.size()))
      return {{"value", "every answer contains \"\": this check can never fail"}};
    return {};
  }

 private:
  std::string Prepare(std::string_view text) const { return ignore_case_ ? FoldCase(AsSeen(text)) : AsSeen(text); }

  std::vector<std::string> values_, prepared_;
  bool ignore_case_, whole_word_, any_, not_;
  int64_t max_chars_;
};

class RegexCheck : public CheckBody {
 public:
  explicit RegexCheck(const Json& spec) : source_(SpecString(spec, "pattern")), not_(SpecBool(spec, "not", false)) {
    try {
      pattern_.emplace(source_, SpecBool(spec, "ignore_case", false), SpecBool(spec, "full", false));
    } catch (const FieldError& error) {
      throw FieldError{"pattern", error.message};
    }
  }

  CheckOutcome Run(const AnswerView& answer, const Example&, CheckRemarks&) const override {
    switch (pattern_->Match(TrimText(answer.text))) {
      case PatternResult::kLimit:
        return Mismatch{Failure::kUndecided,
                        fmt::format("the pattern {} reached the match limit on this answer", Quote(source_))};
      case PatternResult::kMatch:
        if (!not_) return {};
        return Mismatch{Failure::kForbidden, fmt::format("matches {}", Quote(source_))};
      case PatternResult::kNoMatch:
        break;
    }
    if (not_) return {};
    return Mismatch{Failure::kNoMatch, fmt::format("{} does not match {}", Quote(source_), Quote(answer.text))};
  }

  std::vector<Lint> Doubts(const Example&) const override {
    // A pattern that matches all of these unlike texts is not selective; one that matches none proves nothing.
    constexpr std::array<std::string_view, 6> kProbes = {"", "x", "7", "#", "Zq vv\nw", "{\"k\": [1, null]}"};
    size_t matches = 0;
    for (std::string_view probe : kProbes) matches += pattern_->Match(probe) == PatternResult::kMatch;
    if (matches != kProbes.size()) return {};
    return {{"pattern", not_ ? "the pattern matches every probe text: this check can hardly pass"
                             : "the pattern matches every probe text: this check can hardly fail"}};
  }

 private:
  std::string source_;
  bool not_;
  std::optional<Pattern> pattern_;
};

}  // namespace

std::unique_ptr<CheckBody> CompileEquals(const Json& spec, const Example&) {
  return std::make_unique<Equals>(spec);
}
std::unique_ptr<CheckBody> CompileContains(const Json& spec, const Example&) {
  return std::make_unique<Contains>(spec);
}
std::unique_ptr<CheckBody> CompileRegex(const Json& spec, const Example&) {
  return std::make_unique<RegexCheck>(spec);
}

}  // namespace assay
