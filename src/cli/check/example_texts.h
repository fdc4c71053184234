#pragma once
// What a report shows of examples beside their answers.

#include <vector>

#include "record/check_record.h"
#include "task/task.h"

namespace assay {

/// In task order.
std::vector<ExampleText> ExampleTexts(const Task& task);

}  // namespace assay
