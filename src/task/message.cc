#include "task/message.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/json_member.h"
#include "base/json_number.h"
#include "dialect/answer_json.h"
#include "dialect/call/call_body.h"
#include "task/check/check.h"

namespace assay {
namespace {

[[noreturn]] void Expected(std::string field, std::string_view expected, const Json& found) {
  throw FieldError{std::move(field), fmt::format("expected {}, found {}", expected, TypeName(found))};
}

/// A text, or a list of parts of which all are texts.
std::string ContentText(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) Expected("content", "a string or a list of text parts", content);
  std::string text;
  for (size_t i = 0; i < content.size(); ++i) {
    const Json& part = content[i];
    const std::string field = fmt::format("content[{}]", i);
    if (!part.is_object()) Expected(field, "an object with \"type\" and \"text\"", part);
    const Json* type = FindMember(part, "type");
    const Json* words = FindMember(part, "text");
    if (!type || *type != "text" || !words || !words->is_string())
      throw FieldError{field, "expected {\"type\": \"text\", \"text\": …}: only text is checked"};
    text += words->get<std::string>();
  }
  return text;
}

void CheckFunction(const Json& function, const std::string& field) {
  if (!function.is_object()) Expected(field, "an object with \"name\" and \"arguments\"", function);
  const Json* name = FindMember(function, "name");
  if (!name || !name->is_string()) throw FieldError{field + ".name", "expected the name of a function"};
  const Json* arguments = FindMember(function, "arguments");
  if (arguments && !arguments->is_string() && !arguments->is_object())
    Expected(field + ".arguments", "a string that holds a JSON object, or an object", *arguments);
}

void CheckCalls(const Json& calls) {
  if (!calls.is_array()) Expected("tool_calls", "a list", calls);
  for (size_t i = 0; i < calls.size(); ++i) {
    const std::string field = fmt::format("tool_calls[{}]", i);
    if (!calls[i].is_object()) Expected(field, "an object with \"function\"", calls[i]);
    auto function = calls[i].find("function");
    if (function == calls[i].end()) throw FieldError{field + ".function", "is missing"};
    CheckFunction(*function, field + ".function");
  }
}

constexpr std::array<std::string_view, 8> kStops = {"stop",          "tool_calls", "function_call", "eos",
                                                    "stop_sequence", "end_turn",   "tool_use",      "eos_token"};
constexpr std::array<std::string_view, 3> kCuts = {"length", "max_tokens", "model_length"};

std::string ErrorText(const Json& error) {
  if (error.is_string()) return error.get<std::string>();
  if (error.is_object())
    if (const Json* message = FindMember(error, "message"); message && message->is_string())
      return message->get<std::string>();
  return DumpJson(error);  // whole: who shows it cuts it, after taking keys out
}

int64_t TokensOf(const Json& usage, std::string_view key) {
  const Json* tokens = usage.is_object() ? FindMember(usage, key) : nullptr;
  return tokens && tokens->is_number_integer() ? std::max<int64_t>(0, tokens->get<int64_t>()) : 0;
}

}  // namespace

void SetFinish(const Json& reason, const std::string& field, Answer& answer) {
  answer.finish = "stop";
  if (reason.is_null()) return;
  if (!reason.is_string()) Expected(field, "a string", reason);
  const auto& name = reason.get_ref<const std::string&>();
  if (std::find(kStops.begin(), kStops.end(), name) != kStops.end()) return;
  if (std::find(kCuts.begin(), kCuts.end(), name) != kCuts.end()) {
    answer.finish = "length";
    return;
  }
  answer.finish = "error";
  answer.error = fmt::format("the server ended the answer with finish_reason {}", Quote(name, 40));
}

void SetError(const Json& error, Answer& answer) {
  answer.finish = "error";
  answer.error = "no answer was given: " + ErrorText(error);
}

