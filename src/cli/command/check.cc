// The main job: quantize, run the same examples on both, say whether it holds.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/model_files.h"
#include "cli/arm.h"
#include "cli/check/baseline_gate.h"
#include "cli/check/check_options.h"
#include "cli/check/example_texts.h"
#include "cli/check/labelling.h"
#include "cli/check/plan.h"
#include "cli/check/preflight.h"
#include "cli/check/problems.h"
#include "cli/check/quants.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/report_files.h"
#include "cli/server/served_displacement.h"
#include "cli/server/server_arm.h"
#include "cli/verdict.h"
#include "report/report.h"
#include "system/file.h"
#include "system/machine.h"

namespace assay {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kLogitBudget = uint64_t{1} << 30;

class Checking {
 public:
  Checking(const CheckOptions& o, const CommonFlags& flags)
      : o_(o),
        flags_(flags),
        pool_(flags.threads),
        cache_(!o.no_cache, flags),
        progress_(MakeProgress(flags)),
        quants_(o.keep, rules_, cache_, pool_, *progress_, flags),
        logits_(kLogitBudget) {}

  /// Looks at everything that can fail, loads the baseline, and plans. Nothing was answered, and nothing is written.
  void Prepare() {
    Problems problems;
    ReadInputs(problems);
    const std::vector<const Preset*> presets = Presets(problems);
    const bool remote = IsServer(o_.model);
    std::string baseline;
    problems.Try([&] {
      baseline = WithEndpoints(o_.model, o_.server);
      if (!remote) baseline = ResolveModel(baseline);
    });
    ClaimOutputs(baseline, problems);
    if (baseline.empty() || task_.examples.empty()) problems.Require();  // nothing could be asked of anybody
    preflight_.emplace(o_, task_, labelling_ ? &labelling_->prompts() : nullptr, text_, cache_, quants_, pool_,
                       *progress_, flags_);
    preflight_->Look(
        baseline, presets, [&](const std::string& url) { return Serving(url); }, problems);
    if (problems.none()) problems.Try([&] { required_ = RequiredCandidates(o_.exit, preflight_->names()); });
    problems.Require();  // before weights are read
    preflight_->ReadWeights(problems);
    problems.Require();
    CheckedModel& base = preflight_->baseline();
    if (remote) {
      base_ = std::move(*base.server);
    } else {
      base.prompts.reset();
      base_ = LoadArm(*base.opened, "", o_.model_flags, o_.engine, pool_, flags_);
      base_.origin.model.format = base.origin.model.format;
    }
    sampling_ = preflight_->sampling();
    preflight_->LookAtLoaded(base_);
    if (task_.examples.size() < kAdvisedExamples)
      Note(flags_, fmt::format("{} examples: below {} most comparisons end in \"can't tell\"", task_.examples.size(),
                               kAdvisedExamples));
  }

  CheckPlan Plan() {
    std::vector<std::string> files = {o_.report, DataName(o_.report).string()};
    if (!o_.certificate.empty()) files.push_back(o_.certificate);
    if (labelling_) files.push_back(labelling_->name().string());
    return preflight_->Plan(base_, std::move(files));
  }

  void Run() {
    record_.started = UtcTimestamp();
    record_.build = BuildText();
    record_.machine = MachineText();
    record_.task_name = task_.name;
    record_.text_name = o_.text.empty() ? "" : fs::path(o_.text).filename().string();
    record_.margin = o_.margin;
    record_.allow_difference = o_.allow_difference;
    record_.as_given = o_.in_order;
    record_.examples = ExampleTexts(task_);

    double start = Now();
    record_.baseline = Measure(base_, nullptr);
    if (const std::optional<NoiseShare> share = o_.noise_share())
      record_.noise = MeasureNoise(base_, task_, record_.baseline.run, *share, cache_, *progress_);
    for (CheckedModel& candidate : preflight_->candidates()) AddCandidate(candidate);
    record_.elapsed_s = Now() - start;
    if (labelling_) record_.labels = labelling_->labels();
    comparisons_ = Judge(record_);
    files_->Write(record_, comparisons_);
    if (labelling_) labelling_->Write(record_, ExampleTexts(labelling_->prompts()), flags_);
    for (const LoadedArm& served : served_) EndSitting(served, task_, cache_);
  }

