#include "cli/verdict.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "cli/command.h"

namespace assay {
namespace {

/// Presets are named in any case, with '-' for '_'.
bool SameName(std::string_view a, std::string_view b) {
  const auto plain = [](char c) {
    return c == '-' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return plain(x) == plain(y); });
}

bool Cracks(const Comparison& comparison) {
  const auto cracks = [](const Judgement& group) { return group.judged && group.verdict == Verdict::kCracks; };
  return cracks(comparison.all) || std::any_of(comparison.slices.begin(), comparison.slices.end(), cracks);
}

}  // namespace

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

void AddExitRule(CommandLine& command, ExitRule& rule) {
  Flag fail_on =
      command
          .Option(
              "--fail-on", rule.fail_on,
              "which verdicts give a failing exit code: cracks (3), cant-tell (3 and 4), none-holds (3 and 4, where "
              "no candidate holds), never")
          .OneOf({"cracks", "cant-tell", "none-holds", "never"})
          .ShowDefault();
  command
      .Option("--require", rule.require,
              "candidates that must hold, comma-separated: exit code 0 when all of them do, 3 when one cracks, else 4")
      .CommaSeparated()
      .Excludes(fail_on);
}

std::vector<size_t> RequiredCandidates(const ExitRule& rule, std::span<const CandidateNames> candidates) {
  std::vector<size_t> required;
  for (const std::string& name : rule.require) {
    const size_t before = required.size();
    for (size_t i = 0; i < candidates.size(); ++i)
      if (std::any_of(candidates[i].begin(), candidates[i].end(),
                      [&](const std::string& called) { return SameName(called, name); }))
        required.push_back(i);
    if (required.size() > before) continue;
    std::vector<std::string> names;
    for (const CandidateNames& called : candidates) names.push_back(called.front());
    Fail(ErrorKind::kInvalid, "--require {}: no candidate of that name; expected {}", name, Join(names, ", "));
  }
  return required;
}

int VerdictExitCode(std::span<const Comparison> comparisons, const ExitRule& rule, std::span<const size_t> required) {
  std::vector<const Comparison*> counted;
  for (size_t i : required) counted.push_back(&comparisons[i]);
  if (rule.require.empty())
    for (const Comparison& comparison : comparisons) counted.push_back(&comparison);
  bool error = false, cracks = false, unsure = false, holds = false;
  for (const Comparison* c : counted) {
    if (!c->comparable) {
      PrintError(fmt::format("{} is not comparable with {}: {}", c->candidate, c->baseline, Join(c->obstacles, "; ")));
      error = true;
      continue;
    }
    const bool cracked = Cracks(*c), held = !cracked && c->all.verdict == Verdict::kHolds;
    cracks |= cracked;
    holds |= held;
    unsure |= !cracked && !held;
  }
  if (rule.fail_on == "none-holds" && holds) return kHolds;
  if (error) return kError;
  if (rule.fail_on == "never") return kHolds;
  if (cracks) return kCracks;
  return unsure && rule.fail_on != "cracks" ? kCantTell : kHolds;
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
