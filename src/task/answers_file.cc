#include "task/answers_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/error.h"
#include "base/json_member.h"
#include "base/json_number.h"
#include "base/strings.h"
#include "task/message.h"

namespace assay {
namespace {

/// Members that hold an answer's text. `response` may hold a server's response instead.
constexpr std::array<std::string_view, 5> kTexts = {"answer", "text", "output", "response", "content"};
/// Everything that is read, for telling what is not.
constexpr std::array<std::string_view, 12> kRead = {"id",      "custom_id", "answer",  "text",
                                                    "output",  "response",  "content", "message",
                                                    "choices", "usage",     "error",   "finish_reason"};
constexpr size_t kMostUnread = 20;
constexpr size_t kMostHints = 20;  // of ids that were meant, which are work

template <size_t n>
bool OneOf(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void Expected(std::string field, std::string_view expected, const Json& found) {
  throw FieldError{std::move(field), fmt::format("expected {}, found {}", expected, TypeName(found))};
}

std::string IdOf(const Json& line) {
  // A line of OpenAI's batches has an `id` of the server's own.
  const char* key = line.contains("custom_id") ? "custom_id" : "id";
  const Json* id = FindMember(line, key);
  if (!id) throw FieldError{key, "is missing: expected the id of an example"};
  if (id->is_string()) return id->get<std::string>();
  if (id->is_number_integer()) return id->dump();
  Expected(key, "a string", *id);
}

/// An answer that is all thought.
bool IsOnlyReasoning(const Answer& answer) {
  return IsBlank(answer.text) && !answer.reasoning.empty() &&
         (answer.tool_calls.is_null() || answer.tool_calls.empty());
}

GivenAnswer ReadLine(const Json& line) {
  if (!line.is_object()) Expected("", "an object with \"id\" and \"answer\"", line);
  GivenAnswer given;
  given.id = IdOf(line);
  std::vector<std::string> held;
  for (std::string_view key : kTexts)
    if (FindMember(line, key)) held.emplace_back(key);
  for (std::string_view key : {"message", "choices"})
    if (FindMember(line, key)) held.emplace_back(key);
  if (held.size() > 1)
    throw FieldError{"", fmt::format("expected one answer, found {}: leave one", Join(held, " and "))};
  if (const Json* error = FindMember(line, "error")) {
    if (held.empty() || held[0] == "response") {
      SetError(*error, given.answer);
      return given;
    }
    throw FieldError{"error", fmt::format("an answer and an error: leave \"error\" or \"{}\"", held[0])};
  }
  if (held.empty())
    throw FieldError{
        "", fmt::format("expected an answer: one of {}, message, choices", Join({kTexts.begin(), kTexts.end()}, ", "))};
  const std::string& key = held[0];
  const Json& value = line[key];
  if (key == "choices") {
    given.answer = ReadCompletion(line);
  } else if (key == "response" && value.is_object()) {
    const Json* body = FindMember(value, "body");
    given.answer =
        FieldError::Within(body ? "response.body" : "response", [&] { return ReadCompletion(body ? *body : value); });
  } else {
    if (key == "message")
      given.answer = FieldError::Within("message", [&] { return ReadMessage(value); });
    else if (value.is_string())
      given.answer.text = value.get<std::string>();
    else
      Expected(key, "a string, the text as the model wrote it", value);
    SetFinish(line.value("finish_reason", Json()), "finish_reason", given.answer);
  }
  given.only_reasoning = IsOnlyReasoning(given.answer);
  return given;
}

}  // namespace

AnswersFile ReadAnswers(std::string_view text, std::string_view name) {
  AnswersFile file;
  int64_t number = 0;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (Trim(line).empty()) continue;
    Json json;
    try {
      json = ParseJson(line, name, /*strict=*/true);
      GivenAnswer given = ReadLine(json);
      given.line = number;
      file.answers.push_back(std::move(given));
      for (const auto& [key, value] : json.items())
        // A whole response has members of its own.
        if (!OneOf(kRead, key) && !json.contains("choices") && file.unread.size() < kMostUnread &&
            std::find(file.unread.begin(), file.unread.end(), key) == file.unread.end())
          file.unread.push_back(key);
    } catch (const FieldError& error) {
      file.problems.push_back({number, error.field, error.message});
      for (const char* key : {"custom_id", "id"})
        if (json.is_object() && json.contains(key) && json[key].is_string())
          file.bad_ids.insert(json[key].get<std::string>());
    } catch (const Error& error) {
      std::string_view message = error.what();
      if (message.starts_with(name)) message.remove_prefix(name.size());
      while (!message.empty() && (message[0] == ':' || message[0] == ' ')) message.remove_prefix(1);
      file.problems.push_back({number, "", std::string(message)});
    }
  }
  return file;
}

ScoredAnswers ScoreAnswers(const Task& task, const AnswersFile& file) {
  ScoredAnswers scored;
  std::unordered_map<std::string_view, const Example*> examples;
  std::vector<std::string> ids;
  for (const Example& example : task.examples) {
    examples.emplace(example.id, &example);
    ids.push_back(example.id);
  }
  std::unordered_map<std::string_view, const GivenAnswer*> answers;
  for (const GivenAnswer& given : file.answers) {
    if (!examples.contains(given.id)) {
      const std::string near = scored.problems.size() < kMostHints ? Nearest(given.id, ids) : "";
      scored.problems.push_back({given.line, "id",
                                 fmt::format("{} has no example {}{}", task.name, Quote(given.id, 80),
                                             near.empty() ? "" : "; did you mean " + Quote(near, 80) + "?")});
      continue;
    }
    auto [place, fresh] = answers.emplace(given.id, &given);
    if (!fresh)
      scored.problems.push_back(
          {given.line, "id",
           fmt::format("a second answer to {}; the first is in line {}", Quote(given.id, 80), place->second->line)});
  }
  for (const Example& example : task.examples) {
    auto found = answers.find(example.id);
    Answer none;
    none.finish = "error";
    none.error = "no answer was given";
    const bool given = found != answers.end();
    if (!given && !file.bad_ids.contains(example.id)) scored.missing.push_back(&example);
    ExampleResult result = given ? ScoreAnswer(example, found->second->answer, "") : ScoreAnswer(example, none, "");
    result.index = static_cast<int64_t>(scored.examples.size());
    scored.examples.push_back(std::move(result));
  }
  return scored;
}

}  // namespace assay
