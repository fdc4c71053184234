#pragma once
// What can fail of a check, looked at before any model runs: its models are opened, its servers probed, every prompt is
// rendered, and what stands in the way is collected, to be told together.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/arm.h"
#include "cli/check/check_options.h"
#include "cli/check/plan.h"
#include "cli/check/posed.h"
#include "cli/check/problems.h"
#include "cli/check/quants.h"
#include "engine/model_prompts.h"

namespace assay {

/// A model of a check before it answers: one that will be made of the baseline, files that were opened, or a server.
struct CheckedModel {
  std::string name;                       // for messages
  std::string given;                      // on the command line; empty: it is made
  const Preset* preset = nullptr;         // what it will be quantized to
  std::optional<OpenedModel> opened;      // files
  std::unique_ptr<ModelPrompts> prompts;  // of opened
  std::optional<LoadedArm> server;
  RunHeader origin;             // of files and servers
  PosedTask posed, unlabelled;  // of those, too
  bool made() const { return preset != nullptr; }
  CandidateNames names() const;
};

/// Makes a server's arm of its URL.
using ServeModel = std::function<LoadedArm(const std::string& url)>;

class Preflight {
 public:
  /// All are borrowed; `prompts` null: there are no unlabelled ones.
  Preflight(const CheckOptions& options, const Task& task, const Task* prompts, const std::string& text, Cache& cache,
            Quants& quants, ThreadPool& pool, Progress& progress, const CommonFlags& flags);

  /// Opens or finds all models, and looks at each and at the baseline beside it. `baseline`: a path or a URL.
  void Look(const std::string& baseline, const std::vector<const Preset*>& presets, const ServeModel& serve,
            Problems& problems);
  /// What only the bytes of candidates in files say.
  void ReadWeights(Problems& problems) const;
  CheckedModel& baseline() { return baseline_; }
  std::vector<CheckedModel>& candidates() { return candidates_; }
  const Sampling& sampling() const { return sampling_; }
  /// What may be called what by --require.
  std::vector<CandidateNames> names() const;

  /// What the loaded baseline shows: the text's tokens, memory. Throws, and tells what will be slow.
  void LookAtLoaded(const LoadedArm& base);
  /// `base` loaded; `files`: what is written. Measures the speed for a moment where something is to be estimated.
  CheckPlan Plan(const LoadedArm& base, std::vector<std::string> files);

 private:
  /// The tokens of each example's first answer, where the cache has it.
  using FirstAnswers = std::vector<std::optional<std::vector<int32_t>>>;
  CheckedModel Open(const std::string& given, const std::string& path) const;
  CheckedModel Serve(const std::string& url, const ServeModel& serve) const;
  void PoseTo(CheckedModel& model, Problems& problems) const;
  void PoseToMade(CheckedModel& made);
  void Compare(const CheckedModel& candidate, Problems& problems) const;
  MemoryUse MemoryOf(const LoadedArm& base) const;
  void PlanModel(CheckedModel& model, const LoadedArm& base, CheckPlan& plan);
  PlannedLeg Answers(std::string_view what, const Task& task, const PosedTask& posed, const RunHeader& origin,
                     const std::string& sitting, int64_t samples, FirstAnswers* first);
  PlannedLeg Noise() const;
  PlannedLeg Displacement(const CheckedModel& model, const LoadedArm& base, const FirstAnswers& first, bool known);

  const CheckOptions& o_;
  const Task& task_;
  const Task* prompts_;
  const std::string& text_;
  Cache& cache_;
  Quants& quants_;
  ThreadPool& pool_;
  Progress& progress_;
  const CommonFlags& flags_;
  Sampling sampling_;
  CheckedModel baseline_;
  std::vector<CheckedModel> candidates_;
  int64_t text_tokens_ = 0;  // that are predicted for perplexity
  FirstAnswers base_first_;
};

}  // namespace assay
