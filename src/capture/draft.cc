#include "capture/draft.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "dialect/answer_json.h"
#include "dialect/answer_text.h"
#include "dialect/call/call_syntax.h"
#include "dialect/reasoning.h"
#include "task/check/number_text.h"
#include "task/message.h"
#include "task/runner.h"
#include "task/task.h"

namespace assay {
namespace {

constexpr size_t kMostShortBytes = 60, kMostShortWords = 5, kMostNumberWords = 8;

/// A member that begins with $ is a comparator in a check; this one is meant literally.
Json Literal(const Json& value) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value) out.push_back(Literal(item));
    return out;
  }
  if (!value.is_object()) return value;
  for (const auto& [name, member] : value.items())
    if (name.starts_with('$')) return {{"$exact", value}};
  Json out = Json::object();
  for (const auto& [name, member] : value.items()) out[name] = Literal(member);
  return out;
}

std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  for (std::string& word : Split(text, ' '))
    if (!word.empty()) words.push_back(std::move(word));
  return words;
}

/// The last question, where options would stand.
std::string QuestionText(const Json& example) {
  if (example.contains("prompt")) return example["prompt"].get<std::string>();
  const Json& messages = example["messages"];
  for (size_t i = messages.size(); i-- > 0;) {
    if (messages[i].value("role", Json()) != "user" || !messages[i].contains("content")) continue;
    const Json& content = messages[i]["content"];
    if (content.is_string()) return content.get<std::string>();
    std::string text;
    for (const Json& part : content) text += part.value("text", std::string()) + "\n";
    return text;
  }
  return {};
}

/// The letters that options are marked with, one a line from A on: "ABCD" of "A) …", "(B) …", "C. …", "D: …".
std::string OptionLetters(const Json& example) {
  std::string letters;
  for (const std::string& row : Split(QuestionText(example), '\n')) {
    std::string_view line = Trim(row);
    if (line.starts_with('(')) line.remove_prefix(1);
    if (line.size() < 3 || line[0] != static_cast<char>('A' + letters.size()) || letters.size() >= 26) continue;
    if (line[1] == ')' || line[1] == '.' || line[1] == ':') letters += line[0];
  }
  return letters.size() >= 2 ? letters : std::string();
}

Json CallsCheck(const std::vector<ToolCall>& calls) {
  Json list = Json::array();
  for (const ToolCall& call : calls) list.push_back({{"name", call.name}, {"arguments", Literal(call.arguments)}});
  return {{"type", "tool_calls"}, {"calls", std::move(list)}};
}

bool Passes(const Json& example, const Json& check, const Answer& answer) {
  Json line = example;
  line["id"] = "draft";
  line["expect"] = Json::array({check});
  try {
    const Task task = ParseTask(DumpJson(line), "draft");
    Answer whole = answer;
    whole.finish = "stop";
    AnswerContext context;
    context.reads_calls = !answer.tool_calls.is_null();
    return ScoreAnswer(task.examples[0], whole, "", context).pass;
  } catch (const Error&) {
    return false;
  }
}