  const CheckRecord& record() const { return record_; }
  const std::optional<Labelling>& labelling() const { return labelling_; }
  const std::vector<Comparison>& comparisons() const { return comparisons_; }
  int exit_code() const { return VerdictExitCode(comparisons_, o_.exit, required_); }

 private:
  void ReadInputs(Problems& problems) {
    problems.Try([&] {
      task_ = ReadTask(o_.task, flags_);
      if (!task_.IsLook())
        Fail(ErrorKind::kInvalid,
             "{}: task.looks: expected {}, as planned, found {}: no verdict is given between looks", o_.task,
             task_.LooksText(), task_.examples.size());
      if (!o_.unlabelled.empty() && o_.sampling.samples > 1)
        Fail(ErrorKind::kInvalid,
             "--unlabelled: expected --samples 1, found {}: prompts are answered once, and cannot be judged with "
             "examples that are answered several times",
             o_.sampling.samples);
      if (!o_.unlabelled.empty()) labelling_.emplace(o_.unlabelled, o_.labels, o_.report, task_);
      if (!o_.certificate.empty() && task_.drafted() > 0)
        Fail(ErrorKind::kInvalid,
             "--certificate: {} of {} examples of {} have checks that are drafts: look at them, and take \"draft\" out",
             task_.drafted(), task_.examples.size(), o_.task);
    });
    problems.Try([&] {
      if (!o_.text.empty()) text_ = ReadFile(o_.text);
    });
  }

  std::vector<const Preset*> Presets(Problems& problems) const {
    std::vector<const Preset*> presets;
    for (const std::string& name : o_.to)
      problems.Try([&] {
        const Preset& preset = Preset::Get(name);
        if (std::find(presets.begin(), presets.end(), &preset) != presets.end())
          Fail(ErrorKind::kInvalid, "--to names {} twice", name);
        presets.push_back(&preset);
        WarnOf(preset, flags_);
      });
    if (!IsServer(o_.model)) return presets;
    if (!presets.empty())
      problems.Add(fmt::format("--to: a server's model cannot be quantized: expected --candidate, found {}", o_.to[0]));
    if (!o_.keep.empty())
      problems.Add(
          fmt::format("--keep: a server's model is not quantized, so there is nothing to keep in {}", o_.keep));
    return presets;
  }

  /// Names that may be written, all of them but those of what is read.
  void ClaimOutputs(const std::string& baseline, Problems& problems) {
    rules_.force = o_.force;
    if (!baseline.empty() && !IsServer(baseline)) AddSources(rules_, {ModelFiles(baseline)});
    AddSources(rules_, {StatesOf(std::vector<fs::path>{o_.task, o_.text, o_.unlabelled, o_.labels}), cache_.files()});
    for (const std::string& candidate : o_.candidates)
      if (!IsServer(candidate)) problems.Try([&] { AddSources(rules_, {ModelFiles(ResolveModel(candidate))}); });
    if (std::error_code none; !o_.keep.empty() && fs::exists(o_.keep, none) && !fs::is_directory(o_.keep, none))
      problems.Add(fmt::format("--keep {}: expected a folder, found a file", o_.keep));
    problems.Try([&] { files_.emplace(o_.report, o_.certificate, rules_, flags_); });
    if (labelling_) problems.Try([&] { labelling_->Open(rules_, flags_); });
  }

  Arm Measure(const LoadedArm& loaded, const LoadedArm* base) {
    Arm arm;
    std::vector<FileState> files = loaded.files;
    if (base) files.insert(files.end(), base->files.begin(), base->files.end());
    cache_.Watch(std::move(files));
    arm.run = AnswerTask(loaded, task_, MakeRunHeader(loaded, task_, sampling_, o_.sampling.samples), nullptr, cache_,
                         *progress_);
    NotePromptRemarks(arm.run, flags_);
    if (!base) {
      RequireAnswers(arm.run, flags_);  // else no candidate can be judged
      RequireStrongBaseline(arm.run, o_.task, o_.model, o_.weak_baseline, flags_);
    }
    if (labelling_) {
      const Task& prompts = labelling_->prompts();
      arm.unlabelled =
          AnswerTask(loaded, prompts, MakeRunHeader(loaded, prompts, sampling_, 1), nullptr, cache_, *progress_);
      NotePromptRemarks(arm.unlabelled, flags_);
    }
    if (!text_.empty()) arm.quality = MeasureQuality(loaded, base, logits_, text_, o_.perplexity, cache_, *progress_);
    if (!o_.no_speed && loaded.server) arm.cost.served = loaded.server->speed();  // of the answers alone
    if (base && (loaded.server || base->server) && !o_.no_displacement)
      arm.displacement = served_displacement_.Measure(loaded, *base, task_, arm.run, record_.baseline.run, sampling_,
                                                      *progress_, flags_);
    else if (base)
      arm.displacement =
          MeasureDisplacements(loaded, *base, task_, arm.run, record_.baseline.run, logits_, cache_, *progress_);
    if (loaded.server) NoteFaults(loaded, flags_);
    if (!o_.no_speed && !loaded.path.empty()) arm.cost = MeasureCost(loaded, o_.model_flags, flags_, cache_);
    return arm;
  }

