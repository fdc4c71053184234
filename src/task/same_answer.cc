#include "task/same_answer.h"

#include <fmt/core.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/hash.h"
#include "base/json_number.h"
#include "dialect/answer_json.h"
#include "dialect/answer_text.h"
#include "dialect/call/call_syntax.h"
#include "task/check/number_text.h"
#include "text/unicode.h"

namespace assay {
namespace {

/// The checks that may be asked of a prompt, as far as they see answers differently.
struct Asked {
  std::set<std::string, std::less<>> types;
  bool equals_untrimmed = false, equals_stripped = false;
  bool contains_counted = false;  // max_chars
  bool number_after = false, number_first = false, number_last = false, number_only = false;
  std::set<bool> decimal_comma;

  void Add(const Check& check) {
    types.insert(check.type);
    const Json& spec = check.spec;
    if (check.type == "equals") {
      equals_untrimmed |= !SpecBool(spec, "trim", true);
      equals_stripped |= SpecBool(spec, "strip_punctuation", false);
    } else if (check.type == "contains") {
      contains_counted |= SpecInt(spec, "max_chars", 0) > 0;
    } else if (check.type == "number") {
      number_after |= !SpecString(spec, "after", "").empty();
      const std::string take = SpecString(spec, "take", "last");
      number_first |= take == "first";
      number_last |= take == "last";
      number_only |= take == "only";
      decimal_comma.insert(SpecBool(spec, "decimal_comma", false));
    }
  }
  /// No check is of another type.
  bool Only(std::initializer_list<std::string_view> some) const {
    return !types.empty() && std::all_of(types.begin(), types.end(), [&](const std::string& type) {
      return std::find(some.begin(), some.end(), type) != some.end();
    });
  }
  bool Has(std::string_view type) const { return types.find(type) != types.end(); }
};

/// Equal exactly where SameValue is true.
void AddValue(const Json& value, Hasher& hasher) {
  if (IsNumber(value)) {
    hasher.AddText("number");
    hasher.AddText(NumberOf(value).Text());
  } else if (value.is_object()) {
    std::map<std::string_view, const Json*> members;
    for (const auto& [key, member] : value.items()) members.emplace(key, &member);
    hasher.AddText(fmt::format("object {}", members.size()));
    for (const auto& [key, member] : members) {
      hasher.AddText(key);
      AddValue(*member, hasher);
    }
  } else if (value.is_array()) {
    hasher.AddText(fmt::format("list {}", value.size()));
    for (const Json& item : value) AddValue(item, hasher);
  } else {
    hasher.AddText(value.type_name());
    hasher.AddText(DumpJson(value));
  }
}

class Reading : public CheckBody {
 public:
  explicit Reading(Asked asked) : asked_(std::move(asked)) {}

  CheckOutcome Run(const AnswerView& answer, const Example& example, CheckRemarks& remarks) const override {
    Hasher hasher;
    const std::string_view notion = Read(answer, example, hasher);
    if (answer.calls) AddValue(*answer.calls, hasher);
    remarks.note = fmt::format("{}:{}", notion, hasher.Hex());
    return {};
  }
  bool reads_calls() const override { return true; }

 private:
  /// Adds all that a check may see of the answer, and names the notion. A reader that does not apply adds nothing.
  std::string_view Read(const AnswerView& answer, const Example& example, Hasher& hasher) const {
    const std::string_view raw = answer.raw.empty() ? answer.text : answer.raw;
    if (asked_.Only({"tool_calls"}) && ReadCalls(raw, answer, example, hasher)) return "calls";
    if (asked_.Only({"json_value", "json_schema", "tool_calls"}) && ReadJson(raw, answer, example, hasher))
      return "JSON";
    if (asked_.Only({"number"}) && ReadNumber(answer.text, hasher)) return "number";
    if (asked_.Only({"choice"}) && ReadLetter(answer.text, hasher)) return "letter";
    if (asked_.Only({"equals", "contains", "regex"})) {
      ReadText(answer.text, hasher);
      return "text";
    }
    hasher.AddText(answer.text);
    hasher.AddText(raw);
    return "exact text";
  }

