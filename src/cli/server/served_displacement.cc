#include "cli/server/served_displacement.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <utility>

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

struct LedAnswer {
  const ExampleResult *baseline, *candidate;
  ForcedText text;  // the prompt and the baseline's answer
};

/// Answers from all over the task, whose tokens are known.
std::vector<LedAnswer> AnswersToLeadAlong(const RunRecord& run, const RunRecord& base_run) {
  std::map<std::string_view, const ExampleResult*> candidates;
  for (const ExampleResult& result : run.examples)
    if (result.sample == 0 && result.error.empty()) candidates.emplace(result.id, &result);
  std::vector<LedAnswer> all, part;
  for (const ExampleResult& result : base_run.examples) {
    const auto candidate = candidates.find(result.id);
    const bool known = !result.prompt_ids.empty() && (result.answer.empty() || !result.answer_ids.empty());
    if (result.sample != 0 || !result.error.empty() || candidate == candidates.end() || !known) continue;
    LedAnswer& answer = all.emplace_back(LedAnswer{&result, candidate->second, {}});
    answer.text.ids = result.prompt_ids;
    answer.text.first = result.prompt_ids.size();
    answer.text.ids.insert(answer.text.ids.end(), result.answer_ids.begin(), result.answer_ids.end());
  }
  const size_t step = std::max<size_t>(1, (all.size() + kPart - 1) / kPart);
  for (size_t i = 0; i < all.size(); i += step) part.push_back(std::move(all[i]));
  return part;
}

/// Leads the arm along those answers of which `known` has nothing yet.
void Lead(const LoadedArm& arm, const std::vector<LedAnswer>& answers, std::map<std::string, ForcedPredictions>& known,
          Progress& progress) {
  std::vector<ForcedText> texts;
  std::vector<std::string> ids;
  for (const LedAnswer& answer : answers)
    if (!known.count(answer.baseline->id)) {
      texts.push_back(answer.text);
      ids.push_back(answer.baseline->id);
    }
  if (texts.empty()) return;
  progress.Begin("leading " + arm.identity().format + " along the answers", texts.size(), "answers");
  arm.backend->Force(
      texts, std::min(kMostTokens, arm.backend->most_forced_logprobs()),
      [&](size_t at, ForcedPredictions&& told) { known.emplace(ids[at], std::move(told)); }, progress);
  progress.End();
}

}  // namespace

std::vector<Displacement> ServedDisplacement::Along(const LoadedArm& arm, const LoadedArm& base, const RunRecord& run,
                                                    const RunRecord& base_run, Progress& progress,
                                                    const CommonFlags& flags) {
  std::vector<Displacement> all;
  const auto note = [&](const std::string& what) {
    Note(flags, fmt::format("displacement of {}: {}", arm.identity().format, what));
  };
  const std::string &ours = arm.origin.tokenizer_probe, &theirs = base.origin.tokenizer_probe;
  if (ours.empty() || ours != theirs) {
    note("not along whole answers, since both models are not known to have one tokenizer");
    return all;
  }
  const std::vector<LedAnswer> answers = AnswersToLeadAlong(run, base_run);
  if (answers.empty()) {
    note("not along whole answers, since the tokens of the baseline's are not known");
    return all;
  }
  std::map<std::string, ForcedPredictions> led;
  Lead(base, answers, led_base_, progress);
  Lead(arm, answers, led, progress);
  std::string why;
  for (const LedAnswer& answer : answers) {
    const std::string& id = answer.baseline->id;
    const ForcedPredictions &first = led_base_.at(id), &second = led.at(id);
    if (!first.error.empty() || !second.error.empty()) {
      why = first.error.empty() ? second.error : first.error;
      continue;
    }
    try {
      all.push_back(DisplacementAlong(id, first, second, answer.baseline->answer_ids, answer.candidate->answer_ids));
    } catch (const Error& error) {
      why = error.what();
    }
  }
  if (!why.empty())
    note(fmt::format("{} of {} answers could not be followed: {}", answers.size() - all.size(), answers.size(), why));
  return all;
}

std::vector<Displacement> ServedDisplacement::Measure(const LoadedArm& arm, const LoadedArm& base, const Task& task,
                                                      const RunRecord& run, const RunRecord& base_run,
                                                      const Sampling& defaults, Progress& progress,
                                                      const CommonFlags& flags) {
  if (arm.backend->most_forced_logprobs() > 0 && base.backend->most_forced_logprobs() > 0)
    if (std::vector<Displacement> all = Along(arm, base, run, base_run, progress, flags); !all.empty()) return all;
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
