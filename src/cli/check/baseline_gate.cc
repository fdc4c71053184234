#include "cli/check/baseline_gate.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "dialect/answer_text.h"

namespace assay {
namespace {

constexpr size_t kShown = 5;          // failures
constexpr size_t kAnswerBytes = 120;  // of each answer

std::string Failures(const RunRecord& run) {
  std::map<std::string, int64_t> counts;
  std::vector<const ExampleResult*> first;
  for (const ExampleResult& result : run.examples) {
    if (result.pass || !result.error.empty()) continue;
    ++counts[result.failure()];
    if (first.size() < kShown && (first.empty() || first.back()->id != result.id)) first.push_back(&result);
  }
  std::vector<std::pair<std::string, int64_t>> classes(counts.begin(), counts.end());
  std::stable_sort(classes.begin(), classes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text = "\n  failed:";
  for (size_t i = 0; i < classes.size(); ++i)
    text += fmt::format("{} {} {}", i ? "," : "", classes[i].first, classes[i].second);
  for (const ExampleResult* result : first) {
    const auto check =
        std::find_if(result->checks.begin(), result->checks.end(), [](const auto& c) { return !c.pass; });
    text += fmt::format("\n  {}: {}: {}{}\n    answer: {}", result->id, check->type, check->failure,
                        check->detail.empty() ? "" : ": " + check->detail, Quote(result->answer, kAnswerBytes));
  }
  return text;
}

}  // namespace

void RequireStrongBaseline(const RunRecord& run, const std::string& task, const std::string& model, bool go_on,
                           const CommonFlags& flags) {
  const auto passed = std::count_if(run.examples.begin(), run.examples.end(), [](const auto& e) { return e.pass; });
  const auto failed =
      std::count_if(run.examples.begin(), run.examples.end(), [](const auto& e) { return !e.pass && e.error.empty(); });
  if (failed <= passed) return;
  const std::string text = fmt::format(
      "the baseline ({}) fails {} of {} {} and passes {}: the task or its checks are wrong more often than "
      "the model{}",
      run.header.model.name, failed, run.examples.size(), run.header.samples > 1 ? "answers" : "examples", passed,
      Failures(run));
  if (go_on) return Note(flags, text);
  const std::string look = fmt::format("\n  what it is asked: assay task show {} {} --id {}", task, model,
                                       std::find_if(run.examples.begin(), run.examples.end(), [](const auto& e) {
                                         return !e.pass && e.error.empty();
                                       })->id);
  if (!flags.json && !flags.quiet)
    if (const std::optional<bool> agreed = Agrees(text + look + "\ngo on all the same?")) {
      if (*agreed) return;
      Fail(ErrorKind::kInvalid, "stopped at a baseline that fails more than it passes (--weak-baseline does not ask)");
    }
  Fail(ErrorKind::kInvalid, "{}{}\n  --weak-baseline goes on all the same", text, look);
}

}  // namespace assay
