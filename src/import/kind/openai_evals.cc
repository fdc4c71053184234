// Samples of openai/evals: {"input": messages or a text, "ideal": a text or several}. Which check there is, the
// registry's YAML says, not the samples.
#include "base/json_member.h"
#include "import/answer_checks.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

// A worked example is a system message with a name there.
Json MessageOf(const Json& message, ImportSink& sink) {
  Json out = message;
  if (!message.is_object() || message.value("role", Json()) != "system") return out;
  const Json name = message.value("name", Json());
  if (name == "example_user" || name == "example_assistant") {
    out["role"] = name == "example_user" ? "user" : "assistant";
    out.erase("name");
    sink.Note(
        "worked examples (system messages named example_user and example_assistant) are turns of user and "
        "assistant");
  }
  return out;
}

}  // namespace

bool FitsOpenAiEvals(const ImportSource& source) {
  return !source.is_table() && RowsHave(source, {"input", "ideal"});
}

void ReadOpenAiEvals(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  if (options.check.empty())
    sink.Note(
        "samples do not say how they are judged (the registry's YAML does): read as Match, the answer begins "
        "with the ideal; --check contains is Includes, --check json is JsonMatch");
  for (const ImportRow& row : source.rows) {
    const Json *input = FindMember(row.value, "input"), *ideal = FindMember(row.value, "ideal");
    if (!input || !ideal) {
      sink.Skip(row.place, "no \"input\" and \"ideal\"");
      continue;
    }
    Json line = Json::object();
    if (input->is_string()) {
      line["messages"] = UserMessages(input->get<std::string>());
    } else if (input->is_array()) {
      line["messages"] = Json::array();
      for (const Json& message : *input) line["messages"].push_back(MessageOf(message, sink));
    }
    for (const auto& [key, value] : row.value.items())
      if (key != "input" && key != "ideal" && !value.is_null()) sink.Drop("\"" + key + "\"");
    std::vector<Json> answers =
        ideal->is_array() ? std::vector<Json>(ideal->begin(), ideal->end()) : std::vector{*ideal};
    AnswerChecks checks =
        ChecksOf(line, answers, options.check.empty() ? "starts-with" : options.check, TextCheck::kContains);
    if (checks.expect.is_null()) {
      sink.AddPrompt(row, std::move(line), checks.why);
      continue;
    }
    line["expect"] = std::move(checks.expect);
    sink.Add(row, std::move(line));
  }
}

}  // namespace assay
