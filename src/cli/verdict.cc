#include "cli/verdict.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "cli/command.h"

namespace assay {

void AddInOrder(CommandLine& command, bool& in_order) {
  command.Switch("--in-order", in_order,
                 "recommend by the order given (best first) instead of from the largest file down");
}

void AddAllowDifference(CommandLine& command, bool& allow) {
  command.Switch("--allow-difference", allow,
                 "compare models whose prompts, templates or servers' settings differ; the report says what does");
}

void NoteAllowable(const std::vector<Comparison>& comparisons, const CommonFlags& flags) {
  if (std::any_of(comparisons.begin(), comparisons.end(),
                  [](const Comparison& comparison) { return comparison.differs && !comparison.comparable; }))
    Note(flags, "the models were asked or are run differently: --allow-difference compares them all the same");
}

void AddFailOn(CommandLine& command, std::string& fail_on) {
  command
      .Option("--fail-on", fail_on, "which verdicts give a failing exit code: cracks (3), cant-tell (3 and 4), never")
      .OneOf({"cracks", "cant-tell", "never"})
      .ShowDefault();
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

void RequireAnswers(const RunRecord& run, const CommonFlags& flags) {
  const auto failed = [](const ExampleResult& e) { return !e.error.empty(); };
  const auto first = std::find_if(run.examples.begin(), run.examples.end(), failed);
  if (first == run.examples.end()) return;
  const auto count = static_cast<size_t>(std::count_if(first, run.examples.end(), failed));
  const std::string text =
      fmt::format("{} on {}: {} of {} examples could not be answered; the first, {}: {}", run.header.model.name,
                  run.header.task_name, count, run.examples.size(), first->id, first->error);
  if (count == run.examples.size()) Fail(ErrorKind::kInvalid, "{}", text);
  Note(flags, text);
}

}  // namespace assay
