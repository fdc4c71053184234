// The main job: quantize, run the same examples on both, say whether it holds.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/model_files.h"
#include "cli/arm.h"
#include "cli/check/labelling.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/prompt_flags.h"
#include "cli/ranges.h"
#include "cli/report_files.h"
#include "cli/server/served_displacement.h"
#include "cli/server/server_arm.h"
#include "cli/verdict.h"
#include "convert/convert.h"
#include "evidence/same_question.h"
#include "quantize/choose.h"
#include "report/report.h"
#include "system/file.h"
#include "system/machine.h"
#include "system/output.h"

namespace assay {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string model, task, text, unlabelled, labels, report = "assay-report.html", certificate, keep,
                                                     fail_on = "cant-tell";
  std::vector<std::string> to, candidates;
  double margin = 0;
  bool in_order = false, allow_difference = false;
  ModelFlags model_flags;
  PromptFlags prompt_flags;
  TaskSamplingFlags sampling;
  ServerFlags server;
  EngineOptions engine;
  PerplexityOptions perplexity;
  bool no_cache = false, no_speed = false, noise = false, no_noise = false, no_displacement = false, force = false;
};

constexpr uint64_t kLogitBudget = uint64_t{1} << 30;

std::string TextOf(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  return content.is_null() ? "" : DumpJson(content);
}

ExampleText DescribeExample(const Example& example) {
  ExampleText text{example.id, example.slice, {}, ""};
  if (!example.tools.is_null()) text.prompt.push_back({"tools", DumpJson(example.tools, 1)});
  if (example.is_chat())
    for (const Json& message : example.messages)
      text.prompt.push_back({message.value("role", ""), TextOf(message.value("content", Json(nullptr)))});
  else
    text.prompt.push_back({"", example.prompt});
  for (const Check& check : example.expect) text.expected += (text.expected.empty() ? "" : "\n") + DumpJson(check.spec);
  return text;
}

std::vector<ExampleText> ExampleTexts(const Task& task) {
  std::vector<ExampleText> texts;
  for (const Example& example : task.examples) texts.push_back(DescribeExample(example));
  return texts;
}

class Checking {
 public:
  Checking(const Options& o, const CommonFlags& flags)
      : o_(o),
        flags_(flags),
        pool_(flags.threads),
        cache_(!o.no_cache, flags),
        progress_(MakeProgress(flags)),
        logits_(kLogitBudget) {}

