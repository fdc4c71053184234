#pragma once
// A task as one model is asked it, before anything is answered: what cannot be asked, how long the prompts are, and
// which answers the cache knows.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/arm.h"
#include "cli/check/problems.h"
#include "task/task.h"

namespace assay {

struct PosedExample {
  std::string error;                           // why it cannot be asked; empty: it can
  std::string prompt_hash;                     // as in its result
  int64_t prompt_tokens = -1, max_tokens = 0;  // -1: not known
};

struct PosedTask {
  std::vector<PosedExample> examples;       // in task order
  int64_t longest_prompt = 0, longest = 0;  // tokens; with the answer
};

/// How a model is asked: what it makes of a question, and why that cannot be answered (empty: it can).
struct Asking {
  std::function<Prompt(const Question&)> prepare;
  std::function<std::string(const Prompt&, int64_t max_tokens)> refusal;
};

PosedTask Pose(const Task& task, const Sampling& defaults, const Asking& asking);

/// Keys of the answers to an example that are generated: one where all its samples are one. `origin` with a
/// fingerprint, unless only their number is of interest.
std::vector<std::string> AnswerKeys(const Example& example, const PosedExample& posed, const RunHeader& origin,
                                    const Sampling& defaults, int64_t samples);

/// More examples that cannot be asked than a comparison may leave out are a problem; fewer are told. `problems` null:
/// they are told in any case.
void RequirePosable(const std::string& model, const PosedTask& posed, const Task& task, Problems* problems,
                    const CommonFlags& flags);

}  // namespace assay
