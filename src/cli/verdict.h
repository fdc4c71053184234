#pragma once
// From verdicts to exit codes, one rule for `check` and `compare`.

#include <span>
#include <string>

#include "evidence/comparison.h"

namespace CLI {
class App;
}

namespace assay {

/// Adds --fail-on cracks|cant-tell|never.
void AddFailOn(CLI::App& command, std::string& fail_on);

/// Adds --in-order (evidence/advice.h).
void AddInOrder(CLI::App& command, bool& in_order);

/// The worst verdict decides: 3 when a candidate cracks, else 4 when one cannot be told (or compared), else 0.
/// --fail-on cracks makes 4 a 0, --fail-on never both.
int VerdictExitCode(std::span<const Comparison> comparisons, const std::string& fail_on);

}  // namespace assay
