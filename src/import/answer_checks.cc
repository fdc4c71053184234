#include "import/answer_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "capture/draft.h"
#include "dialect/answer_text.h"
#include "task/check/number_text.h"

namespace assay {
namespace {

constexpr std::string_view kFreeText =
    "the right answer is free text, which no check fits; --check contains or equals takes it as it is";

Json Texts(const std::vector<Json>& answers) {
  if (answers.size() == 1) return answers[0].is_string() ? answers[0] : Json(DumpJson(answers[0]));
  Json list = Json::array();
  for (const Json& answer : answers) list.push_back(answer.is_string() ? answer : Json(DumpJson(answer)));
  return list;
}

AnswerChecks One(Json check, std::string slice = {}) {
  return {Json::array({std::move(check)}), {}, std::move(slice)};
}

AnswerChecks None(std::string why) {
  return {{}, std::move(why), {}};
}

Json Equals(const std::vector<Json>& answers) {
  return {{"type", "equals"}, {"value", Texts(answers)}, {"ignore_case", true}, {"strip_punctuation", true}};
}

Json Contains(const std::vector<Json>& answers) {
  Json check = {{"type", "contains"}, {"value", Texts(answers)}};
  if (answers.size() > 1) check["any"] = true;
  check["ignore_case"] = true;
  check["whole_word"] = true;
  return check;
}

// What a check for the answer as a whole would be, from a text that a model could have written.
AnswerChecks Drafted(const Json& example, const Json& answer) {
  Answer given;
  given.text = answer.is_string() ? answer.get<std::string>() : DumpJson(answer);
  given.finish = "stop";
  DraftedChecks drafted = DraftChecks(example, given);
  return {std::move(drafted.expect), std::move(drafted.why), std::move(drafted.slice)};
}

AnswerChecks Number(const Json& answer) {
  if (IsNumber(answer)) return One({{"type", "number"}, {"value", answer}}, "number");
  const std::string text = answer.is_string() ? answer.get<std::string>() : "";
  const std::vector<TextNumber> numbers = FindNumbers(text);
  if (numbers.empty() || !numbers.back().value)
    return None(fmt::format("the right answer holds no number that is read: {}", Quote(text, 40)));
  try {
    return One({{"type", "number"}, {"value", ParseExactJson(numbers.back().value->Text(), "")}}, "number");
  } catch (const Error&) {
    return None(fmt::format("the right answer's number is none of JSON's: {}", Quote(text, 40)));
  }
}

}  // namespace

std::string PatternOf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && !std::isalnum(byte) && byte > 0x20) out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

AnswerChecks ChecksOf(const Json& example, const std::vector<Json>& answers, std::string_view check, TextCheck text) {
  if (std::find(std::begin(kAnswerChecks), std::end(kAnswerChecks), check) == std::end(kAnswerChecks) && !check.empty())
    Fail(ErrorKind::kInvalid, "--check {}: expected one of {}", check, fmt::join(kAnswerChecks, ", "));
  const auto blank = [](const Json& one) {
    return one.is_null() || (one.is_string() && IsBlank(one.get<std::string>()));
  };
  if (answers.empty() || std::any_of(answers.begin(), answers.end(), blank)) return None("no right answer");
  if (check == "equals") return One(Equals(answers), "text");
  if (check == "contains") return One(Contains(answers), "text");
  if (check == "starts-with") {
    std::string pattern;
    for (const Json& answer : answers) {
      std::string one = PatternOf(Trim(answer.is_string() ? answer.get<std::string>() : DumpJson(answer)));
      pattern += (pattern.empty() ? "" : "|") + one;
    }
    return One({{"type", "regex"}, {"pattern", fmt::format("^(?:{})", pattern)}}, "text");
  }
  if (check == "number" && answers.size() == 1) return Number(answers[0]);
  if (answers.size() > 1) {
    if (check == "number" || check == "json" || check == "choice")
      return None(fmt::format("{} right answers, of which --check {} takes one", answers.size(), check));
    return One(text == TextCheck::kEquals ? Equals(answers) : Contains(answers), "text");
  }
  if (IsNumber(answers[0]) && check != "json") return Number(answers[0]);
  AnswerChecks drafted = Drafted(example, answers[0]);
  const std::string type = drafted.expect.is_null() ? "" : drafted.expect[0]["type"].get<std::string>();
  if (check == "json" && type != "json_value")
    return None(type.empty() ? drafted.why : "the right answer is no JSON object or list");
  if (check == "choice" && type != "choice")
    return None("the right answer is no letter of options that stand in the question, a line each");
  if (drafted.why == "free text") drafted.why = kFreeText;
  if (type == "equals" && text == TextCheck::kContains) return One(Contains(answers), "text");
  return drafted;
}

}  // namespace assay
