#include "task/answer_json.h"

#include "base/error.h"
#include "base/strings.h"

namespace assay {

bool ParseStrictJson(std::string_view text, Json& value, std::string& error) {
  try {
    value = ParseJson(text, "", /*strict=*/true);
    return true;
  } catch (const Error& e) {
    std::string_view message = e.what();
    if (message.starts_with(": ")) message.remove_prefix(2);
    if (message.starts_with("not JSON: ")) message.remove_prefix(10);
    error = message;
    return false;
  }
}

std::string_view OnlyJsonFence(std::string_view text) {
  constexpr std::string_view kFence = "```";
  size_t open = text.find(kFence);
  if (open == std::string_view::npos) return {};
  size_t body = text.find('\n', open);
  if (body == std::string_view::npos) return {};
  if (ToLowerAscii(Trim(text.substr(open + kFence.size(), body - open - kFence.size()))) != "json") return {};
  size_t close = text.find(kFence, body);
  if (close == std::string_view::npos) return {};
  if (text.find(kFence, close + kFence.size()) != std::string_view::npos) return {};  // which one is meant?
  return text.substr(body + 1, close > body ? close - body - 1 : 0);
}

AnswerJson ParseAnswerJson(std::string_view text) {
  AnswerJson result;
  result.ok = ParseStrictJson(Trim(text), result.value, result.error);
  if (result.ok) return result;
  std::string_view fenced = OnlyJsonFence(text);
  if (!fenced.data()) return result;
  std::string error;
  result.ok = ParseStrictJson(Trim(fenced), result.value, error);
  if (result.ok) {
    result.recovered = true;
    result.error.clear();
  } else {
    result.error = "in the ```json fence: " + error;
  }
  return result;
}

}  // namespace assay
