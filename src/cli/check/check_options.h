#pragma once
// What `assay check` is asked with.

#include <string>
#include <vector>

#include "cli/arm.h"
#include "cli/flags.h"
#include "cli/prompt_flags.h"
#include "cli/server/server_arm.h"
#include "cli/verdict.h"

namespace assay {

struct CheckOptions {
  std::string model, task, text, unlabelled, labels, report = "assay-report.html", certificate, keep;
  std::vector<std::string> to, candidates;
  ExitRule exit;
  double margin = 0;
  bool in_order = false, allow_difference = false, dry_run = false, weak_baseline = false;
  ModelFlags model_flags;
  PromptFlags prompt_flags;
  TaskSamplingFlags sampling;
  ServerFlags server;
  EngineOptions engine;
  PerplexityOptions perplexity;
  bool no_cache = false, no_speed = false, noise = false, no_noise = false, no_displacement = false, force = false;

  /// How much of the task the baseline is asked a second time; nothing is.
  std::optional<NoiseShare> noise_share() const;
};
void AddCheckOptions(CommandLine& command, CheckOptions& options);

}  // namespace assay
