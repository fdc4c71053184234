#include "dialect/answer_json.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "dialect/fence.h"

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

size_t JsonValueEnd(std::string_view text, size_t begin) {
  int depth = 0;
  bool in_string = false;
  for (size_t at = begin; at < text.size(); ++at) {
    char c = text[at];
    if (in_string) {
      if (c == '\\')
        ++at;
      else if (c == '"')
        in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at + 1;
  }
  return std::string_view::npos;
}

std::string_view OnlyJsonFence(std::string_view text) {
  std::vector<Fence> fences = Fences(text);
  if (fences.size() != 1) return {};  // which one is meant?
  return fences[0].closed && fences[0].language == "json" ? fences[0].content : std::string_view();
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

AnswerJson FindAnswerJson(std::string_view text) {
  constexpr int kMostTries = 1000;
  constexpr size_t kMostBytes = size_t{1} << 26;  // that all tries read
  AnswerJson result = ParseAnswerJson(text);
  if (result.ok) return result;
  int tries = 0;
  size_t read = 0;
  for (size_t at = text.find_first_of("{["); at != std::string_view::npos && tries < kMostTries && read < kMostBytes;
       at = text.find_first_of("{[", at + 1), ++tries) {
    const size_t end = JsonValueEnd(text, at);
    read += std::min(end, text.size()) - at;
    std::string error;
    if (end == std::string_view::npos || !ParseStrictJson(text.substr(at, end - at), result.value, error)) continue;
    result.ok = result.recovered = true;
    result.error.clear();
    return result;
  }
  result.error =
      tries == 0 ? "no JSON object or list in the answer" : "what opens with { or [ in the answer is no JSON";
  return result;
}

}  // namespace assay
