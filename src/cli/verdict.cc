#include "cli/verdict.h"

#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace assay {

void AddInOrder(CLI::App& command, bool& in_order) {
  command.add_flag("--in-order", in_order,
                   "recommend by the order given (best first) instead of from the largest file down");
}

void AddFailOn(CLI::App& command, std::string& fail_on) {
  command
      .add_option("--fail-on", fail_on,
                  "which verdicts give a failing exit code: cracks (3), cant-tell (3 and 4), never")
      ->check(CLI::IsMember({"cracks", "cant-tell", "never"}))
      ->capture_default_str();
}

int VerdictExitCode(std::span<const Comparison> comparisons, const std::string& fail_on) {
  bool cracks = false, unsure = false;
  for (const Comparison& c : comparisons) {
    auto look = [&](const Judgement& j) {
      if (!j.judged) return;
      cracks |= j.verdict == Verdict::kCracks;
    };
    look(c.all);
    for (const Judgement& slice : c.slices) look(slice);
    unsure |= !c.comparable || c.all.verdict != Verdict::kHolds;
  }
  if (fail_on == "never") return kHolds;
  if (cracks) return kCracks;
  return unsure && fail_on == "cant-tell" ? kCantTell : kHolds;
}

}  // namespace assay
