#pragma once
// From verdicts and runs to exit codes, one rule for `run`, `check` and `compare`.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "evidence/comparison.h"
#include "record/run_record.h"

namespace assay {

class CommandLine;
struct CommonFlags;

/// Which verdicts give a failing exit code.
struct ExitRule {
  std::string fail_on = "cant-tell";  // cracks|cant-tell|none-holds|never
  std::vector<std::string> require;   // candidates by name: those alone decide; empty: `fail_on` does
};
/// Adds --fail-on and --require.
void AddExitRule(CommandLine& command, ExitRule& rule);

/// What a candidate may be called by a user, best first.
using CandidateNames = std::vector<std::string>;
/// The candidates that are required. Throws Error{kInvalid} for a name that none has.
std::vector<size_t> RequiredCandidates(const ExitRule& rule, std::span<const CandidateNames> candidates);

/// Adds --in-order (evidence/advice.h).
void AddInOrder(CommandLine& command, bool& in_order);
void AddAllowDifference(CommandLine& command, bool& allow);
/// Says where the switch would help.
void NoteAllowable(const std::vector<Comparison>& comparisons, const CommonFlags& flags);

/// Of candidates that are not comparable nothing can be said: that is an error (1), told with its reasons, and no
/// verdict. Else the worst verdict decides: 3 when a candidate cracks, else 4 when one cannot be told, else 0. With
/// candidates that are `required` those alone count; --fail-on cracks makes 4 a 0, none-holds both where another
/// candidate holds, never both.
int VerdictExitCode(std::span<const Comparison> comparisons, const ExitRule& rule, std::span<const size_t> required);

/// Says how many examples of a run could not be answered. Throws Error{kInvalid} when none was: such a run says nothing
/// about its model, whatever --fail-on.
void RequireAnswers(const RunRecord& run, const CommonFlags& flags);

}  // namespace assay