  // The same calls in the same order: a check may ask for it.
  static bool ReadCalls(std::string_view raw, const AnswerView& answer, const Example& example, Hasher& hasher) {
    const ParsedCalls found = ParseCalls(raw, example.tools, answer.call_syntax);
    if (!found.error.empty() || found.calls.empty()) return false;
    for (const ToolCall& call : found.calls) {
      hasher.AddText(call.name);
      AddValue(call.arguments, hasher);
    }
    return true;
  }

  bool ReadJson(std::string_view raw, const AnswerView& answer, const Example& example, Hasher& hasher) const {
    const AnswerJson parsed = ParseAnswerJson(answer.text);
    if (!parsed.ok) return false;
    if (asked_.Has("tool_calls")) {
      // JSON and no call in the eyes of both checks.
      const ParsedCalls found = ParseCalls(raw, example.tools, answer.call_syntax);
      if (!found.error.empty() || !found.calls.empty()) return false;
    }
    hasher.AddText(parsed.recovered ? "fence" : "whole");  // `strict` tells them apart
    AddValue(parsed.value, hasher);
    return true;
  }

  // The number that each check would take, whichever it is.
  bool ReadNumber(std::string_view text, Hasher& hasher) const {
    if (asked_.number_after) return false;
    for (bool comma : asked_.decimal_comma) {
      const std::vector<TextNumber> numbers = FindNumbers(text, comma);
      if (numbers.empty()) return false;
      auto add = [&](const TextNumber& number) {
        if (number.value) hasher.AddText(number.value->Text());
        return number.value.has_value();
      };
      if (asked_.number_first && !add(numbers.front())) return false;
      if (asked_.number_last && !add(numbers.back())) return false;
      if (!asked_.number_only) continue;
      // One number alone, however often it is said.
      for (const TextNumber& number : numbers)
        if (!number.value || *number.value != *numbers.front().value) return false;
      add(numbers.front());
    }
    return true;
  }

  // Nothing but a letter: what a longer answer chooses depends on the options' texts, which nobody wrote down.
  static bool ReadLetter(std::string_view text, Hasher& hasher) {
    const std::string seen = Normalize(AsSeen(text), NormalForm::kNfkc);
    const std::string_view bare = StripMarks(seen);
    if (bare.size() != 1) return false;
    char letter = bare[0];
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    if (letter < 'A' || letter > 'Z') return false;
    hasher.AddText(std::string_view(&letter, 1));
    return true;
  }

  // One part for each way in which a check prepares its text.
  void ReadText(std::string_view text, Hasher& hasher) const {
    const std::string_view trimmed = TrimText(text);
    if (asked_.Has("equals")) hasher.AddText(AsSeen(asked_.equals_untrimmed ? text : trimmed));
    if (asked_.equals_untrimmed) hasher.AddText(AsSeen(trimmed));
    if (asked_.equals_stripped) {
      hasher.AddText(AsSeen(StripMarks(trimmed)));
      hasher.AddText(AsSeen(StripMarks(text)));
    }
    if (asked_.Has("contains")) hasher.AddText(asked_.contains_counted ? Composed(text) : AsSeen(text));
    if (asked_.Has("regex")) hasher.AddText(trimmed);
  }

  Asked asked_;
};

}  // namespace

void ReadAnswersAs(const Task& labelled, Task& prompts) {
  std::map<std::string, Asked, std::less<>> by_slice;
  Asked with_tools, without_tools, all;
  for (const Example& example : labelled.examples)
    for (const Check& check : example.expect)
      for (Asked* asked : {&by_slice[example.slice], &all, example.tools.is_null() ? &without_tools : &with_tools})
        asked->Add(check);
  for (Example& prompt : prompts.examples) {
    const Asked* asked = prompt.tools.is_null() ? &without_tools : &with_tools;
    if (asked->types.empty()) asked = &all;
    if (const auto slice = by_slice.find(prompt.slice); slice != by_slice.end()) asked = &slice->second;
    prompt.expect = {{kReadingCheck, Json::object(), std::make_shared<Reading>(*asked)}};
  }
}

}  // namespace assay
