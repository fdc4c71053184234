#pragma once
// From verdicts and runs to exit codes, one rule for `run`, `check` and `compare`.

#include <span>
#include <string>

#include "evidence/comparison.h"
#include "record/run_record.h"

namespace assay {

class CommandLine;
struct CommonFlags;

/// Adds --fail-on cracks|cant-tell|never.
void AddFailOn(CommandLine& command, std::string& fail_on);

/// Adds --in-order (evidence/advice.h).
void AddInOrder(CommandLine& command, bool& in_order);
void AddAllowDifference(CommandLine& command, bool& allow);
/// Says where the switch would help.
void NoteAllowable(const std::vector<Comparison>& comparisons, const CommonFlags& flags);

/// The worst verdict decides: 3 when a candidate cracks, else 4 when one cannot be told (or compared), else 0.
/// --fail-on cracks makes 4 a 0, --fail-on never both.
int VerdictExitCode(std::span<const Comparison> comparisons, const std::string& fail_on);

/// Says how many examples of a run could not be answered. Throws Error{kInvalid} when none was: such a run says nothing
/// about its model, whatever --fail-on.
void RequireAnswers(const RunRecord& run, const CommonFlags& flags);

}  // namespace assay
