#pragma once
// Runs a task on a backend and scores the answers.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "record/run_record.h"
#include "task/backend.h"
#include "task/task.h"

namespace assay {

/// Where answers of earlier runs may be found. Both hooks are called from the calling thread only; either may be empty.
struct AnswerLookup {
  std::function<std::optional<Answer>(const std::string& key)> get;
  std::function<void(const std::string& key, const Answer& answer)> put;  // never called for an answer with an error
};

/// Key of an answer: weights fingerprint, prompt (PromptHash, QuestionHash), sampling, arithmetic (and the instruction
/// set and build where the header says so: bits are the same within one).
std::string AnswerKey(const RunHeader& header, const std::string& prompt_hash, const Sampling& sampling);

/// The seed of a sample of an example: a stream of its own, the same in every run with this seed, so that two models
/// draw alike. With one stream for all, copies of a prompt give one answer, and what fails once fails often.
uint64_t SeedOf(uint64_t seed, std::string_view id, int64_t sample = 0);

/// The run's defaults with what the example says of its own. Throws Error{kInvalid}.
Sampling SamplingOf(const Example& example, const Sampling& defaults);

/// Whether an example is answered without chance (greedily): all its samples are one answer, of a backend that answers
/// with the same bits.
bool IsGreedy(const Example& example, const Sampling& defaults);
/// Throws Error{kInvalid} when several samples are wanted and all would be the same.
void RequireChance(const Task& task, const Sampling& defaults, int64_t samples, const Capabilities& can);

/// XXH3-128 of the token ids.
std::string PromptHash(std::span<const int32_t> ids);
/// The same of a question whose tokens are not known: of its canonical JSON.
std::string QuestionHash(const Question& question);

/// What an example asks.
Question QuestionOf(const Example& example);

/// What reading an answer needs beside it; the defaults are a server's that tells nothing of its prompts.
struct AnswerContext {
  std::string call_syntax;    // Backend::CallSyntax
  bool in_reasoning = false;  // the prompt ended inside a block of reasoning
  bool reads_calls = false;   // Capabilities::reads_calls: a call in the text is one that the backend missed
};

/// Runs all checks on one answer. An answer with finish "error" gets `error` and no checks.
ExampleResult ScoreAnswer(const Example& example, const Answer& answer, const std::string& prompt_hash,
                          const AnswerContext& context = {});

/// Answers and scores every example, `header.samples` times, that `writer` has not resumed. `header.sampling` holds the
/// run's defaults. Results go to the writer (may be null) as they finish; the record has them in task order. A template
/// error or context overflow becomes the example's `error`. What is answered greedily is asked once, for all samples,
/// where the backend answers with the same bits.
/// Does not call writer->Finish(). Progress counts answers. Throws Interrupted after Ctrl-C: the writer then has all
/// that finished. Throws Error{kInvalid} when a resumed result belongs to another prompt, and as RequireChance does.
/// Seeds are those of the samples from `first_sample` on: another run of the same may draw what this one did not.
RunRecord RunTask(const Task& task, Backend& backend, const RunHeader& header, RunRecordWriter* writer,
                  Progress& progress, const AnswerLookup& cache = {}, int64_t first_sample = 0);

}  // namespace assay
