#pragma once
// assay task show: what is in a task, and what a model gets of it.

#include <string>

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/prompt_flags.h"
#include "cli/server/server_arm.h"
#include "task/task.h"

namespace assay {

struct ShowOptions {
  std::string model, id;  // empty: the task alone; all examples
  bool tokens = false;
  PromptFlags prompt;
  ServerFlags server;
  /// Whether a flag was given that is a model's.
  bool of_model() const;
};
/// All but --id, which is not its own alone.
void AddShowFlags(CommandLine& command, ShowOptions& options);

/// The example of that id; throws Error{kInvalid} with the nearest.
const Example& FindExample(const Task& task, const std::string& path, const std::string& id);

int ShowTask(const std::string& path, const ShowOptions& options, const CommonFlags& flags);

}  // namespace assay
