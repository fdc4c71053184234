#pragma once
// Doubts about a well-formed task: too few examples, checks that cannot fail, duplicate prompts. See CheckTask.

#include <vector>

#include "task/task.h"

namespace assay {

/// All are warnings. broken: the file has mistakes, so examples may be incomplete and counts are not judged.
std::vector<TaskProblem> LintTask(const Task& task, bool broken);

}  // namespace assay
