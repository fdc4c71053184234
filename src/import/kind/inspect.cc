// Inspect (inspect_ai): a log in JSON, {"eval", "samples": [{"id", "input", "target", "choices", "messages",
// "scores"}]}, or a data set of such samples. The scorer says what is right how.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/json_member.h"
#include "base/strings.h"
#include "import/answer_checks.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

struct Scorer {
  std::string_view name, check;  // of ChecksOf; "end": the answer ends so; empty: no check says it
};
constexpr Scorer kScorers[] = {{"match", "end"},          {"includes", "contains"},
                               {"exact", "equals"},       {"choice", "choice"},
                               {"math", "number"},        {"answer", "contains"},
                               {"pattern", ""},           {"model_graded_qa", ""},
                               {"model_graded_fact", ""}, {"f1", ""}};

// The names of what scored it, and as the log's head says.
std::vector<std::string> ScorersOf(const ImportSource& source, const Json& sample) {
  std::vector<std::string> names;
  if (const Json* scores = FindMember(sample, "scores"); scores && scores->is_object())
    for (const auto& [name, score] : scores->items()) names.push_back(name);
  if (names.empty() && source.whole.is_object())
    if (const Json* eval = FindMember(source.whole, "eval"); eval && eval->is_object())
      if (const Json* scorers = FindMember(*eval, "scorers"); scorers && scorers->is_array())
        for (const Json& one : *scorers)
          if (const Json* name = one.is_object() ? FindMember(one, "name") : nullptr; name && name->is_string())
            names.push_back(name->get<std::string>());
  for (std::string& name : names)
    if (const size_t slash = name.rfind('/'); slash != std::string::npos) name = name.substr(slash + 1);
  return names;
}

Json MessageOf(const Json& message, ImportSink& sink) {
  Json out = Json::object();
  if (!message.is_object()) return message;
  for (const auto& [key, value] : message.items()) {
    if (key == "role" || key == "content" || key == "tool_call_id")
      out[key] = value;
    else if (key == "tool_calls" && value.is_array() && !value.empty())
      for (const Json& call : value)  // {"id", "function": "name", "arguments": {…}}
        out["tool_calls"].push_back(
            {{"type", "function"},
             {"function",
              {{"name", call.is_object() ? call.value("function", Json()) : Json()},
               {"arguments", call.is_object() ? call.value("arguments", Json::object()) : Json::object()}}}});
    else if (key != "id" && key != "source" && !value.is_null())
      sink.Drop("\"" + key + "\" of a message");
  }
  return out;
}

// As it was sent: the conversation up to the first answer; else the input.
Json MessagesOf(const Json& sample, ImportSink& sink) {
  Json messages = Json::array();
  if (const Json* sent = FindMember(sample, "messages"); sent && sent->is_array())
    for (const Json& message : *sent) {
      if (message.is_object() && message.value("role", Json()) == "assistant" &&
          message.value("source", Json()) != "input")
        break;
      messages.push_back(MessageOf(message, sink));
    }
  if (!messages.empty()) {
    sink.Note("what is asked are the messages that were sent, solvers' wording included");
    return messages;
  }
  const Json* input = FindMember(sample, "input");
  if (input && input->is_string()) return UserMessages(input->get<std::string>());
  if (input && input->is_array())
    for (const Json& message : *input) messages.push_back(MessageOf(message, sink));
  return messages;
}

// The letter where it is one, else that of the option that the target is.
Json ChoiceCheck(const Json& choices, const Json& target) {
  if (!target.is_string() || !choices.is_array() || choices.size() > 26) return {};
  std::string letter(Trim(target.get_ref<const std::string&>()));
  for (size_t i = 0; i < choices.size(); ++i)
    if (choices[i] == target) letter = std::string(1, static_cast<char>('A' + i));
  if (letter.size() != 1 || letter[0] < 'A' || static_cast<size_t>(letter[0] - 'A') >= choices.size()) return {};
  return Json::array({{{"type", "choice"}, {"value", letter}, {"choices", choices}}});
}

