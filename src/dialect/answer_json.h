#pragma once
// JSON out of an answer: the whole answer, parsed strictly (no duplicate keys, NaN, comments or trailing commas), or
// the content of exactly one ```json fence, which counts as recovered.

#include <string>
#include <string_view>

#include "base/json.h"

namespace assay {

struct AnswerJson {
  bool ok = false;
  bool recovered = false;  // taken from the fence
  Json value;
  std::string error;  // where the parse failed
};

AnswerJson ParseAnswerJson(std::string_view text);

/// The same, and where the answer is no JSON as a whole, the first object or list in it that is strict JSON: recovered.
/// Of what opens there, the first 1,000 are tried.
AnswerJson FindAnswerJson(std::string_view text);

/// The content of the only fence, which is closed and marked json; data() == nullptr when there is no such fence or
/// another one.
std::string_view OnlyJsonFence(std::string_view text);

/// End of the JSON value that begins at `begin` ('{' or '['), npos when it does not end.
size_t JsonValueEnd(std::string_view text, size_t begin);

/// Strict parse without exceptions.
bool ParseStrictJson(std::string_view text, Json& value, std::string& error);

}  // namespace assay
