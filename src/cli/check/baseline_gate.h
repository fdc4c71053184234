#pragma once
// A baseline that fails more than it passes: more often the task or its checks are wrong than the model.

#include <string>

#include "cli/command.h"
#include "record/run_record.h"

namespace assay {

/// Shows how it fails, by class and its first failures, and asks on a terminal whether to go on; without one, or where
/// the answer is no, throws Error{kInvalid}. `go_on`: it is told, and not asked (--weak-baseline). `task`, `model`: as
/// the user named them.
void RequireStrongBaseline(const RunRecord& run, const std::string& task, const std::string& model, bool go_on,
                           const CommonFlags& flags);

}  // namespace assay