void ReadSample(const ImportSource& source, const ImportRow& row, const KindOptions& options, ImportSink& sink) {
  const Json& sample = row.value;
  Json line = Json::object();
  if (const Json* id = FindMember(sample, "id")) line["id"] = *id;
  line["messages"] = MessagesOf(sample, sink);
  if (line["messages"].empty()) return sink.Skip(row.place, "no \"input\" and no \"messages\"");
  const Json *target = FindMember(sample, "target"), *choices = FindMember(sample, "choices");
  if (choices && choices->is_array() && !choices->empty()) {
    if (!FindMember(sample, "messages")) {
      std::string text;
      for (size_t i = 0; i < choices->size() && i < 26; ++i)
        text += fmt::format("\n{}) {}", static_cast<char>('A' + i),
                            (*choices)[i].is_string() ? (*choices)[i].get<std::string>() : DumpJson((*choices)[i]));
      if (Json& last = line["messages"].back(); last.is_object() && last.value("content", Json()).is_string())
        last["content"] = last["content"].get<std::string>() + "\n" + text;
      sink.Note("options stand below the question with letters, as no conversation says how they were put");
    }
    const Json one = target && target->is_array() && target->size() == 1 ? (*target)[0] : target ? *target : Json();
    line["expect"] = ChoiceCheck(*choices, one);
    line["slice"] = "choice";
    if (line["expect"].is_null())
      return sink.AddPrompt(row, std::move(line), "options without the letter of the right one");
    return sink.Add(row, std::move(line));
  }
  std::vector<Json> answers;
  if (target && target->is_array())
    answers.assign(target->begin(), target->end());
  else if (target)
    answers.push_back(*target);
  std::string check = options.check, unknown;
  if (check.empty())
    for (const std::string& name : ScorersOf(source, sample)) {
      const auto* scorer =
          std::find_if(std::begin(kScorers), std::end(kScorers), [&](const Scorer& s) { return s.name == name; });
      if (scorer != std::end(kScorers) && !scorer->check.empty() && check.empty())
        check = scorer->check;
      else
        unknown = name;
    }
  if (check.empty() && !unknown.empty())
    return sink.AddPrompt(row, std::move(line),
                          fmt::format("scored by {}, which no check does; --check names one", unknown));
  if (!unknown.empty()) sink.Drop("the scorer " + unknown);
  AnswerChecks checks;
  if (check == "end") {
    std::string pattern;
    for (const Json& answer : answers)
      if (answer.is_string() && !answer.get_ref<const std::string&>().empty())
        pattern += (pattern.empty() ? "" : "|") + PatternOf(Trim(answer.get_ref<const std::string&>()));
    if (pattern.empty())
      checks.why = "no right answer";
    else
      checks.expect = Json::array(
          {{{"type", "regex"}, {"pattern", fmt::format("(?:{})[\\W]*\\z", pattern)}, {"ignore_case", true}}});
    sink.Note("match is read as: the answer ends with the target, case and marks behind it apart");
  } else {
    checks = ChecksOf(line, answers, check, TextCheck::kContains);
  }
  if (checks.expect.is_null()) return sink.AddPrompt(row, std::move(line), checks.why);
  if (!checks.slice.empty()) line["slice"] = checks.slice;
  line["expect"] = std::move(checks.expect);
  sink.Add(row, std::move(line));
}

}  // namespace

bool FitsInspect(const ImportSource& source) {
  if (source.is_table()) return false;
  return RowsHave(source, {"input", "target"}) &&
         (source.whole.is_null() || source.whole.contains("eval") || source.rows.size() == 1);
}

void ReadInspect(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  std::unordered_set<std::string> seen;
  for (const ImportRow& row : source.rows) {
    if (const Json* epoch = FindMember(row.value, "epoch"), *id = FindMember(row.value, "id"); epoch && id)
      if (!seen.insert(DumpJson(*id)).second) {
        sink.Skip(row.place, "a further epoch of a sample: --samples asks an example several times");
        continue;
      }
    ReadSample(source, row, options, sink);
  }
}

}  // namespace assay
