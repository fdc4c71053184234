#pragma once
// A captured request as a line of a task file (docs/tasks.md), without its checks; and what of it a task has no place
// for, counted.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/json.h"
#include "capture/captured.h"
#include "task/backend.h"

namespace assay {

struct CapturedExample {
  std::string place;  // "traffic.jsonl:12"
  Json line;          // members of an example, "id" and "slice" included once they are given
  bool streamed = false;
  std::optional<Answer> answer;  // recorded, whole
  std::string no_answer;         // why there is none
};

/// What was left out of requests, each with how often: "tool_choice", "temperature" …
using LeftOut = std::map<std::string, int64_t>;

/// Throws Error{kInvalid} for a request that no task can hold (images, other kinds of tools …): why, without a place.
/// `keep_sampling`: temperature and the like go into the example, which is drawn then and not answered greedily.
CapturedExample ExampleOf(const Captured& captured, bool keep_sampling, LeftOut& left_out);

}  // namespace assay
