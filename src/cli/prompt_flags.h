#pragma once
// Flags of the commands that ask a model something.

#include <string>

#include "cli/flags.h"
#include "engine/chat_prompts.h"
#include "task/backend.h"

namespace assay {

struct CommonFlags;

/// --template, --chat-template-kwargs, --now.
struct PromptFlags {
  std::string chat_template, variables, now;
  /// Without --now the clock is read here, once, so that everything a command asks is asked at one time.
  PromptOptions options() const;
};
void AddPromptFlags(CommandLine& command, PromptFlags& flags);

/// How a task's answers are chosen: greedy unless the user says otherwise, with what the model's file asks for of
/// greedy answers.
struct TaskSamplingFlags {
  Sampling values;
  int64_t samples = 1;  // answers to each example
  Flag penalty, max_tokens;
  Sampling For(const GenerationConfig& generation) const;
};
/// What every answer takes from the model's file: its penalty unless the user gave one, and the texts that end it.
void TakePenaltyAndStops(const GenerationConfig& file, Flag penalty, Sampling& sampling);
Flag AddRepetitionPenalty(CommandLine& command, Sampling& values);
void AddTaskSamplingFlags(CommandLine& command, TaskSamplingFlags& flags);

/// Tells what of the model's generation settings is not applied.
void NoteGeneration(const GenerationConfig& generation, const CommonFlags& flags);

}  // namespace assay
