// lm-evaluation-harness, samples_*.jsonl (--log_samples): {"doc_id", "doc", "target", "arguments", "resps"}. What was
// asked is in the arguments; answers that were chosen by the likelihood of options are none that a model writes.
#include <fmt/core.h>

#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "import/answer_checks.h"
#include "import/kind/kinds.h"

namespace assay {
namespace {

constexpr const char* kLikelihood =
    "options were chosen by their likelihood, which no check does: only written answers are judged";

// The text asked and the settings beside it, whichever of the two layouts; null: there is none.
struct Asked {
  Json prompt, settings;
  bool several = false;
};

Asked AskedOf(const Json& arguments) {
  Asked asked;
  Json first;
  if (arguments.is_object() && !arguments.empty()) {  // {"gen_args_0": {"arg_0": …, "arg_1": …}}
    asked.several = arguments.size() > 1;
    const Json& one = arguments.begin().value();
    if (one.is_object()) first = Json::array({one.value("arg_0", Json()), one.value("arg_1", Json())});
  } else if (arguments.is_array() && !arguments.empty()) {  // [[…, …]]
    asked.several = arguments.size() > 1 && arguments[0].is_array();
    first = arguments[0].is_array() ? arguments[0] : arguments;
  }
  if (first.is_array() && !first.empty()) asked.prompt = first[0];
  if (first.is_array() && first.size() > 1) asked.settings = first[1];
  return asked;
}

// Messages where the harness sent a chat: a list, or JSON text of one.
Json MessagesOf(const Json& prompt) {
  Json list = prompt;
  if (prompt.is_array() && prompt.size() == 1 && prompt[0].is_string()) list = prompt[0];
  if (list.is_string() && Trim(list.get_ref<const std::string&>()).starts_with("[{")) try {
      list = ParseJson(list.get_ref<const std::string&>(), "");
    } catch (const Error&) {
      return {};
    }
  if (!list.is_array() || list.empty() || !list[0].is_object() || !list[0].contains("role")) return {};
  Json messages = Json::array();
  for (const Json& message : list) {
    if (!message.is_object()) return {};
    Json kept = Json::object();
    for (const char* key : {"role", "content"})
      if (message.contains(key)) kept[key] = message[key];
    messages.push_back(std::move(kept));
  }
  return messages;
}

void ReadSettings(const Json& settings, Json& line, ImportSink& sink) {
  Json sampling = Json::object();
  for (const auto& [key, value] : settings.items()) {
    if (key == "until") {
      Json stops = value.is_string() ? Json::array({value}) : value;
      if (stops.is_array()) {
        std::erase_if(stops.get_ref<Json::array_t&>(), [](const Json& one) { return !one.is_string() || one == ""; });
        if (!stops.empty()) sampling["stop"] = std::move(stops);
      }
    } else if ((key == "max_gen_toks" || key == "max_tokens" || key == "max_new_tokens") && value.is_number_integer()) {
      sampling["max_tokens"] = value;
    } else if (key == "do_sample" && value == true) {
      sink.Drop("\"do_sample\": answers are greedy, unless the run is given a temperature");
    } else if (key != "do_sample" && key != "temperature") {
      sink.Drop("\"" + key + "\" of the settings");
    } else if (key == "temperature" && value != 0) {
      sink.Drop("\"temperature\" of the settings");
    }
  }
  if (!sampling.empty()) line["sampling"] = std::move(sampling);
}

std::vector<Json> TargetsOf(const Json& target) {
  if (target.is_array()) return {target.begin(), target.end()};
  if (!target.is_string()) return {target};
  const auto& text = target.get_ref<const std::string&>();
  if (const size_t mark = text.rfind("####"); mark != std::string::npos)
    return {Json(std::string(Trim(text.substr(mark + 4))))};
  return {Json(std::string(Trim(text)))};
}

}  // namespace

bool FitsLmEval(const ImportSource& source) {
  return !source.is_table() && RowsHave(source, {"doc", "arguments"}) && source.rows[0].value.contains("target");
}

void ReadLmEval(const ImportSource& source, const KindOptions& options, ImportSink& sink) {
  for (const ImportRow& row : source.rows) {
    const Json *arguments = FindMember(row.value, "arguments"), *target = FindMember(row.value, "target");
    const Asked asked = arguments ? AskedOf(*arguments) : Asked();
    Json line = Json::object();
    if (const Json* id = FindMember(row.value, "doc_id")) line["id"] = "doc-" + DumpJson(*id);
    Json messages = MessagesOf(asked.prompt);
    if (!messages.is_null()) {
      line["messages"] = std::move(messages);
    } else if (asked.prompt.is_string()) {
      line["prompt"] = asked.prompt;
      sink.Note("what was asked is sent as the raw text that the harness sent; no chat template renders it");
    } else {
      sink.Skip(row.place, "no text was asked in its \"arguments\"");
      continue;
    }
    if (asked.several || asked.settings.is_string()) {
      sink.AddPrompt(row, std::move(line), kLikelihood);
      continue;
    }
    if (asked.settings.is_object()) ReadSettings(asked.settings, line, sink);
    const bool marked =
        target && target->is_string() && target->get_ref<const std::string&>().find("####") != std::string::npos;
    AnswerChecks checks = ChecksOf(line, target ? TargetsOf(*target) : std::vector<Json>(),
                                   options.check.empty() && marked ? "number" : options.check, TextCheck::kContains);
    if (checks.expect.is_null()) {
      sink.AddPrompt(row, std::move(line), checks.why);
      continue;
    }
    sink.Note("the target is what is expected; the harness's own filters and metrics are not read");
    line["slice"] = checks.slice;
    line["expect"] = std::move(checks.expect);
    sink.Add(row, std::move(line));
  }
}

}  // namespace assay