  void Run() {
    task_ = ReadTask(o_.task, flags_);
    if (!task_.IsLook())
      Fail(ErrorKind::kInvalid, "{}: task.looks: expected {}, as planned, found {}: no verdict is given between looks",
           o_.task, task_.LooksText(), task_.examples.size());
    if (!o_.unlabelled.empty() && o_.sampling.samples > 1)
      Fail(
          ErrorKind::kInvalid,
          "--unlabelled: expected --samples 1, found {}: prompts are answered once, and cannot be judged with examples "
          "that are answered several times",
          o_.sampling.samples);
    if (!o_.unlabelled.empty()) labelling_.emplace(o_.unlabelled, o_.labels, o_.report, task_);
    if (!o_.text.empty()) text_ = ReadFile(o_.text);
    std::vector<const Preset*> presets;  // a wrong name is told before any work
    for (const std::string& name : o_.to) {
      const Preset& preset = Preset::Get(name);
      if (std::find(presets.begin(), presets.end(), &preset) != presets.end())
        Fail(ErrorKind::kInvalid, "--to names {} twice", name);
      presets.push_back(&preset);
      WarnOf(preset, flags_);
    }
    const bool remote = IsServer(o_.model);
    if (remote && !presets.empty())
      Fail(ErrorKind::kInvalid, "--to: a server's model cannot be quantized: expected --candidate, found {}", o_.to[0]);
    if (remote && !o_.keep.empty())
      Fail(ErrorKind::kInvalid, "--keep: a server's model is not quantized, so there is nothing to keep in {}",
           o_.keep);
    const std::string path = remote ? "" : ResolveModel(WithEndpoints(o_.model, o_.server));
    rules_.force = o_.force;
    if (!remote) AddSources(rules_, {ModelFiles(path)});
    AddSources(rules_, {StatesOf(std::vector<fs::path>{o_.task, o_.text, o_.unlabelled, o_.labels}), cache_.files()});
    for (const std::string& candidate : o_.candidates)
      if (!IsServer(candidate)) AddSources(rules_, {ModelFiles(ResolveModel(candidate))});
    if (!o_.certificate.empty() && task_.drafted() > 0)
      Fail(ErrorKind::kInvalid,
           "--certificate: {} of {} examples of {} have checks that are drafts: look at them, and take \"draft\" out",
           task_.drafted(), task_.examples.size(), o_.task);
    ReportFiles files(o_.report, o_.certificate, rules_, flags_);
    if (labelling_) labelling_->Open(rules_, flags_);
    // A server that is not there is told before hours of work.
    for (const std::string& candidate : o_.candidates)
      if (IsServer(candidate)) servers_.push_back(Serving(candidate));
    if (remote) {
      base_ = Serving(WithEndpoints(o_.model, o_.server));
    } else {
      base_ =
          LoadArm(path, "", o_.model_flags, o_.engine, pool_, flags_, [&](std::shared_ptr<const Checkpoint> opened) {
            source_ = std::move(opened);
            for (const Preset* preset : presets) {
              if (std::string left = RequireFit(*preset, *source_); !left.empty())
                Note(flags_, fmt::format("{}: {}", preset->info().name, left));
              CheckKeep(*preset);
            }
          });
      base_.origin.model.format = source_->main_format();
    }
    RequireAlike();
    if (!text_.empty() && !base_.backend->scorer())
      Note(flags_, "--text: no KL divergence from a baseline that cannot predict over its whole vocabulary");
    else if (!text_.empty())
      PerplexityTokens(*base_.backend->scorer(), text_, o_.perplexity);  // told before any work, too
    // One for all arms: what is compared is the weights.
    sampling_ = o_.sampling.For(base_.generation);
    NoteGeneration(base_.generation, flags_);
    CheckSamples(base_, task_, sampling_, o_.sampling.samples, flags_);
    record_.started = UtcTimestamp();
    record_.build = BuildText();
    record_.machine = MachineText();
    record_.task_name = task_.name;
    record_.text_name = o_.text.empty() ? "" : fs::path(o_.text).filename().string();
    record_.margin = o_.margin;
    record_.allow_difference = o_.allow_difference;
    record_.as_given = o_.in_order;
    record_.examples = ExampleTexts(task_);
    if (task_.examples.size() < kAdvisedExamples)
      Note(flags_, fmt::format("{} examples: below {} most comparisons end in \"can't tell\"", task_.examples.size(),
                               kAdvisedExamples));

    double start = Now();
    record_.baseline = Measure(base_, nullptr);
    RequireAnswers(record_.baseline.run, flags_);  // else no candidate can be judged
    if (o_.noise || (remote && !o_.no_noise)) {
      NoiseShare share = remote ? kServedNoise : NoiseShare{};
      if (o_.noise) share.drawn = SIZE_MAX;
      record_.noise = MeasureNoise(base_, task_, record_.baseline.run, share, cache_, *progress_);
    }
    for (const Preset* preset : presets) AddCandidate(Quantized(*preset), preset->info().name);
    auto server = servers_.begin();
    for (const std::string& candidate : o_.candidates)
      IsServer(candidate) ? AddServer(*server++) : AddCandidate(ResolveModel(candidate), "");
    record_.elapsed_s = Now() - start;
    if (labelling_) record_.labels = labelling_->labels();
    comparisons_ = Judge(record_);
    files.Write(record_, comparisons_);
    if (labelling_) labelling_->Write(record_, ExampleTexts(labelling_->prompts()), flags_);
    for (const LoadedArm& served : served_) EndSitting(served, task_, cache_);
  }

  const CheckRecord& record() const { return record_; }
  const std::optional<Labelling>& labelling() const { return labelling_; }
  const std::vector<Comparison>& comparisons() const { return comparisons_; }

 private:
  /// Servers that are run differently are refused before they are asked for hours.
  void RequireAlike() const {
    if (o_.allow_difference) return;
    for (const LoadedArm& server : servers_) {
      std::vector<std::string> differ = SettingsThatDiffer(base_.origin, server.origin);
      const RunHeader &a = base_.origin, &b = server.origin;
      if (a.can.render && b.can.render && a.template_hash != b.template_hash)
        differ.push_back(fmt::format("chat template: {} and {}", a.template_hash, b.template_hash));
      if (!differ.empty())
        Fail(ErrorKind::kInvalid, "{} and {} are run differently (--allow-difference compares them all the same): {}",
             a.model.format, b.model.format, Join(differ, "; "));
    }
  }

