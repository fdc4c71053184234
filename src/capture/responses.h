#pragma once
// Answers as logs hold them, in one form.

#include <string>

#include "base/json.h"

namespace assay {

struct ReadResponse {
  Json response;    // of a completion with one choice; null where there is no answer:
  std::string why;  // as was said
};

/// From a response of a completion, one wrapped with its status (OpenAI's batches: status_code, body), a message, or a
/// text.
ReadResponse ResponseOf(const Json& said);

}  // namespace assay
