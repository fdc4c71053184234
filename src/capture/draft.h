#pragma once
// Checks drafted from a recorded answer, for a person to correct: a call becomes the call that is expected, JSON the
// value, a number, a letter or a few words themselves. Free text gets none.

#include <optional>
#include <string>

#include "base/json.h"
#include "task/backend.h"

namespace assay {

struct DraftedChecks {
  Json expect;        // list of checks; null: none, because:
  std::string why;    // "free text", "cut at max_tokens" …
  std::string slice;  // by the kind of answer: "tools", "no-call", "json", "choice", "number", "short", "text"
};

/// `example`: a line of a task without "expect". What is drafted passes on `answer`, or is not drafted.
DraftedChecks DraftChecks(const Json& example, const Answer& answer);

}  // namespace assay