  Arm Measure(const LoadedArm& loaded, const LoadedArm* base) {
    Arm arm;
    std::vector<FileState> files = loaded.files;
    if (base) files.insert(files.end(), base->files.begin(), base->files.end());
    cache_.Watch(std::move(files));
    arm.run = AnswerTask(loaded, task_, MakeRunHeader(loaded, task_, sampling_, o_.sampling.samples), nullptr, cache_,
                         *progress_);
    NotePromptRemarks(arm.run, flags_);
    if (labelling_) {
      const Task& prompts = labelling_->prompts();
      arm.unlabelled =
          AnswerTask(loaded, prompts, MakeRunHeader(loaded, prompts, sampling_, 1), nullptr, cache_, *progress_);
      NotePromptRemarks(arm.unlabelled, flags_);
    }
    if (!text_.empty()) arm.quality = MeasureQuality(loaded, base, logits_, text_, o_.perplexity, cache_, *progress_);
    if (!o_.no_speed && loaded.server) arm.cost.served = loaded.server->speed();  // of the answers alone
    if (base && (loaded.server || base->server) && !o_.no_displacement)
      arm.displacement = served_displacement_.Measure(loaded, *base, task_, sampling_, *progress_, flags_);
    else if (base)
      arm.displacement =
          MeasureDisplacements(loaded, *base, task_, arm.run, record_.baseline.run, logits_, cache_, *progress_);
    if (loaded.server) NoteFaults(loaded, flags_);
    if (!o_.no_speed && !loaded.path.empty()) arm.cost = MeasureCost(loaded, o_.model_flags, flags_, cache_);
    return arm;
  }

  fs::path KeptName(const Preset& preset) const { return fs::path(o_.keep) / DefaultOutputName(*source_, preset); }

  /// What this very model, quantized so, was when this build wrote it to `out`; "" for the cache's own.
  std::string QuantKey(const Preset& preset, const fs::path& out) const {
    return KeyOf({"quant", source_->fingerprint(), preset.info().name, out.string()});
  }
  std::string KeptKey(const Preset& preset) const {
    std::error_code ignored;
    return QuantKey(preset, fs::weakly_canonical(KeptName(preset), ignored));
  }

  /// Whether what lies at `out` is still that.
  bool IsAsMade(const fs::path& out, const std::string& key) {
    const std::optional<Json> known = cache_.Get(key);
    std::error_code ignored;
    if (!known || !fs::exists(out, ignored)) return false;
    try {
      return Checkpoint::Open(out)->fingerprint() == *known;
    } catch (const Error&) {
      return false;  // cut short or damaged
    }
  }

  /// Told before the model is loaded. What an interrupted command of the same words wrote is no obstacle.
  void CheckKeep(const Preset& preset) {
    if (o_.keep.empty()) return;
    MakeFolder(o_.keep);
    const fs::path out = KeptName(preset);
    NoteLeft(out, flags_);
    if (!o_.force && IsAsMade(out, KeptKey(preset))) return;
    CheckConversion(*source_, preset, out, Conversion(), pool_, *progress_);
  }

  ConvertOptions Conversion() const {
    ConvertOptions options;
    options.measure_error = false;
    options.rules = rules_;
    return options;
  }

  std::string Make(const Preset& preset, const fs::path& out) {
    ConvertOptions options = Conversion();
    options.rules.unchanged = base_.files;
    return ConvertCheckpoint(*source_, preset, out, options, pool_, *progress_).output;
  }

  std::string MakeOnce(const Preset& preset, const fs::path& out, const std::string& key) {
    std::string made = Make(preset, out);
    cache_.Watch(base_.files);
    if (!cache_.folder().empty()) cache_.Put(key, Checkpoint::Open(made)->fingerprint());
    return made;
  }

  /// Where the quantized model of a preset lies. It is taken when it is what this build made of this very model.
  std::string Quantized(const Preset& preset) {
    if (!o_.keep.empty()) {
      const fs::path out = KeptName(preset);
      const std::string key = KeptKey(preset);
      return !o_.force && IsAsMade(out, key) ? out.string() : MakeOnce(preset, out, key);
    }
    const std::string file =
        std::string(preset.info().name) + (preset.info().container == Container::kGguf ? ".gguf" : "");
    if (!cache_.folder().empty()) {
      try {
        return QuantizedInCache(preset, file);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kIo && error.kind() != ErrorKind::kResource) throw;
        Note(flags_, fmt::format("{} is not kept in the cache: {}", preset.info().name, error.what()));
      }
    }
    scratch_.emplace_back(std::make_unique<ScratchFolder>());
    return Make(preset, scratch_.back()->path() / file);
  }

  /// What is not as it was made is made anew; of two processes one makes it.
  std::string QuantizedInCache(const Preset& preset, const std::string& file) {
    const fs::path folder = cache_.folder() / "quants" / source_->fingerprint(), out = folder / file;
    MakeFolder(folder);
    bool told = false;
    const WaitingLock lock(out.string() + ".lock", [&] {
      if (!std::exchange(told, true))
        Note(flags_, fmt::format("waiting for another process that quantizes to {}", preset.info().name));
      return progress_->Cancelled();
    });
    const std::string key = QuantKey(preset, "");
    if (IsAsMade(out, key)) return out.string();
    RemoveOwn(out);
    return MakeOnce(preset, out, key);
  }

  LoadedArm Serving(const std::string& url) {
    LoadedArm arm = LoadServer(url, o_.server, o_.prompt_flags, flags_, *progress_);
    arm.sitting = BeginSitting(arm, task_, cache_);
    LoadedArm& kept = served_.emplace_back();  // its identity, to end the sitting
    kept.origin = arm.origin;
    return arm;
  }

  void AddServer(const LoadedArm& candidate) { record_.candidates.push_back(Measure(candidate, &base_)); }

  void AddCandidate(const std::string& path, std::string_view name) {
    LoadedArm candidate = LoadArm(path, name, o_.model_flags, o_.engine, pool_, flags_);
    for (const std::string& line : candidate.differences) Note(flags_, line);
    record_.candidates.push_back(Measure(candidate, &base_));
  }

  const Options& o_;
  const CommonFlags& flags_;
  ThreadPool pool_;
  Cache cache_;
  std::unique_ptr<Progress> progress_;
  LogitCache logits_;
  Task task_;
  std::optional<Labelling> labelling_;
  std::string text_;
  std::shared_ptr<const Checkpoint> source_;  // of base_, which is made of it
  LoadedArm base_;
  std::vector<LoadedArm> servers_;  // among the candidates, in their order
  std::vector<LoadedArm> served_;   // all servers, identities only
  Sampling sampling_;
  OutputRules rules_;
  std::vector<std::unique_ptr<ScratchFolder>> scratch_;  // of quantized models that nobody keeps
  ServedDisplacement served_displacement_;
  CheckRecord record_;
  std::vector<Comparison> comparisons_;
};

}  // namespace

