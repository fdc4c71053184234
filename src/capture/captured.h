#pragma once
// One request out of a log, in OpenAI's words whatever the log's layout, with what was answered.

#include <cstdint>
#include <string>

#include "base/json.h"

namespace assay {

struct Captured {
  std::string file;
  int64_t line = 0;       // an element's number where the file is a JSON array
  Json request;           // body of a chat or text completion: "messages" or "prompt", "tools" …
  Json response;          // of a completion, with "choices"; null: none was recorded
  std::string no_answer;  // why there is none, as the log says; empty: it says nothing of it
  int status = 0;         // of HTTP where the log has it
  std::string Place() const { return file + ":" + std::to_string(line); }
};

}  // namespace assay
