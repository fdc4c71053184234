#include "capture/example_line.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "task/check/check.h"
#include "task/message.h"
#include "task/task.h"

namespace assay {
namespace {

constexpr std::string_view kMessageMembers[] = {"name", "tool_call_id", "reasoning_content", "reasoning", "thinking"};
// Of requests: what changes answers and has no place in an example.
constexpr std::string_view kNoPlace[] = {"logit_bias",        "grammar",          "guided_regex",
                                         "guided_choice",     "guided_grammar",   "presence_penalty",
                                         "frequency_penalty", "reasoning_effort", "structured_outputs"};
constexpr std::string_view kSampling[] = {"temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed"};
constexpr int64_t kDefaultTokens = 256, kMostTokens = 16'777'216;

/// Null, false, an empty list: nothing was asked.
bool SaysSomething(const Json& value) {
  return !(value.is_null() || value == false || value == 0 || (value.is_structured() && value.empty()));
}

Json ContentOf(const Json& content, LeftOut& left_out) {
  if (content.is_string()) return content;
  if (!content.is_array())
    Fail(ErrorKind::kInvalid, "expected a message's content to be a text, found {}", content.type_name());
  Json parts = Json::array();
  for (const Json& part : content) {
    if (part.is_string()) {
      parts.push_back({{"type", "text"}, {"text", part}});
      continue;
    }
    const Json* type = part.is_object() ? FindMember(part, "type") : nullptr;
    const Json* text = part.is_object() ? FindMember(part, "text") : nullptr;
    if (!text || !text->is_string())
      Fail(ErrorKind::kInvalid, "a message holds {}, and a task is text alone",
           type && type->is_string() ? "a part of type " + Quote(type->get<std::string>(), 40) : "what is no text");
    for (const auto& [name, value] : part.items())
      if (name != "type" && name != "text") ++left_out["content." + name];
    parts.push_back({{"type", "text"}, {"text", *text}});
  }
  return parts.empty() ? Json("") : parts;
}

Json CallsOf(const Json& calls) {
  Json out = Json::array();
  if (!calls.is_array()) Fail(ErrorKind::kInvalid, "expected a message's tool_calls to be a list");
  for (const Json& call : calls) {
    const Json* function = call.is_object() ? FindMember(call, "function") : nullptr;
    if (!function || !function->is_object() || !FindMember(*function, "name"))
      Fail(ErrorKind::kInvalid, "a message's tool_calls hold what is no function's call");
    Json kept = {{"type", "function"}, {"function", {{"name", (*function)["name"]}}}};
    if (const Json* id = FindMember(call, "id"); id && id->is_string()) kept["id"] = *id;
    if (const Json* arguments = FindMember(*function, "arguments")) kept["function"]["arguments"] = *arguments;
    out.push_back(std::move(kept));
  }
  return out;
}

Json MessageOf(const Json& message, LeftOut& left_out) {
  if (!message.is_object()) Fail(ErrorKind::kInvalid, "expected messages to be objects");
  const Json* role = FindMember(message, "role");
  if (!role || !role->is_string()) Fail(ErrorKind::kInvalid, "a message has no role");
  Json out = {{"role", *role == "function" ? Json("tool") : *role}};
  const Json* content = FindMember(message, "content");
  const Json* calls = FindMember(message, "tool_calls");
  const Json* old_call = FindMember(message, "function_call");
  Json all_calls;
  if (calls && SaysSomething(*calls))
    all_calls = CallsOf(*calls);
  else if (old_call)
    all_calls = CallsOf(Json::array({{{"function", *old_call}}}));
  if (content)
    out["content"] = ContentOf(*content, left_out);
  else if (all_calls.is_null())
    out["content"] = "";
  if (!all_calls.is_null()) out["tool_calls"] = std::move(all_calls);
  for (const auto& [name, value] : message.items()) {
    if (name == "role" || name == "content" || name == "tool_calls" || name == "function_call") continue;
    if (std::find(std::begin(kMessageMembers), std::end(kMessageMembers), name) != std::end(kMessageMembers) &&
        value.is_string())
      out[name] = value;
    else if (SaysSomething(value))
      ++left_out["message." + name];
  }
  return out;
}

Json ToolOf(const Json& tool, LeftOut& left_out) {
  const Json* function = tool.is_object() ? FindMember(tool, "function") : nullptr;
  const Json* type = tool.is_object() ? FindMember(tool, "type") : nullptr;
  if ((type && *type != "function") || !function || !function->is_object())
    Fail(ErrorKind::kInvalid, "it offers a tool that is no function{}",
         type && type->is_string() && *type != "function" ? ": " + type->get<std::string>() : "");
  Json kept = Json::object();
  for (const auto& [name, value] : function->items()) {
    if (name == "name" || name == "description" || name == "parameters" || name == "strict") {
      if (!value.is_null()) kept[name] = value;
    } else if (SaysSomething(value)) {
      ++left_out["tools." + name];
    }
  }
  return {{"type", "function"}, {"function", std::move(kept)}};
}

void ReadTools(const Json& request, Json& line, LeftOut& left_out) {
  Json tools = Json::array();
  if (const Json* given = FindMember(request, "tools"); given && given->is_array()) {
    for (const Json& tool : *given) tools.push_back(ToolOf(tool, left_out));
  } else if (const Json* functions = FindMember(request, "functions"); functions && functions->is_array()) {
    for (const Json& function : *functions)
      tools.push_back(ToolOf({{"type", "function"}, {"function", function}}, left_out));
  }
  if (!tools.empty()) line["tools"] = std::move(tools);
  for (const char* name : {"tool_choice", "function_call"})
    if (const Json* choice = FindMember(request, name); choice && *choice != "auto") ++left_out[name];
}

void ReadSchema(const Json& request, Json& line) {
  const Json* schema = nullptr;
  if (const Json* format = FindMember(request, "response_format"); format && format->is_object()) {
    const Json* named = FindMember(*format, "json_schema");
    schema = named && named->is_object() ? FindMember(*named, "schema") : FindMember(*format, "schema");
  }
  for (const char* name : {"guided_json", "json_schema"})
    if (!schema) schema = FindMember(request, name);
  if (schema && schema->is_object()) line["response_schema"] = *schema;
}

void ReadSampling(const Json& request, const std::optional<Answer>& answer, bool keep, Json& line, LeftOut& left_out) {
  Json sampling = Json::object();
  int64_t tokens = 0;
  for (const char* name : {"max_completion_tokens", "max_tokens", "n_predict"})
    if (const Json* most = FindMember(request, name); tokens <= 0 && most && most->is_number_integer())
      tokens = most->get<int64_t>();
  // Without a limit: room for twice what was answered.
  if (tokens <= 0 && answer && 2 * answer->answer_tokens > kDefaultTokens)
    tokens = (2 * answer->answer_tokens + kDefaultTokens - 1) / kDefaultTokens * kDefaultTokens;
  if (tokens > 0) sampling["max_tokens"] = std::min(tokens, kMostTokens);
  if (const Json* stop = FindMember(request, "stop"); stop && SaysSomething(*stop)) {
    Json list = stop->is_array() ? *stop : Json::array({*stop});
    std::erase_if(list.get_ref<Json::array_t&>(), [](const Json& one) { return !one.is_string() || one == ""; });
    if (!list.empty()) sampling["stop"] = std::move(list);
  }
  for (std::string_view name : kSampling) {
    const Json* value = FindMember(request, name);
    if (!value && name == "repetition_penalty") value = FindMember(request, "repeat_penalty");
    if (!value || !value->is_number()) continue;
    if (keep)
      sampling[std::string(name)] = *value;
    else if (name != "seed" && !(name == "temperature" && *value == 0) && !(name == "top_p" && *value == 1))
      ++left_out[std::string(name)];
  }
  if (!sampling.empty()) line["sampling"] = std::move(sampling);
}

/// The recorded answer where there is a whole one.
void ReadAnswer(const Captured& captured, CapturedExample& out) {
  out.no_answer = captured.no_answer;
  if (captured.response.is_null()) {
    if (out.no_answer.empty()) out.no_answer = "no answer was recorded";
    return;
  }
  try {
    Answer answer = ReadCompletion(captured.response);
    if (answer.finish == "error")
      out.no_answer = answer.error;
    else
      out.answer = std::move(answer);
  } catch (const FieldError& error) {
    out.no_answer = fmt::format("the response: {}: {}", error.field, error.message);
  }
}

}  // namespace

CapturedExample ExampleOf(const Captured& captured, bool keep_sampling, LeftOut& left_out) {
  CapturedExample out;
  out.place = captured.Place();
  if (captured.status / 100 == 4) Fail(ErrorKind::kInvalid, "the server refused it: {}", captured.no_answer);
  ReadAnswer(captured, out);
  const Json& request = captured.request;
  LeftOut of_this;
  Json line = Json::object();
  if (const Json* messages = FindMember(request, "messages")) {
    if (!messages->is_array()) Fail(ErrorKind::kInvalid, "expected messages to be a list");
    for (const Json& message : *messages) line["messages"].push_back(MessageOf(message, of_this));
    for (const Json& message : *messages)
      if (const Json* content = FindMember(message, "content"); content && *content == "redacted-by-litellm")
        Fail(ErrorKind::kInvalid, "LiteLLM redacted its messages");
    for (const char* name : {"chat_template_kwargs", "documents"})
      if (const Json* given = FindMember(request, name); given && SaysSomething(*given)) line[name] = *given;
    ReadTools(request, line, of_this);
  } else {
    const Json* prompt = FindMember(request, "prompt");
    if (prompt && prompt->is_array() && prompt->size() == 1) prompt = &(*prompt)[0];
    if (!prompt || !prompt->is_string())
      Fail(ErrorKind::kInvalid, "expected the prompt to be one text, found {}",
           prompt ? QuoteJson(*prompt, 40) : "none");
    if (const Json* suffix = FindMember(request, "suffix"); suffix && *suffix != "")
      Fail(ErrorKind::kInvalid, "it asks for what stands before a suffix");
    line["prompt"] = *prompt;
  }
  ReadSchema(request, line);
  ReadSampling(request, out.answer, keep_sampling, line, of_this);
  for (std::string_view name : kNoPlace)
    if (const Json* value = FindMember(request, name); value && SaysSomething(*value)) ++of_this[std::string(name)];
  // A member of a request and not of a task's own reading: as strict as whoever reads the file.
  try {
    ParsePrompts(DumpJson(line), "");
  } catch (const Error& error) {
    std::string_view why = error.what();
    if (why.starts_with(":1: ")) why.remove_prefix(4);
    Fail(ErrorKind::kInvalid, "{}", why);
  }
  for (const auto& [name, count] : of_this) left_out[name] += count > 0;
  if (const Json* stream = FindMember(request, "stream")) out.streamed = *stream == true;
  out.line = std::move(line);
  return out;
}

}  // namespace assay