std::function<int()> AddCheck(CommandLine& command, CommonFlags& flags) {
  auto o = std::make_shared<Options>();
  command
      .Option("MODEL", o->model,
              "the full-precision model: file, folder, org/name, or a server: http://host:port#model")
      .Required();
  command.Option("--task", o->task, "your examples (JSON lines; docs/tasks.md)").Required();
  command.Option("--to", o->to, "presets to try, comma-separated: see `assay formats`")
      .CommaSeparated()
      .Completes(PresetNames());
  command.Option("--candidate", o->candidates, "an already quantized model to judge, or a server (repeatable)");
  Flag unlabelled = command.Option("--unlabelled", o->unlabelled,
                                   "prompts without right answers (JSON lines; docs/tasks.md): equal answers count");
  command.Option("--labels", o->labels, "REPORT.differing.jsonl of an earlier run, with \"right\" filled in")
      .Needs(unlabelled);
  command.Option("--text", o->text, "text file for perplexity and KL divergence");
  command.Option("--context", o->perplexity.context, "tokens per chunk of the text")
      .ShowDefault()
      .Within(IntegerBetween(2, kMostTokens));
  command.Option("--chunks", o->perplexity.chunks, "at most so many chunks of the text (default: all)")
      .Within(IntegerBetween(1, kMostTokens));
  command
      .Option("--margin", o->margin,
              "largest acceptable drop in points, fixed before you look (default: the task's, else 10)")
      .Within(NumberBetween(0.1, 99.9));
  AddInOrder(command, o->in_order);
  AddAllowDifference(command, o->allow_difference);
  command.Option("--report", o->report, "report to write: .html, .md, .xml (JUnit), .csv or .json").ShowDefault();
  command.Option("--certificate", o->certificate,
                 "also write the verdicts, bound to record, task and weights by hashes (assay verify)");
  command.Option("--keep", o->keep, "write the quantized models to this folder (default: the cache)");
  AddPromptFlags(command, o->prompt_flags);
  AddTaskSamplingFlags(command, o->sampling);
  Flag noise = command.Switch("--noise", o->noise,
                              "ask the baseline a second time: what flips by chance alone (a server is always asked, a "
                              "part of the task)");
  command.Switch("--no-noise", o->no_noise, "ask a server only once").Excludes(noise);
  command.Switch("--no-displacement", o->no_displacement,
                 "do not ask servers once more, a part of the task, for the most likely tokens");
  AddBatchFlags(command, o->engine);
  command.Switch("--no-cache", o->no_cache, "measure everything anew");
  AddServerFlags(command, o->server);
  AddForce(command, o->force);
  command.Switch("--no-speed", o->no_speed, "do not measure speed and memory");
  AddFailOn(command, o->fail_on);
  AddModelFlags(command, o->model_flags);
  return [o, &flags] {
    o->engine.prompt = o->prompt_flags.options();
    if (o->to.empty() && o->candidates.empty()) {
      if (IsServer(o->model))
        Fail(ErrorKind::kInvalid, "{}: a server's model cannot be quantized here: give --candidate",
             o->model.substr(0, o->model.find('@')));
      o->to = {"q8_0", "q4_k_m"};
    }
    Checking checking(*o, flags);
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
    return VerdictExitCode(comparisons, o->fail_on);
  };
}

}  // namespace assay
