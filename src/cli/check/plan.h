#pragma once
// The plan of a check: what each model will be asked and measured that the cache does not know, how long that may take,
// and what is written.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/memory.h"
#include "engine/speed.h"

namespace assay {

/// One leg of one model. Tokens are those of what is open, at most.
struct PlannedLeg {
  std::string what;               // "answers", "perplexity" …
  int64_t open = 0, known = 0;    // answers, or measurements: to be made, and in the cache
  int64_t read_tokens = 0;        // of prompts
  int64_t scored_tokens = 0;      // of texts whose every token is predicted
  int64_t written_tokens = 0;     // by several sequences at once
  int64_t alone_tokens = 0;       // one after the other
  uint64_t bytes = 0;             // of a model that is made, about
  std::string place;              // where
  std::optional<double> seconds;  // at most, estimated; none: nobody knows
};

struct PlannedModel {
  std::string name;
  bool server = false;  // its times are its own
  std::vector<PlannedLeg> legs;
};

struct CheckPlan {
  std::string task;
  int64_t examples = 0, samples = 1, longest_prompt = 0, longest = 0, context = 0;  // tokens; context 0: not known
  std::vector<PlannedModel> models;                                                 // the baseline first
  std::vector<std::string> files;                                                   // that are written
  std::optional<MemoryUse> memory;  // of the baseline with its longest example
  uint64_t memory_limit = 0;
  std::optional<SpeedGlimpse> speed;  // of the baseline
  /// Whether a model in files has anything to do whose time can be estimated.
  bool wants_speed() const;
  /// Sets the seconds of legs, from the baseline's speed.
  void Estimate(const SpeedGlimpse& glimpse);
};

/// Lines for people.
std::string PlanText(const CheckPlan& plan);
Json ToJson(const CheckPlan& plan);

}  // namespace assay
