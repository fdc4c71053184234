#pragma once
// A run in a few lines: of `run` and `score`.

#include "record/run_record.h"

namespace assay {

/// How many passed, in all and by slice, the classes of failures, and what could not be answered.
void PrintSummary(const RunRecord& run);
/// The run as --json shows it; `file` is where it is kept, empty: nowhere.
Json SummaryJson(const RunRecord& run, const std::string& file);

}  // namespace assay
