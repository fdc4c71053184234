#include "cli/check/check_options.h"

#include <cstdint>

#include "cli/command.h"
#include "cli/ranges.h"

namespace assay {

std::optional<NoiseShare> CheckOptions::noise_share() const {
  const bool served = IsServer(model);
  if (!noise && (!served || no_noise)) return std::nullopt;
  NoiseShare share = served ? kServedNoise : NoiseShare{};
  if (noise) share.drawn = SIZE_MAX;
  return share;
}

void AddCheckOptions(CommandLine& command, CheckOptions& o) {
  command
      .Option("MODEL", o.model, "the full-precision model: file, folder, org/name, or a server: http://host:port#model")
      .Required();
  command.Option("--task", o.task, "your examples (JSON lines; docs/tasks.md)").Required();
  command.Option("--to", o.to, "presets to try, comma-separated: see `assay formats`")
      .CommaSeparated()
      .Completes(PresetNames());
  command.Option("--candidate", o.candidates, "an already quantized model to judge, or a server (repeatable)");
  Flag unlabelled = command.Option("--unlabelled", o.unlabelled,
                                   "prompts without right answers (JSON lines; docs/tasks.md): equal answers count");
  command.Option("--labels", o.labels, "REPORT.differing.jsonl of an earlier run, with \"right\" filled in")
      .Needs(unlabelled);
  command.Option("--text", o.text, "text file for perplexity and KL divergence");
  command.Option("--context", o.perplexity.context, "tokens per chunk of the text")
      .ShowDefault()
      .Within(IntegerBetween(2, kMostTokens));
  command.Option("--chunks", o.perplexity.chunks, "at most so many chunks of the text (default: all)")
      .Within(IntegerBetween(1, kMostTokens));
  command
      .Option("--margin", o.margin,
              "largest acceptable drop in points, fixed before you look (default: the task's, else 10)")
      .Within(NumberBetween(0.1, 99.9));
  AddInOrder(command, o.in_order);
  AddAllowDifference(command, o.allow_difference);
  command.Option("--report", o.report, "report to write: .html, .md, .xml (JUnit), .csv or .json").ShowDefault();
  command.Option("--certificate", o.certificate,
                 "also write the verdicts, bound to record, task and weights by hashes (assay verify)");
  command.Option("--keep", o.keep, "write the quantized models to this folder (default: the cache)");
  AddPromptFlags(command, o.prompt_flags);
  AddTaskSamplingFlags(command, o.sampling);
  Flag noise = command.Switch("--noise", o.noise,
                              "ask the baseline a second time: what flips by chance alone (a server is always asked, a "
                              "part of the task)");
  command.Switch("--no-noise", o.no_noise, "ask a server only once").Excludes(noise);
  Flag slow = command.Switch("--slow-displacement", o.server.slow_displacement,
                             "lead a llama-server along the whole answers of the baseline: a request for each of their "
                             "tokens, which is slow");
  command
      .Switch("--no-displacement", o.no_displacement,
              "do not ask servers once more, a part of the task, for the most likely tokens")
      .Excludes(slow);
  AddBatchFlags(command, o.engine);
  command.Switch("--no-cache", o.no_cache, "measure everything anew");
  AddServerFlags(command, o.server);
  AddForce(command, o.force);
  command.Switch("--dry-run", o.dry_run,
                 "look at everything that can fail, print the plan, and stop before any answer");
  command.Switch("--weak-baseline", o.weak_baseline, "go on where the baseline fails more examples than it passes");
  command.Switch("--no-speed", o.no_speed, "do not measure speed and memory");
  AddExitRule(command, o.exit);
  AddModelFlags(command, o.model_flags);
}

}  // namespace assay
