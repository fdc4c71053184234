#include "cli/arm.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "base/hash.h"
#include "base/only_cancel.h"
#include "checkpoint/model_files.h"
#include "cli/identity.h"
#include "cli/ranges.h"
#include "evidence/noise.h"
#include "record/json_fields.h"
#include "system/machine.h"
#include "system/subprocess.h"
#include "task/runner.h"

namespace assay {

/// As the cache keeps it.
void Members(auto& json, MaybeConst<Answer> auto& answer) {
  json.Required("text", answer.text);
  json.Required("ids", answer.ids);
  json.Required("logprobs", answer.logprobs);
  json.Required("finish", answer.finish);
  json.Required("prompt_tokens", answer.prompt_tokens);
  json.Member("answer_tokens", answer.answer_tokens);
  json.Optional("raw", answer.raw, answer.text);
  json.Optional("reasoning", answer.reasoning);
  json.Optional("tool_calls", answer.tool_calls);
}

namespace {

constexpr const char* kCacheName = "result cache";  // in messages

/// At most `most` examples, from all over the task.
void KeepSome(std::vector<Example>& examples, size_t most) {
  if (examples.size() <= most) return;
  const size_t step = (examples.size() + most - 1) / most;
  std::vector<Example> some;
  for (size_t i = 0; i < examples.size(); i += step) some.push_back(std::move(examples[i]));
  examples = std::move(some);
}

using ResultsById = std::unordered_map<std::string_view, const ExampleResult*>;
ResultsById ById(const RunRecord& run) {
  ResultsById by_id;
  for (const ExampleResult& result : run.examples) by_id.emplace(result.id, &result);
  return by_id;
}

const ExampleResult* FindExample(const ResultsById& by_id, const std::string& id) {
  auto it = by_id.find(id);
  return it == by_id.end() ? nullptr : it->second;
}

std::string ThreadsText(const CommonFlags& flags) {
  return std::to_string(flags.threads > 0 ? flags.threads : ProcessorCount());
}

/// A server's answers are kept for one sitting.
std::string SittingKey(const std::string& answer_key, const std::string& sitting) {
  return sitting.empty() ? answer_key : HashHex(answer_key + sitting);
}

// A tokenizer is known by its vocabulary and by what it makes of a probe text.
std::string TokenizerHash(const Tokenizer& tokenizer) {
  Hasher hasher;
  for (const std::string& token : tokenizer.spec().tokens) hasher.AddText(token);
  auto ids = tokenizer.Encode(kTokenizerProbe, true, true);
  hasher.Add(std::as_bytes(std::span(ids)));
  return hasher.Hex();
}

}  // namespace

std::string KeyOf(std::initializer_list<std::string_view> parts) {
  Hasher hasher;
  for (std::string_view part : parts) hasher.AddText(part);
  hasher.AddText(BuildText());
  hasher.AddText(MachineText());
  return hasher.Hex();
}

std::string QualityKey(const RunHeader& arm, const RunHeader* base, const std::string& text,
                       const PerplexityOptions& options) {
  return KeyOf({"quality", arm.model.fingerprint, base ? base->model.fingerprint : "", HashHex(text),
                std::to_string(options.context), std::to_string(options.chunks), arm.arithmetic});
}

std::string DisplacementKey(const RunHeader& arm, const RunHeader& base, const std::string& prompt_hash,
                            std::span<const int32_t> base_ids, std::span<const int32_t> ids) {
  Hasher hasher;
  hasher.Add(std::as_bytes(base_ids));
  hasher.AddText("/");
  hasher.Add(std::as_bytes(ids));
  return KeyOf(
      {"displacement", arm.model.fingerprint, base.model.fingerprint, prompt_hash, hasher.Hex(), arm.arithmetic});
}

std::string CostKey(const RunHeader& arm, const ModelFlags& model_flags, const CommonFlags& flags) {
  return KeyOf({"cost", arm.model.fingerprint, model_flags.arithmetic, ThreadsText(flags)});
}

std::optional<Answer> CachedAnswer(Cache& cache, const std::string& answer_key, const std::string& sitting) {
  const std::optional<Json> found = cache.Get(SittingKey(answer_key, sitting));
  if (!found) return std::nullopt;
  return ReadJson<Answer>(*found, kCacheName);
}

Cache::Cache(bool enabled, const CommonFlags& flags) : flags_(flags) {
  if (!enabled) return;
  try {
    folder_ = CacheFolder();
    store_ = std::make_unique<ResultCache>(folder_ / kResultsName);
  } catch (const Error& error) {
    GoOnWithout(error);
  }
}
Cache::~Cache() = default;

// Nothing that was measured is wrong without it. A cache that lies about itself is another matter: its owner decides.
void Cache::GoOnWithout(const Error& error) {
  if (error.kind() == ErrorKind::kCorrupt || error.kind() == ErrorKind::kUnsupported) throw error;
  Note(flags_, fmt::format("going on without a cache: {}", error.what()));
  folder_.clear();
  store_.reset();
}

std::optional<Json> Cache::Get(const std::string& key) {
  if (!store_) return std::nullopt;
  std::optional<std::string> text;
  try {
    text = store_->Get(key);
  } catch (const Error& error) {
    GoOnWithout(error);
  }
  if (!text) return std::nullopt;
  return ParseJson(*text, kCacheName);
}

void Cache::Put(const std::string& key, const Json& value) {
  RequireUnchanged(watched_);
  if (!store_) return;
  try {
    store_->Put(key, DumpJson(value));
  } catch (const Error& error) {
    GoOnWithout(error);
  }
}

std::vector<FileState> Cache::files() const {
  if (folder_.empty()) return {};
  const std::string results = (folder_ / kResultsName).string();
  return StatesOf(std::vector<std::filesystem::path>{results, results + "-wal", results + "-shm"});
}

void AddBatchFlags(CommandLine& command, EngineOptions& options) {
  command.Option("--batch", options.batch_size, "examples that decode together")
      .ShowDefault()
      .Within(IntegerBetween(1, 256));
  command
      .Option("--cache-memory", options.cache_bytes,
              "most memory for what the model remembers of examples, such as 500MB or 4GB (default: a quarter of what "
              "its weights leave of this machine's)")
      .Within(SizeBetween(1, int64_t{1} << 50));
}

OpenedModel OpenModel(const std::string& path) {
  OpenedModel opened{path, WeightFiles(path), nullptr};
  opened.checkpoint = Checkpoint::Open(path);
  return opened;
}

RunHeader OriginOf(const ModelPrompts& prompts, Arithmetic arithmetic, std::string_view preset) {
  const Checkpoint& checkpoint = prompts.checkpoint();
  RunHeader header;
  header.model = IdentityOf(checkpoint, preset, false);
  header.tokenizer_hash = TokenizerHash(prompts.tokenizer());
  header.tokenizer_probe = PromptHash(prompts.tokenizer().Encode(kTokenizerProbe, true));
  const std::string chat_template = prompts.chats().sources();
  header.template_hash = chat_template.empty() ? "" : HashHex(chat_template);
  header.prompts_by = checkpoint.container() == Container::kGguf ? "llama.cpp" : "transformers";
  header.now = prompts.chats().now();
  header.template_variables = prompts.chats().variables();
  const ModelConfig& config = arithmetic == Arithmetic::kReference ? checkpoint.as_made() : checkpoint.config();
  header.generation_remarks = config.generation.unapplied;
  header.arithmetic = ArithmeticName(arithmetic);
  header.build = BuildText();
  header.machine = MachineText();
  return header;
}

LoadedArm LoadArm(OpenedModel opened, std::string_view preset, const ModelFlags& model_flags,
                  const EngineOptions& options, ThreadPool& pool, const CommonFlags& flags) {
  LoadedArm arm;
  arm.path = std::move(opened.path);
  arm.files = std::move(opened.files);
  auto model = LoadModel(std::move(opened.checkpoint), model_flags, pool, flags);
  arm.generation = model->config().generation;
  arm.differences = model->checkpoint().differences();
  auto engine = std::make_unique<Engine>(std::move(model), pool, options);
  arm.origin = OriginOf(engine->prompts(), engine->model().arithmetic(), preset);
  arm.origin.model.fingerprint = engine->model().checkpoint().fingerprint();
  arm.origin.can = engine->can();
  arm.engine = engine.get();
  arm.backend = std::move(engine);
  RequireUnchanged(arm.files);  // what was loaded is what has the fingerprint
  return arm;
}

void CheckSamples(const Capabilities& can, const Task& task, const Sampling& defaults, int64_t samples,
                  const CommonFlags& flags) {
  RequireChance(task, defaults, samples, can);
  const auto greedy = std::count_if(task.examples.begin(), task.examples.end(),
                                    [&](const Example& example) { return IsGreedy(example, defaults); });
  if (samples > 1 && greedy > 0 && can.same_bits)
    Note(flags, fmt::format("{} of {} examples are answered greedily: their {} samples are one answer", greedy,
                            task.examples.size(), samples));
}

RunHeader MakeRunHeader(const LoadedArm& arm, const Task& task, const Sampling& defaults, int64_t samples) {
  RunHeader header = arm.origin;
  header.task_name = task.name;
  header.task_hash = task.hash;
  header.margin = task.margin;
  header.looks = task.looks;
  header.samples = samples;
  header.sampling = ToJson(defaults);
  header.started = UtcTimestamp();
  return header;
}

void NotePromptRemarks(const RunRecord& run, const CommonFlags& flags) {
  std::map<std::string, int> counts;
  for (const ExampleResult& example : run.examples)
    if (example.sample == 0)
      for (const std::string& remark : example.prompt_remarks) ++counts[remark];
  for (const auto& [remark, count] : counts)
    Note(flags, fmt::format("{} of {} prompts: {}", count, run.example_count(), remark));
}

RunRecord AnswerTask(const LoadedArm& arm, const Task& task, const RunHeader& header, RunRecordWriter* writer,
                     Cache& cache, Progress& progress, int64_t first_sample) {
  AnswerLookup lookup;
  lookup.get = [&](const std::string& key) { return CachedAnswer(cache, key, arm.sitting); };
  lookup.put = [&](const std::string& key, const Answer& answer) {
    cache.Put(SittingKey(key, arm.sitting), JsonWriter::Written(answer));
  };
  return RunTask(task, *arm.backend, header, writer, progress, lookup, first_sample);
}

NoiseFloor MeasureNoise(const LoadedArm& arm, const Task& task, const RunRecord& first, const NoiseShare& share,
                        Cache& cache, Progress& progress) {
  const Sampling defaults = SamplingFromJson(first.header.sampling, {}, "sampling of the run");
  Task chance = task, greedy = task;
  std::erase_if(chance.examples, [&](const Example& example) { return IsGreedy(example, defaults); });
  std::erase_if(greedy.examples, [&](const Example& example) { return !IsGreedy(example, defaults); });
  KeepSome(chance.examples, share.drawn);
  KeepSome(greedy.examples, share.greedy);
  NoiseFloor noise;
  if (!chance.examples.empty())
    AddNoise(first, AnswerTask(arm, chance, first.header, nullptr, cache, progress, first.header.samples), true, noise);
  if (!greedy.examples.empty()) {
    RunHeader header = first.header;
    header.samples = 1;
    AddNoise(first, RunTask(greedy, *arm.backend, header, nullptr, progress), false, noise);
  }
  return noise;
}

ArmQuality MeasureQuality(const LoadedArm& arm, const LoadedArm* base, LogitCache& base_logits, const std::string& text,
                          const PerplexityOptions& options, Cache& cache, Progress& progress) {
  ArmQuality quality;
  Scorer *scorer = arm.backend->scorer(), *base_scorer = base ? base->backend->scorer() : nullptr;
  if (!scorer) return quality;
  const std::string key = QualityKey(arm.origin, base_scorer ? &base->origin : nullptr, text, options);
  if (auto found = cache.Get(key)) return ArmQualityFromJson(*found, kCacheName);
  const PerplexityResult r = MeasurePerplexity(*scorer, base_scorer, &base_logits, text, options, progress);
  quality.perplexity = r.perplexity;
  quality.perplexity_error = r.perplexity * r.standard_error;
  if (r.against) {
    quality.mean_kl = r.divergence.mean;
    quality.p99_kl = r.divergence.p99;
    quality.same_top = r.divergence.same_top;
  }
  cache.Put(key, ToJson(quality));
  return quality;
}

std::vector<Displacement> MeasureDisplacements(const LoadedArm& arm, const LoadedArm& base, const Task& task,
                                               const RunRecord& run, const RunRecord& base_run, LogitCache& base_logits,
                                               Cache& cache, Progress& progress) {
  std::vector<Displacement> all;
  Scorer *scorer = arm.backend->scorer(), *base_scorer = base.backend->scorer();
  if (!scorer || !base_scorer) return all;
  progress.Begin(fmt::format("displacement of {}", arm.identity().format), task.examples.size(), "examples");
  OnlyCancel inner(progress);
  const ResultsById answers = ById(run), base_answers = ById(base_run);
  for (const Example& example : task.examples) {
    progress.Advance(1);
    const ExampleResult *answered = FindExample(answers, example.id), *baseline = FindExample(base_answers, example.id);
    if (!answered || !baseline || !answered->error.empty() || !baseline->error.empty()) continue;
    const std::string key =
        DisplacementKey(arm.origin, base.origin, baseline->prompt_hash, baseline->answer_ids, answered->answer_ids);
    if (auto found = cache.Get(key)) {
      Displacement d = DisplacementFromJson(*found, kCacheName);
      d.id = example.id;
      all.push_back(d);
      continue;
    }
    const std::vector<int32_t> prompt = base.backend->Prepare(QuestionOf(example)).ids;
    all.push_back(MeasureDisplacement(*scorer, *base_scorer, &base_logits, example.id, prompt, baseline->answer_ids,
                                      answered->answer_ids, inner));
    cache.Put(key, ToJson(all.back()));
  }
  progress.End();
  return all;
}

ArmCost MeasureCost(const LoadedArm& arm, const ModelFlags& model_flags, const CommonFlags& flags, Cache& cache) {
  const std::string key = CostKey(arm.origin, model_flags, flags);
  Json measured;
  if (auto found = cache.Get(key)) {
    measured = *found;
  } else {
    SubprocessResult result =
        RunSubprocess({SelfPath(), "bench", arm.path, "-p", std::to_string(kBenchPrompt), "-n",
                       std::to_string(kBenchGenerated), "-r", std::to_string(kBenchRuns - 1), "--json", "--quiet",
                       "--threads", ThreadsText(flags), "--arithmetic", model_flags.arithmetic});
    if (result.exit_code != 0)
      Fail(ErrorKind::kIo, "measuring the speed of {} failed: {}", arm.path, result.error_output);
    measured = ParseJson(result.output, "assay bench");
    cache.Put(key, measured);
  }
  BenchRecord record = BenchRecordFromJson(measured, "assay bench");
  ArmCost cost;
  for (const BenchRow& row : record.rows)
    (row.test[0] == 'p' ? cost.prefill_tokens_per_s : cost.decode_tokens_per_s) = row.median();
  cost.peak_memory_bytes = record.peak_memory_bytes;
  return cost;
}

}  // namespace assay