/// The check that fits, or the reason why there is none.
DraftedChecks Fitting(const Json& example, const Answer& answer) {
  DraftedChecks out;
  const Json tools = example.value("tools", Json());
  const auto check = [&](Json one, std::string slice) {
    out.expect = std::move(one);
    out.slice = std::move(slice);
    return out;
  };
  out.slice = tools.is_null() ? "text" : "tools";
  if (answer.finish == "length") {
    out.why = "cut at max_tokens";
    return out;
  }
  const std::string text = SplitReasoning(answer.text).content;
  const ParsedCalls calls =
      answer.tool_calls.is_null() ? ParseCalls(text, tools) : ReadMessageCalls(answer.tool_calls, tools);
  if (!calls.error.empty()) {
    out.why = "a call that cannot be read: " + calls.error;
    return out;
  }
  // Without tools on offer what reads as a call may be the JSON or the code that was asked for, unless it has the marks
  // of one: a rendered prompt holds its tools.
  const bool marked = calls.syntax != "json" && calls.syntax != "pythonic";
  if (!calls.calls.empty() && (!tools.is_null() || marked)) return check(CallsCheck(calls.calls), "tools");
  if (IsBlank(text)) {
    out.why = "an empty answer";
    return out;
  }
  if (!tools.is_null()) return check({{"type", "tool_calls"}, {"calls", Json::array()}}, "no-call");
  if (const AnswerJson json = ParseAnswerJson(text); json.ok && json.value.is_structured())
    return check({{"type", "json_value"}, {"value", Literal(json.value)}}, "json");
  const std::string_view bare = StripMarks(text);
  if (Trim(text).starts_with('{')) {
    out.why = "JSON that cannot be read";
    return out;
  }
  const std::vector<std::string> words = WordsOf(bare);
  const bool one_line = bare.find('\n') == std::string_view::npos && bare.size() <= kMostShortBytes;
  if (const std::string letters = OptionLetters(example);
      !letters.empty() && !bare.empty() && letters.find(bare[0]) != std::string::npos &&
      (bare.size() == 1 || (bare.size() > 2 && (bare[1] == ')' || bare[1] == '.' || bare[1] == ':'))))
    return check({{"type", "choice"}, {"value", std::string(1, bare[0])}, {"letters", letters}}, "choice");
  const std::vector<TextNumber> numbers = FindNumbers(text);
  if (one_line && words.size() <= kMostNumberWords && numbers.size() == 1 && numbers[0].value) {
    try {
      return check({{"type", "number"}, {"value", ParseExactJson(numbers[0].value->Text(), "")}}, "number");
    } catch (const Error&) {  // no JSON number says it
    }
  }
  if (one_line && words.size() <= kMostShortWords)
    return check({{"type", "equals"}, {"value", std::string(bare)}, {"ignore_case", true}, {"strip_punctuation", true}},
                 "short");
  out.why = "free text";
  return out;
}

}  // namespace

namespace {

/// "[CARD_1]": what redaction puts into a text.
std::vector<std::string> Placeholders(const std::string& text) {
  std::vector<std::string> found;
  for (size_t at = 0; (at = text.find('[', at)) != std::string::npos; ++at) {
    size_t end = at + 1;
    while (end < text.size() && text[end] >= 'A' && text[end] <= 'Z') ++end;
    if (end == at + 1 || end >= text.size() || text[end] != '_') continue;
    const size_t digits = ++end;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    if (end > digits && end < text.size() && text[end] == ']') found.push_back(text.substr(at, end + 1 - at));
  }
  return found;
}

/// Whether what was taken out of the example makes the check one that nobody can pass, or that says nothing.
bool LostByRedaction(const Json& example, const Json& expect, const Answer& answer) {
  const std::string asked = DumpJson(example);
  if (expect["type"] == "number") {
    // Nobody counts with an address, a telephone number or a name; with others one may.
    const auto counts = [](const std::string& one) {
      return !one.starts_with("[EMAIL_") && !one.starts_with("[PHONE_") && !one.starts_with("[NAME_");
    };
    const std::vector<std::string> all = Placeholders(asked);
    return std::any_of(all.begin(), all.end(), counts) || !Placeholders(answer.text).empty();
  }
  for (const std::string& one : Placeholders(DumpJson(expect)))
    if (asked.find(one) == std::string::npos) return true;
  return false;
}

}  // namespace

DraftedChecks DraftChecks(const Json& example, const Answer& answer) {
  DraftedChecks drafted = Fitting(example, answer);
  if (drafted.expect.is_null()) return drafted;
  if (LostByRedaction(example, drafted.expect, answer)) {
    drafted.why = "what is right was redacted";
    drafted.expect = Json();
    return drafted;
  }
  if (!Passes(example, drafted.expect, answer)) {
    drafted.why =
        fmt::format("the recorded answer fails the check that fits it ({})", drafted.expect["type"].get<std::string>());
    drafted.expect = Json();
    return drafted;
  }
  drafted.expect = Json::array({std::move(drafted.expect)});
  return drafted;
}

}  // namespace assay
