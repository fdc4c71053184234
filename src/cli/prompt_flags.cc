#include "cli/prompt_flags.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_number.h"
#include "cli/command.h"
#include "cli/ranges.h"
#include "record/run_record.h"

namespace assay {

PromptOptions PromptFlags::options() const {
  PromptOptions options;
  options.chat_template = chat_template;
  options.now_s = now.empty() ? LocalClock() : ClockFromText(now);
  if (variables.empty()) return options;
  options.template_variables = AsPythonReads(ParseJson(variables, "--chat-template-kwargs", true));
  if (!options.template_variables.is_object())
    Fail(ErrorKind::kInvalid,
         "--chat-template-kwargs: expected an object such as {{\"enable_thinking\": false}}, found {}",
         options.template_variables.type_name());
  for (const char* taken : {"messages", "tools", "documents", "add_generation_prompt"})
    if (options.template_variables.contains(taken))
      Fail(ErrorKind::kInvalid, "--chat-template-kwargs: \"{}\" is given by the prompt itself", taken);
  return options;
}

void AddPromptFlags(CommandLine& command, PromptFlags& flags) {
  command.Option("--template,--chat-template-file", flags.chat_template,
                 "chat template: one that the model ships, by name, or a file (default: the model's, with tools its "
                 "tool_use)");
  command.Option("--chat-template-kwargs", flags.variables,
                 "variables of the chat template, a JSON object: {\"enable_thinking\": false}");
  command.Option("--now", flags.now,
                 "what the chat template's clock says: 2026-05-01 or 2026-05-01T12:30:00 (default: the clock)");
}

void TakePenaltyAndStops(const GenerationConfig& file, Flag penalty, Sampling& sampling) {
  if (!penalty.given()) {
    sampling.repetition_penalty = file.repetition_penalty;
    sampling.repetition_window = file.penalty_window;
  }
  sampling.stop.insert(sampling.stop.end(), file.stop.begin(), file.stop.end());
}

Sampling TaskSamplingFlags::For(const GenerationConfig& generation) const {
  Sampling sampling = values;
  TakePenaltyAndStops(generation, penalty, sampling);
  if (sampling.temperature > 0) {
    sampling.top_k = generation.top_k;
    sampling.top_p = generation.top_p;
    sampling.min_p = generation.min_p;
  }
  if (!max_tokens.given() && generation.max_new_tokens > 0)
    sampling.max_tokens = std::min(sampling.max_tokens, generation.max_new_tokens);
  return sampling;
}

Flag AddRepetitionPenalty(CommandLine& command, Sampling& values) {
  return command
      .Option("--repetition-penalty", values.repetition_penalty,
              "above 1 discourages repetition (default: as the model's file says)")
      .Within(NumberBetween(0.01, 100.0));
}

void AddTaskSamplingFlags(CommandLine& command, TaskSamplingFlags& flags) {
  command.Option("--temperature", flags.values.temperature, "0 is greedy")
      .ShowDefault()
      .Within(NumberBetween(0.0, 100.0));
  flags.penalty = AddRepetitionPenalty(command, flags.values);
  command.Option("--seed", flags.values.seed, "seed of the draws").ShowDefault().Within(UnsignedInteger());
  command
      .Option("--samples", flags.samples,
              "answers to each example, each with its own seed; needs a temperature above 0")
      .ShowDefault()
      .Within(IntegerBetween(1, kMostSamples));
  flags.max_tokens = command
                         .Option("--max-tokens", flags.values.max_tokens,
                                 "most tokens of an answer (default: fewer where the model's file says so)")
                         .ShowDefault()
                         .Within(IntegerBetween(1, kMostTokens));
}

void NoteGeneration(const GenerationConfig& generation, const CommonFlags& flags) {
  for (const std::string& remark : generation.unapplied) Note(flags, remark);
}

}  // namespace assay
