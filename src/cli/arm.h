#pragma once
// One model on one task, with everything measured at most once: the legs that `run` and `check` share.

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/command.h"
#include "engine/divergence.h"
#include "engine/engine.h"
#include "record/bench_record.h"
#include "record/cache.h"
#include "record/check_record.h"
#include "task/task.h"

namespace assay {

class RemoteBackend;

/// What this user's earlier runs measured. None with --no-cache; where it cannot be kept the run goes on without, and
/// says so.
class Cache {
 public:
  Cache(bool enabled, const CommonFlags& flags);
  ~Cache();
  std::optional<Json> Get(const std::string& key);
  /// Throws Error{kInvalid} when a watched file was changed: what was measured may be of neither the old nor the new.
  void Put(const std::string& key, const Json& value);
  /// The files of the models that are measured from here on.
  void Watch(std::vector<FileState> files) { watched_ = std::move(files); }
  /// Empty: there is none.
  const std::filesystem::path& folder() const { return folder_; }
  /// Its files: never an output.
  std::vector<FileState> files() const;

 private:
  void GoOnWithout(const Error& error);
  const CommonFlags& flags_;
  std::filesystem::path folder_;
  std::unique_ptr<ResultCache> store_;
  std::vector<FileState> watched_;
};

/// Keys of what the legs below keep. `base` null: of the baseline itself, or of one that cannot score.
std::string QualityKey(const RunHeader& arm, const RunHeader* base, const std::string& text,
                       const PerplexityOptions& options);
std::string DisplacementKey(const RunHeader& arm, const RunHeader& base, const std::string& prompt_hash,
                            std::span<const int32_t> base_ids, std::span<const int32_t> ids);
std::string CostKey(const RunHeader& arm, const ModelFlags& model_flags, const CommonFlags& flags);
/// The answer that the cache has to an AnswerKey; `sitting` of a server's.
std::optional<Answer> CachedAnswer(Cache& cache, const std::string& answer_key, const std::string& sitting);

/// Key of anything that one measurement gives: what was measured, by this build on this machine.
std::string KeyOf(std::initializer_list<std::string_view> parts);

/// What answers, and what the legs tell of it beside its answers.
struct LoadedArm {
  std::string path;                      // of the model's files; empty: it has none here
  std::vector<FileState> files;          // WeightFiles
  RunHeader origin;                      // what headers of its runs say of the model, its prompts and its arithmetic
  GenerationConfig generation;           // how its files want answers chosen
  std::vector<std::string> differences;  // what this engine does otherwise than the model's maker
  std::unique_ptr<Backend> backend;
  const Engine* engine = nullptr;         // the backend, where it is a model in files
  const RemoteBackend* server = nullptr;  // the backend, where it is a server (server/server_arm.h)
  std::string sitting;                    // of a server's answers in the cache; empty: the model's identity is enough
  const ModelIdentity& identity() const { return origin.model; }
};
/// --batch, --cache-memory: no answer depends on them.
void AddBatchFlags(CommandLine& command, EngineOptions& options);

/// A model in files before its weights are loaded: what has been read of it is of these files, as they were.
struct OpenedModel {
  std::string path;
  std::vector<FileState> files;  // WeightFiles
  std::shared_ptr<const Checkpoint> checkpoint;
};
OpenedModel OpenModel(const std::string& path);

/// What headers of its runs say of it, but for the fingerprint, which takes all weights; `preset` as IdentityOf has it.
RunHeader OriginOf(const ModelPrompts& prompts, Arithmetic arithmetic, std::string_view preset);

/// A model in files, run by this program's engine.
LoadedArm LoadArm(OpenedModel opened, std::string_view preset, const ModelFlags& model_flags,
                  const EngineOptions& options, ThreadPool& pool, const CommonFlags& flags);

RunHeader MakeRunHeader(const LoadedArm& arm, const Task& task, const Sampling& defaults, int64_t samples);

/// Refuses several samples where all would be one answer, and tells where some will be.
void CheckSamples(const Capabilities& can, const Task& task, const Sampling& defaults, int64_t samples,
                  const CommonFlags& flags);

/// Tells how chats were fitted to the model's template and what that leaves out.
void NotePromptRemarks(const RunRecord& run, const CommonFlags& flags);

/// Answers and scores the task; answers come from the cache where it has them. `writer` may be null. `first_sample` as
/// in RunTask.
RunRecord AnswerTask(const LoadedArm& arm, const Task& task, const RunHeader& header, RunRecordWriter* writer,
                     Cache& cache, Progress& progress, int64_t first_sample = 0);

/// How much of a task is asked again to see the noise.
struct NoiseShare {
  size_t drawn = SIZE_MAX;  // most examples that chance answers
  size_t greedy = 5;        // of greedy ones: where they always give the same bits a few suffice to see it
};
/// Of a server: in batches with others, and with prompts kept, greedy answers change too.
inline constexpr NoiseShare kServedNoise{25, 25};

/// Asks again: with other seeds what chance answers, and greedy examples as they were, without the cache, to see
/// whether they give the same.
NoiseFloor MeasureNoise(const LoadedArm& arm, const Task& task, const RunRecord& first, const NoiseShare& share,
                        Cache& cache, Progress& progress);

/// Perplexity on a text, and KL divergence from `base` when given (null for the baseline itself), as far as they score.
ArmQuality MeasureQuality(const LoadedArm& arm, const LoadedArm* base, LogitCache& base_logits, const std::string& text,
                          const PerplexityOptions& options, Cache& cache, Progress& progress);

/// Displacement along the baseline's answers, for every example that both answered; none where one of them cannot
/// score.
std::vector<Displacement> MeasureDisplacements(const LoadedArm& arm, const LoadedArm& base, const Task& task,
                                               const RunRecord& run, const RunRecord& base_run, LogitCache& base_logits,
                                               Cache& cache, Progress& progress);

/// What MeasureCost runs: so many times a prompt of so many tokens, and so many generated, one after the other; the
/// first of them warms up.
inline constexpr int kBenchRuns = 4, kBenchPrompt = 128, kBenchGenerated = 32;
/// Speed and peak memory of a model in files, measured by `assay bench` in a process of its own so that nothing else is
/// counted.
ArmCost MeasureCost(const LoadedArm& arm, const ModelFlags& model_flags, const CommonFlags& flags, Cache& cache);

}  // namespace assay
