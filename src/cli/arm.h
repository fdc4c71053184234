#pragma once
// One model on one task, with everything measured at most once: the legs that `run` and `check` share.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "engine/divergence.h"
#include "record/bench_record.h"
#include "record/cache.h"
#include "record/check_record.h"
#include "task/task.h"

namespace assay {

/// The answer cache of this user, or none with --no-cache.
class Cache {
 public:
  explicit Cache(bool enabled);
  ~Cache();
  std::optional<Json> Get(const std::string& key);
  void Put(const std::string& key, const Json& value);

 private:
  std::unique_ptr<ResultCache> store_;
};

/// A loaded model with its engine and how to find it again.
struct LoadedArm {
  std::string path;
  ModelIdentity identity;
  std::shared_ptr<const Model> model;
  std::unique_ptr<Engine> engine;
};
LoadedArm LoadArm(const std::string& path, std::string_view preset, const ModelFlags& model_flags,
                  const EngineOptions& options, ThreadPool& pool, const CommonFlags& flags);

RunHeader MakeRunHeader(const LoadedArm& arm, const Task& task, const Sampling& defaults);

/// Answers and scores the task; answers come from the cache where it has them. `writer` may be null.
RunRecord AnswerTask(const LoadedArm& arm, const Task& task, const RunHeader& header, RunRecordWriter* writer,
                     Cache& cache, Progress& progress);

/// Perplexity on a text, and KL divergence from `base` when given (null for the baseline itself).
ArmQuality MeasureQuality(const LoadedArm& arm, const LoadedArm* base, LogitCache& base_logits, const std::string& text,
                          const PerplexityOptions& options, Cache& cache, Progress& progress);

/// Displacement along the baseline's answers, for every example that both answered.
std::vector<Displacement> MeasureDisplacements(const LoadedArm& arm, const LoadedArm& base, const Task& task,
                                               const RunRecord& run, const RunRecord& base_run, LogitCache& base_logits,
                                               Cache& cache, Progress& progress);

/// Speed and peak memory, measured by `assay bench` in a process of its own so that nothing else is counted.
ArmCost MeasureCost(const LoadedArm& arm, const ModelFlags& model_flags, const CommonFlags& flags, Cache& cache);

}  // namespace assay
