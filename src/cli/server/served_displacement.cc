#include "cli/server/served_displacement.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "cli/command.h"
#include "task/answer_displacement.h"
#include "task/runner.h"

namespace assay {
namespace {

constexpr size_t kPart = 25;         // examples of a task
constexpr int64_t kMostTokens = 20;  // per step: what servers tell at most

/// Greedy examples from all over the task. With a penalty the answer's token may not be the most likely one.
std::vector<const Example*> PartOf(const Task& task, const Sampling& defaults) {
  std::vector<const Example*> greedy, part;
  for (const Example& example : task.examples)
    if (IsGreedy(example, defaults) && SamplingOf(example, defaults).repetition_penalty == 1)
      greedy.push_back(&example);
  const size_t step = std::max<size_t>(1, (greedy.size() + kPart - 1) / kPart);
  for (size_t i = 0; i < greedy.size(); i += step) part.push_back(greedy[i]);
  return part;
}

struct Asked {
  std::map<std::string, Answer> answers;  // by example; only those with log-probabilities
  std::string error;                      // the last one
};

Asked Ask(const LoadedArm& arm, const std::vector<const Example*>& part, const Sampling& defaults, int64_t top,
          Progress& progress) {
  Asked asked;
  std::vector<Request> requests;
  std::vector<const Example*> posed;
  for (const Example* example : part) {
    Request request;
    request.question = QuestionOf(*example);
    request.sampling = SamplingOf(*example, defaults);
    request.top_logprobs = top;
    try {
      request.prompt = arm.backend->Prepare(request.question);
    } catch (const Error& error) {
      asked.error = error.what();
      continue;
    }
    requests.push_back(std::move(request));
    posed.push_back(example);
  }
  arm.backend->Generate(
      requests,
      [&](size_t at, const Answer& answer) {
        if (!answer.error.empty())
          asked.error = answer.error;
        else if (!answer.top_logprobs.empty())
          asked.answers.emplace(posed[at]->id, answer);
      },
      progress);
  return asked;
}

}  // namespace

std::vector<Displacement> ServedDisplacement::Measure(const LoadedArm& arm, const LoadedArm& base, const Task& task,
                                                      const Sampling& defaults, Progress& progress,
                                                      const CommonFlags& flags) {
  const auto none = [&](std::string_view why) {
    Note(flags, fmt::format("displacement of {} is not measured: {}", arm.identity().format, why));
    return std::vector<Displacement>();
  };
  for (const LoadedArm* each : {&base, &arm})
    if (each->backend->most_top_logprobs() == 0)
      return none(fmt::format("{} tells no log-probabilities", each->identity().format));
  const std::vector<const Example*> part = PartOf(task, defaults);
  if (part.empty()) return none("no example is greedy without a penalty");
  const auto ask = [&](const LoadedArm& each) {
    const int64_t most = std::min(kMostTokens, each.backend->most_top_logprobs());
    Asked asked = Ask(each, part, defaults, most, progress);
    // A server may allow fewer than its kind usually does.
    if (asked.answers.empty() && most > 5 && !asked.error.empty()) asked = Ask(each, part, defaults, 5, progress);
    return asked;
  };
  if (of_base_.empty()) {
    Asked asked = ask(base);
    if (asked.answers.empty()) return none(fmt::format("{}: {}", base.identity().format, asked.error));
    of_base_ = std::move(asked.answers);
  }
  const Asked asked = ask(arm);
  if (asked.answers.empty()) return none(fmt::format("{}: {}", arm.identity().format, asked.error));
  std::vector<Displacement> all;
  for (const auto& [id, answer] : asked.answers)
    if (const auto found = of_base_.find(id); found != of_base_.end())
      all.push_back(DisplacementOfAnswers(id, found->second, answer));
  return all;
}

}  // namespace assay