  LoadedArm Serving(const std::string& url) {
    LoadedArm arm = LoadServer(url, o_.server, o_.prompt_flags, flags_, *progress_);
    arm.sitting = BeginSitting(arm, task_, cache_);
    LoadedArm& kept = served_.emplace_back();  // its identity, to end the sitting
    kept.origin = arm.origin;
    return arm;
  }

  void AddCandidate(CheckedModel& candidate) {
    if (candidate.server) {
      record_.candidates.push_back(Measure(*candidate.server, &base_));
      return;
    }
    candidate.prompts.reset();
    LoadedArm arm =
        LoadArm(candidate.made() ? OpenModel(quants_.Make(*candidate.preset))
                                 : std::move(*std::exchange(candidate.opened, std::nullopt)),
                candidate.made() ? candidate.preset->info().name : "", o_.model_flags, o_.engine, pool_, flags_);
    for (const std::string& line : arm.differences) Note(flags_, line);
    record_.candidates.push_back(Measure(arm, &base_));
  }

  const CheckOptions& o_;
  const CommonFlags& flags_;
  ThreadPool pool_;
  Cache cache_;
  std::unique_ptr<Progress> progress_;
  OutputRules rules_;
  Quants quants_;
  LogitCache logits_;
  Task task_;
  std::optional<Labelling> labelling_;
  std::string text_;
  std::optional<ReportFiles> files_;
  std::optional<Preflight> preflight_;
  std::vector<size_t> required_;
  Sampling sampling_;
  LoadedArm base_;
  std::vector<LoadedArm> served_;  // all servers, identities only
  ServedDisplacement served_displacement_;
  CheckRecord record_;
  std::vector<Comparison> comparisons_;
};

}  // namespace

std::function<int()> AddCheck(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<CheckOptions>();
  AddCheckOptions(command, *o);
  return [o, &flags] {
    o->engine.prompt = o->prompt_flags.options();
    if (o->to.empty() && o->candidates.empty()) {
      if (IsServer(o->model))
        Fail(ErrorKind::kInvalid, "{}: a server's model cannot be quantized here: give --candidate",
             o->model.substr(0, o->model.find('@')));
      o->to = {"q8_0", "q4_k_m"};
    }
    if (o->server.slow_displacement && !IsServer(o->model) &&
        std::none_of(o->candidates.begin(), o->candidates.end(), [](const std::string& one) { return IsServer(one); }))
      Note(flags, "--slow-displacement is for servers: files are led along whole answers without it");
    Checking checking(*o, flags);
    checking.Prepare();
    if (o->dry_run) {
      const CheckPlan plan = checking.Plan();
      flags.json ? PrintJson(ToJson(plan)) : Print(PlanText(plan));
      return static_cast<int>(kHolds);
    }
    if (!flags.quiet) Note(flags, PlanText(checking.Plan()));
    checking.Run();
    const CheckRecord& record = checking.record();
    const std::vector<Comparison>& comparisons = checking.comparisons();
    NoteAllowable(comparisons, flags);
    if (flags.json) {
      PrintJson(RenderJson(record, comparisons));
    } else {
      TerminalOptions terminal{TerminalWidth(), ColorOutput()};
      std::string text = RenderTerminal(record, comparisons, terminal);
      if (!text.empty() && text.back() == '\n') text.pop_back();
      PrintTrusted(text);
      Print(fmt::format("\nreport: {}; data: {}", o->report, DataName(o->report).string()));
      if (checking.labelling()) Print(checking.labelling()->WhatToDo());
    }
    for (const Arm& arm : record.candidates) RequireAnswers(arm.run, flags);
    return checking.exit_code();
  };
}

}  // namespace assay
