#pragma once
// Answers that repeat themselves without end: damage of its own kind, which a failed check does not name.

#include "record/run_record.h"

namespace assay {

/// Whether a cut answer ends in one sequence of tokens (of bytes, where no tokens are known) three times or more, over
/// 16 tokens (64 bytes) at least: shorter tails are tables and numbers.
bool EndsInRepetition(const ExampleResult& result);

}  // namespace assay
