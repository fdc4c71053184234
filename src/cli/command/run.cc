#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/model_files.h"
#include "cli/arm.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/prompt_flags.h"
#include "cli/server/server_arm.h"
#include "cli/summary.h"
#include "cli/verdict.h"
#include "report/served.h"

namespace assay {
std::function<int()> AddRun(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model, task, out;
    ModelFlags model_flags;
    PromptFlags prompt_flags;
    TaskSamplingFlags sampling;
    ServerFlags server;
    EngineOptions engine;
    bool no_cache = false, force = false;
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "model file or folder, or a server: http://host:port#model").Required();
  command.Option("--task", o->task, "task file (JSON lines, or YAML)").Required();
  command.Option("-o,--output", o->out, "where to save the run (default: MODEL.TASK.run.jsonl in this folder)");
  AddPromptFlags(command, o->prompt_flags);
  AddTaskSamplingFlags(command, o->sampling);
  AddBatchFlags(command, o->engine);
  command.Switch("--no-cache", o->no_cache, "answer anew even what the cache knows");
  AddServerFlags(command, o->server);
  AddForce(command, o->force);
  AddModelFlags(command, o->model_flags);
  return [o, &flags] {
    Task task = ReadTask(o->task, flags);
    ThreadPool pool(flags.threads);
    const bool remote = IsServer(o->model);
    const std::string path = remote ? "" : ResolveModel(WithEndpoints(o->model, o->server));
    OutputRules rules;
    rules.force = o->force;
    if (!remote) AddSources(rules, {ModelFiles(path)});
    AddSources(rules, {StatesOf(std::vector<std::filesystem::path>{o->task})});
    if (!o->out.empty()) CheckOutput(o->out, rules);  // told before any work
    o->engine.prompt = o->prompt_flags.options();
    auto progress = MakeProgress(flags);
    LoadedArm arm = remote
                        ? LoadServer(WithEndpoints(o->model, o->server), o->server, o->prompt_flags, flags, *progress)
                        : LoadArm(OpenModel(path), "", o->model_flags, o->engine, pool, flags);
    std::string out = o->out;
    if (out.empty())
      out = fmt::format("{}.{}.run.jsonl", std::filesystem::path(arm.identity().name).stem().string(),
                        std::filesystem::path(o->task).stem().string());
    NoteGeneration(arm.generation, flags);
    const Sampling sampling = o->sampling.For(arm.generation);
    CheckSamples(arm.origin.can, task, sampling, o->sampling.samples, flags);
    RunHeader header = MakeRunHeader(arm, task, sampling, o->sampling.samples);
    // A server's answers are kept in the run's own file alone: nothing tells whether they are still of the same
    // weights.
    Cache cache(!o->no_cache && !remote, flags);
    cache.Watch(arm.files);
    rules.unchanged = arm.files;
    AddSources(rules, {cache.files()});
    const bool any_clock = o->prompt_flags.now.empty();
    RunRecordWriter writer(out, header, rules, any_clock);
    if (any_clock && writer.now() != header.now) {
      // All prompts of a run are of one time: that of its first sitting.
      header.now = writer.now();
      arm.backend->SetClock(ClockFromText(header.now));
    }
    if (!writer.set_aside().empty())
      Note(flags, fmt::format("{}: an interrupted run of another model, task, setting or build was moved there",
                              writer.set_aside().string()));
    if (!writer.resumed().empty())
      Note(flags, fmt::format("{}: going on after {} finished {}", out, writer.resumed().size(),
                              header.samples > 1 ? "answers" : "examples"));
    RunRecord run = AnswerTask(arm, task, header, &writer, cache, *progress);
    writer.Finish();
    NotePromptRemarks(run, flags);
    if (remote) NoteFaults(arm, flags);
    if (flags.json) {
      PrintJson(SummaryJson(run, out));
    } else {
      PrintSummary(run);
      if (const auto speed = arm.server ? arm.server->speed() : std::nullopt) Print("as served: " + ServedText(*speed));
      Print("saved to " + out);
    }
    RequireAnswers(run, flags);
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
