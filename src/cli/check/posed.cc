#include "cli/check/posed.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "evidence/comparison.h"
#include "task/runner.h"

namespace assay {
namespace {

constexpr size_t kShown = 3;  // examples that cannot be asked, of all

}  // namespace

std::vector<std::string> AnswerKeys(const Example& example, const PosedExample& posed, const RunHeader& origin,
                                    const Sampling& defaults, int64_t samples) {
  Sampling sampling = SamplingOf(example, defaults);
  const uint64_t seed = sampling.seed;
  const int64_t answers = origin.can.same_bits && IsGreedy(example, defaults) ? 1 : samples;
  std::vector<std::string> keys;
  for (int64_t k = 0; k < answers; ++k) {
    sampling.seed = SeedOf(seed, example.id, k);
    keys.push_back(AnswerKey(origin, posed.prompt_hash, sampling));
  }
  return keys;
}

PosedTask Pose(const Task& task, const Sampling& defaults, const Asking& asking) {
  PosedTask posed;
  for (const Example& example : task.examples) {
    PosedExample& one = posed.examples.emplace_back();
    try {
      one.max_tokens = SamplingOf(example, defaults).max_tokens;
      const Question question = QuestionOf(example);
      const Prompt prompt = asking.prepare(question);
      one.error = asking.refusal(prompt, one.max_tokens);
      one.prompt_hash = prompt.ids.empty() ? QuestionHash(question) : PromptHash(prompt.ids);
      if (!prompt.ids.empty()) one.prompt_tokens = std::ssize(prompt.ids);
    } catch (const Error& error) {
      one.error = error.what();
    }
    if (!one.error.empty()) continue;
    posed.longest_prompt = std::max(posed.longest_prompt, one.prompt_tokens);
    posed.longest = std::max(posed.longest, one.prompt_tokens + one.max_tokens);
  }
  return posed;
}

void RequirePosable(const std::string& model, const PosedTask& posed, const Task& task, Problems* problems,
                    const CommonFlags& flags) {
  std::vector<std::string> shown;
  size_t failed = 0;
  for (size_t i = 0; i < posed.examples.size(); ++i) {
    if (posed.examples[i].error.empty()) continue;
    if (++failed <= kShown) shown.push_back(fmt::format("{}: {}", task.examples[i].id, posed.examples[i].error));
  }
  if (failed == 0) return;
  if (failed > shown.size()) shown.push_back("…");
  const std::string text =
      fmt::format("{} cannot be asked {} of {} examples of {}", model, failed, posed.examples.size(), task.name);
  if (problems && static_cast<double>(failed) > kMaxErrorShare * static_cast<double>(posed.examples.size()))
    problems->Add(fmt::format("{}, more than the {:.0f}% that a comparison may leave out: {}", text,
                              100 * kMaxErrorShare, Join(shown, "; ")));
  else
    Note(flags, fmt::format("{}, which are left out: {}", text, Join(shown, "; ")));
}

}  // namespace assay
