#include "capture/responses.h"

#include <fmt/core.h>

#include "base/json_member.h"
#include "task/check/check.h"

namespace assay {
namespace {

std::string ErrorText(const Json& error) {
  if (error.is_string()) return error.get<std::string>();
  if (error.is_object())
    if (const Json* message = FindMember(error, "message"); message && message->is_string())
      return message->get<std::string>();
  return QuoteJson(error, 200);
}

Json Completion(Json message) {
  return {{"choices", Json::array({{{"message", std::move(message)}, {"finish_reason", nullptr}}})}};
}

}  // namespace

ReadResponse ResponseOf(const Json& said) {
  if (said.is_string()) return {Completion({{"role", "assistant"}, {"content", said}}), {}};
  if (!said.is_object()) return {{}, fmt::format("expected an answer, found {}", said.type_name())};
  if (const Json* error = FindMember(said, "error")) return {{}, ErrorText(*error)};
  if (const Json* body = FindMember(said, "body"); body && body->is_object()) {
    ReadResponse inner = ResponseOf(*body);
    const Json* status = FindMember(said, "status_code");
    if (inner.why.empty() && status && status->is_number_integer() && status->get<int64_t>() / 100 != 2)
      return {{}, fmt::format("HTTP {}", status->get<int64_t>())};
    return inner;
  }
  if (FindMember(said, "choices")) return {said, {}};
  if (said.contains("content") || said.contains("tool_calls") || said.contains("function_call"))
    return {Completion(said), {}};
  return {{}, "an answer in a form that is not read: " + QuoteJson(said, 80)};
}

}  // namespace assay
