#pragma once
// What a user gives as a file or on standard input.

#include <string>

#include "cli/command.h"
#include "task/task.h"

namespace assay {

/// The whole file, or standard input for "-". More than ReadFile's limit is refused.
std::string ReadInput(const std::string& path);

/// LoadTask, and a remark where the task's checks are drafts that nobody has looked at.
Task ReadTask(const std::string& path, const CommonFlags& flags);

}  // namespace assay