Answer ReadCompletion(const Json& response) {
  Answer answer;
  if (const Json* error = FindMember(response, "error")) {
    SetError(*error, answer);
    return answer;
  }
  const Json* choices = FindMember(response, "choices");
  if (!choices) throw FieldError{"choices", "is missing: expected the response of a chat completion"};
  if (!choices->is_array()) Expected("choices", "a list", *choices);
  if (choices->size() != 1)
    throw FieldError{"choices",
                     fmt::format("expected one answer, found {}: give one line for each id", choices->size())};
  const Json& choice = (*choices)[0];
  if (!choice.is_object()) Expected("choices[0]", "an object with \"message\"", choice);
  if (const Json* message = FindMember(choice, "message")) {
    answer = FieldError::Within("choices[0].message", [&] { return ReadMessage(*message); });
  } else {
    const Json* text = FindMember(choice, "text");
    if (!text || !text->is_string()) throw FieldError{"choices[0].message", "is missing, and so is \"text\""};
    answer.text = text->get<std::string>();
  }
  SetFinish(choice.value("finish_reason", Json()), "choices[0].finish_reason", answer);
  if (const Json* usage = FindMember(response, "usage")) {
    answer.prompt_tokens = TokensOf(*usage, "prompt_tokens");
    answer.answer_tokens = TokensOf(*usage, "completion_tokens");
  }
  return answer;
}

Answer ReadMessage(const Json& message) {
  if (!message.is_object()) Expected("", "an assistant message {\"content\": …, \"tool_calls\": …}", message);
  if (const Json* role = FindMember(message, "role"); role && *role != "assistant")
    throw FieldError{"role", fmt::format("expected \"assistant\", found {}", QuoteJson(*role, 40))};
  Answer answer;
  const Json* content = FindMember(message, "content");
  const Json* refusal = FindMember(message, "refusal");
  if (content)
    answer.text = ContentText(*content);
  else if (refusal && refusal->is_string())
    answer.text = refusal->get<std::string>();
  const Json* calls = FindMember(message, "tool_calls");
  const Json* old_call = FindMember(message, "function_call");
  if (calls) {
    CheckCalls(*calls);
    answer.tool_calls = *calls;
  } else if (old_call) {
    CheckFunction(*old_call, "function_call");
    answer.tool_calls = Json::array({Json{{"type", "function"}, {"function", *old_call}}});
  }
  for (const char* key : {"reasoning_content", "reasoning"})
    if (const Json* thought = FindMember(message, key); thought && thought->is_string())
      answer.reasoning = thought->get<std::string>();
  if (!content && !refusal && !calls && !old_call && answer.reasoning.empty() && !message.contains("content"))
    throw FieldError{"content", "is missing, and so is \"tool_calls\""};
  return answer;
}

ParsedCalls ReadMessageCalls(const Json& tool_calls, const Json& tools) {
  ParsedCalls out;
  out.syntax = "tool_calls";
  const OfferedTools offered(tools);
  for (const Json& item : tool_calls) {
    if (out.calls.size() >= kMaxCalls) {
      out.error = fmt::format("more than {} calls", kMaxCalls);
      break;
    }
    const Json& function = item["function"];
    ToolCall call{offered.Resolve(function["name"].get<std::string>()), Json::object()};
    if (const Json* arguments = FindMember(function, "arguments")) {
      if (arguments->is_object()) {
        call.arguments = *arguments;
      } else if (const auto& text = arguments->get_ref<const std::string&>(); !IsBlank(text)) {
        std::string error;
        if (!ParseStrictJson(text, call.arguments, error)) {
          out.error = fmt::format("the arguments of {} are no JSON: {}", Quote(call.name, 60), error);
          break;
        }
        if (!call.arguments.is_object()) {
          out.error = fmt::format("the arguments of {} are {}, expected an object", Quote(call.name, 60),
                                  TypeName(call.arguments));
          break;
        }
      }
    }
    out.calls.push_back(std::move(call));
  }
  return out;
}

std::string CallsAsText(const Json& tool_calls) {
  std::string out;
  for (const Json& item : tool_calls) {
    const Json& function = item["function"];
    const Json* arguments = FindMember(function, "arguments");
    out += fmt::format("<tool_call>\n{{\"name\": {}, \"arguments\": {}}}\n</tool_call>", DumpJson(function["name"]),
                       !arguments               ? "{}"
                       : arguments->is_string() ? arguments->get<std::string>()
                                                : DumpJson(*arguments));
  }
  return out;
}

}  // namespace assay
