#pragma once
// When two answers to one prompt are the same for a task: no check of the kinds that it makes of such prompts can pass
// one and fail the other, whatever value it expects. Then a prompt says something about two models although nobody
// knows its right answer. In doubt answers differ. docs/tasks.md ("Unlabelled prompts") is the reference.

#include <string>
#include <string_view>

#include "record/run_record.h"
#include "task/task.h"

namespace assay {

/// Gives each prompt one check that judges nothing: it passes whatever is said, and its detail is the answer's reading,
/// "NOTION:HASH", which equal answers share. The notion is chosen by what the answer is and by the checks of `labelled`
/// that may be asked of the prompt: those of its slice, or, where the task has no such slice, of the examples that
/// offer tools as it does, or none.
void ReadAnswersAs(const Task& labelled, Task& prompts);

/// The type of that check.
inline constexpr char kReadingCheck[] = "reading";

}  // namespace assay
