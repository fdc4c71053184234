#include "cli/check/preflight.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "evidence/same_question.h"
#include "evidence/sizes.h"
#include "quantize/choose.h"
#include "remote/server_facts.h"
#include "system/machine.h"
#include "task/runner.h"

namespace assay {
namespace {

const ModelConfig& ConfigOf(const Checkpoint& checkpoint, Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kReference ? checkpoint.as_made() : checkpoint.config();
}

std::vector<Question> QuestionsOf(const Task& task) {
  std::vector<Question> questions;
  for (const Example& example : task.examples) questions.push_back(QuestionOf(example));
  return questions;
}

PlannedLeg Measurement(std::string_view what, bool known) {
  PlannedLeg leg{.what = std::string(what)};
  ++(known ? leg.known : leg.open);
  return leg;
}

}  // namespace

CandidateNames CheckedModel::names() const {
  if (made()) return {std::string(preset->info().name)};
  CandidateNames names = {given, origin.model.name, origin.model.format};
  if (server) std::swap(names[0], names[2]);  // an address may hold more than its name
  return names;
}

Preflight::Preflight(const CheckOptions& options, const Task& task, const Task* prompts, const std::string& text,
                     Cache& cache, Quants& quants, ThreadPool& pool, Progress& progress, const CommonFlags& flags)
    : o_(options),
      task_(task),
      prompts_(prompts),
      text_(text),
      cache_(cache),
      quants_(quants),
      pool_(pool),
      progress_(progress),
      flags_(flags) {}

CheckedModel Preflight::Open(const std::string& given, const std::string& path) const {
  CheckedModel model;
  model.given = given;
  model.opened = OpenModel(path);
  model.prompts = std::make_unique<ModelPrompts>(model.opened->checkpoint, o_.engine.prompt);
  model.origin = OriginOf(*model.prompts, o_.model_flags.options().arithmetic, "");
  model.name = model.origin.model.name;
  return model;
}

CheckedModel Preflight::Serve(const std::string& url, const ServeModel& serve) const {
  CheckedModel model;
  model.given = url;
  model.server = serve(url);
  model.origin = model.server->origin;
  model.name = model.origin.model.format;
  return model;
}

void Preflight::PoseTo(CheckedModel& model, Problems& problems) const {
  Asking asking;
  if (model.server) {
    const Backend& backend = *model.server->backend;
    const int64_t context = model.server->server->facts().context;
    asking.prepare = [&](const Question& question) { return backend.Prepare(question); };
    asking.refusal = [context](const Prompt& prompt, int64_t) {
      const int64_t length = std::ssize(prompt.ids);
      if (context == 0 || length < context) return std::string();
      return fmt::format("a prompt of {} tokens does not fit the server's context of {}", length, context);
    };
  } else {
    const ModelPrompts& prompts = *model.prompts;
    const int64_t context = ConfigOf(*model.opened->checkpoint, o_.model_flags.options().arithmetic).context;
    asking.prepare = [&](const Question& question) { return prompts.Prepare(question); };
    asking.refusal = [&prompts, context](const Prompt& prompt, int64_t max_tokens) {
      return prompts.Refusal(prompt.ids, max_tokens, context);
    };
  }
  const auto pose = [&](const Task& task, PosedTask& posed, Problems* refusals) {
    if (model.server && !problems.Try([&] { model.server->backend->Announce(QuestionsOf(task), progress_); })) return;
    posed = Pose(task, sampling_, asking);
    RequirePosable(model.name, posed, task, refusals, flags_);
  };
  pose(task_, model.posed, &problems);
  if (prompts_) pose(*prompts_, model.unlabelled, nullptr);
}

/// What would make the comparison with the baseline one of two things at once.
void Preflight::Compare(const CheckedModel& candidate, Problems& problems) const {
  const RunHeader &a = baseline_.origin, &b = candidate.origin;
  if (std::string differ = TokenizersThatDiffer(a, b); !differ.empty())
    problems.Add(fmt::format("{} and {} cannot be compared: {}", baseline_.name, candidate.name, differ));
  if (baseline_.opened && candidate.opened) {
    const int64_t left = baseline_.opened->checkpoint->config().vocab,
                  right = candidate.opened->checkpoint->config().vocab;
    if (left != right)
      problems.Add(fmt::format("{} and {} cannot be compared: they predict over {} and {} tokens", baseline_.name,
                               candidate.name, left, right));
    std::vector<std::string> remarks = SizeRemarks(a.model, b.model);
    if (!remarks.empty() && IsQuantized(a.model)) remarks.erase(remarks.begin());  // told once
    for (const std::string& remark : remarks) Note(flags_, fmt::format("{}: {}", candidate.name, remark));
  }
  if (o_.allow_difference) return;
  std::vector<std::string> differ = SettingsThatDiffer(a, b);
  if (a.can.render && b.can.render && a.template_hash != b.template_hash)
    differ.push_back(fmt::format("chat template: {} and {}", ShortHash(a.template_hash), ShortHash(b.template_hash)));
  if (!differ.empty())
    problems.Add(fmt::format("{} and {} are run differently (--allow-difference compares them all the same): {}",
                             baseline_.name, candidate.name, Join(differ, "; ")));
}

void Preflight::Look(const std::string& baseline, const std::vector<const Preset*>& presets, const ServeModel& serve,
                     Problems& problems) {
  const bool served = IsServer(baseline);
  const bool found = problems.Try([&] {
    baseline_ = served ? Serve(baseline, serve) : Open(baseline, baseline);
    if (!served) baseline_.origin.model.format = baseline_.opened->checkpoint->main_format();
  });
  for (const Preset* preset : presets) {
    CheckedModel& made = candidates_.emplace_back();
    made.name = preset->info().name;
    made.preset = preset;
  }
  for (const std::string& given : o_.candidates)
    problems.Try(
        [&] { candidates_.push_back(IsServer(given) ? Serve(given, serve) : Open(given, ResolveModel(given))); });
  if (!found) return;
  const GenerationConfig& generation =
      served ? baseline_.server->generation
             : ConfigOf(*baseline_.opened->checkpoint, o_.model_flags.options().arithmetic).generation;
  // One for all arms: what is compared is the weights.
  sampling_ = o_.sampling.For(generation);
  NoteGeneration(generation, flags_);
  problems.Try([&] { CheckSamples(baseline_.origin.can, task_, sampling_, o_.sampling.samples, flags_); });
  if (std::string remark = BaselineRemark(baseline_.origin.model); !remark.empty()) Note(flags_, remark);
  PoseTo(baseline_, problems);
  if (!served) {
    quants_.SetSource(*baseline_.opened);
    bool fit = true;
    for (const Preset* preset : presets) fit &= problems.Try([&] { quants_.Look(*preset); });
    if (fit) problems.Try([&] { quants_.RequireRoom(presets); });
  }
  for (CheckedModel& candidate : candidates_) {
    if (candidate.made()) continue;
    PoseTo(candidate, problems);
    Compare(candidate, problems);
  }
}

void Preflight::ReadWeights(Problems& problems) const {
  for (const CheckedModel& candidate : candidates_)
    if (candidate.opened) problems.Try([&] { candidate.opened->checkpoint->fingerprint(); });
}

std::vector<CandidateNames> Preflight::names() const {
  std::vector<CandidateNames> names;
  for (const CheckedModel& candidate : candidates_) names.push_back(candidate.names());
  return names;
}

MemoryUse Preflight::MemoryOf(const LoadedArm& base) const {
  return PlanMemory(base.engine->model(),
                    std::max<int64_t>(1, std::max(baseline_.posed.longest, baseline_.unlabelled.longest)), kStepTokens,
                    pool_.threads());
}

void Preflight::LookAtLoaded(const LoadedArm& base) {
  Scorer* scorer = base.backend->scorer();
  if (!text_.empty() && !scorer)
    Note(flags_, "--text: no KL divergence from a baseline that cannot predict over its whole vocabulary");
  else if (!text_.empty())
    text_tokens_ = std::ssize(PerplexityTokens(*scorer, text_, o_.perplexity)) / o_.perplexity.context;
  if (o_.perplexity.chunks > 0) text_tokens_ = std::min(text_tokens_, o_.perplexity.chunks);
  text_tokens_ *= o_.perplexity.context;
  if (!base.engine) return;
  const MemoryUse use = MemoryOf(base);
  const uint64_t limit = MemoryLimitBytes(), needed = use.weights_converted + use.kv_cache + use.scratch;
  if (needed > limit)
    Fail(
        ErrorKind::kResource,
        "{}: its longest example ({} tokens with its answer) takes {} beside the weights in the file, and this process "
        "may have {}: shorten it, or lower --max-tokens",
        baseline_.name, baseline_.posed.longest, FormatBytes(needed), FormatBytes(limit));
  uint64_t largest = 0;
  for (const CheckedModel& candidate : candidates_) largest = std::max(largest, candidate.origin.model.file_bytes);
  if (use.total() + largest > limit)
    Note(flags_,
         fmt::format("baseline and candidate together take about {}, and this process may have {}: weights will "
                     "be read from the disk again and again",
                     FormatBytes(use.total() + largest), FormatBytes(limit)));
}

/// A model that an earlier check made, as far as the plan needs it. Whether it still is what it was is seen when it is
/// used.
void Preflight::PoseToMade(CheckedModel& made) {
  made.posed = baseline_.posed;
  made.unlabelled = baseline_.unlabelled;
  const std::string known = quants_.Known(*made.preset);
  if (known.empty()) return;
  try {
    const ModelPrompts prompts(Checkpoint::Open(quants_.PlaceOf(*made.preset)), o_.engine.prompt);
    made.origin = OriginOf(prompts, o_.model_flags.options().arithmetic, made.preset->info().name);
    made.origin.model.fingerprint = known;
    const int64_t context = prompts.checkpoint().config().context;
    const Asking asking{
        [&](const Question& question) { return prompts.Prepare(question); },
        [&](const Prompt& prompt, int64_t max_tokens) { return prompts.Refusal(prompt.ids, max_tokens, context); }};
    made.posed = Pose(task_, sampling_, asking);
    if (prompts_) made.unlabelled = Pose(*prompts_, sampling_, asking);
  } catch (const Error&) {
    made.origin = {};  // it is damaged, and will be made anew
  }
}

void Preflight::PlanModel(CheckedModel& model, const LoadedArm& base, CheckPlan& plan) {
  PlannedModel planned{model.name, model.server.has_value(), {}};
  const bool is_base = &model == &baseline_;
  if (is_base) model.origin = base.origin;
  if (model.made()) PoseToMade(model);
  if (!is_base && model.opened) model.origin.model.fingerprint = model.opened->checkpoint->fingerprint();
  const bool known = !model.origin.model.fingerprint.empty();
  if (model.made() && !known) {
    PlannedLeg leg = Measurement("quantize", false);
    leg.bytes = PredictedBytes(*model.preset, *baseline_.opened->checkpoint);
    leg.place = quants_.PlaceOf(*model.preset);
    planned.legs.push_back(std::move(leg));
  }
  const std::string sitting = is_base ? base.sitting : model.server ? model.server->sitting : "";
  FirstAnswers first;
  planned.legs.push_back(Answers("answers", task_, model.posed, model.origin, sitting, o_.sampling.samples, &first));
  if (prompts_)
    planned.legs.push_back(
        Answers("unlabelled answers", *prompts_, model.unlabelled, model.origin, sitting, 1, nullptr));
  const bool in_files = !model.server;
  if (in_files && text_tokens_ > 0) {
    const RunHeader* against = is_base || !base.engine ? nullptr : &base.origin;
    PlannedLeg leg = Measurement(
        "perplexity", known && cache_.Get(QualityKey(model.origin, against, text_, o_.perplexity)).has_value());
    if (leg.open) leg.scored_tokens = text_tokens_ * (against ? 2 : 1);  // the baseline's may have to be made again
    planned.legs.push_back(std::move(leg));
  }
  if (is_base) {
    base_first_ = std::move(first);
    if (PlannedLeg leg = Noise(); leg.open > 0) planned.legs.push_back(std::move(leg));
  } else if (in_files && base.engine) {
    planned.legs.push_back(Displacement(model, base, first, known));
  } else if (!o_.no_displacement) {
    planned.legs.push_back(Measurement("displacement, by asking a part once more", false));
  }
  if (in_files && !o_.no_speed) {
    PlannedLeg leg =
        Measurement("speed", known && cache_.Get(CostKey(model.origin, o_.model_flags, flags_)).has_value());
    if (leg.open) {
      leg.read_tokens = kBenchRuns * kBenchPrompt;
      leg.alone_tokens = kBenchRuns * kBenchGenerated;
    }
    planned.legs.push_back(std::move(leg));
  }
  plan.models.push_back(std::move(planned));
}

/// The answers that a model still has to give, and (`first`, may be null) what the cache has.
PlannedLeg Preflight::Answers(std::string_view what, const Task& task, const PosedTask& posed, const RunHeader& origin,
                              const std::string& sitting, int64_t samples, FirstAnswers* first) {
  PlannedLeg leg{.what = std::string(what)};
  for (size_t i = 0; i < posed.examples.size(); ++i) {
    const PosedExample& example = posed.examples[i];
    if (first) first->emplace_back();
    if (!example.error.empty()) continue;
    bool is_first = true;
    for (const std::string& key : AnswerKeys(task.examples[i], example, origin, sampling_, samples)) {
      std::optional<Answer> answer;
      if (!origin.model.fingerprint.empty()) answer = CachedAnswer(cache_, key, sitting);
      if (answer && is_first && first) first->back() = answer->ids;
      is_first = false;
      if (answer) {
        ++leg.known;
        continue;
      }
      ++leg.open;
      leg.read_tokens += std::max<int64_t>(example.prompt_tokens, 0);
      leg.written_tokens += example.max_tokens;
    }
  }
  return leg;
}

PlannedLeg Preflight::Noise() const {
  PlannedLeg leg{.what = "answers for the noise"};
  const std::optional<NoiseShare> share = o_.noise_share();
  if (!share) return leg;
  size_t greedy = 0;
  int64_t most = 0;
  for (const Example& example : task_.examples) greedy += IsGreedy(example, sampling_);
  for (const PosedExample& example : baseline_.posed.examples) most = std::max(most, example.max_tokens);
  leg.open = static_cast<int64_t>(std::min(task_.examples.size() - greedy, share->drawn)) * o_.sampling.samples +
             static_cast<int64_t>(std::min(greedy, share->greedy));
  leg.read_tokens = leg.open * std::max<int64_t>(baseline_.posed.longest_prompt, 0);
  leg.written_tokens = leg.open * most;
  return leg;
}

PlannedLeg Preflight::Displacement(const CheckedModel& model, const LoadedArm& base, const FirstAnswers& first,
                                   bool known) {
  PlannedLeg leg{.what = "displacements"};
  for (size_t i = 0; i < first.size() && i < base_first_.size(); ++i) {
    const PosedExample& posed = baseline_.posed.examples[i];
    if (!posed.error.empty() || !model.posed.examples[i].error.empty()) continue;
    if (known && first[i] && base_first_[i] &&
        cache_.Get(DisplacementKey(model.origin, base.origin, posed.prompt_hash, *base_first_[i], *first[i]))) {
      ++leg.known;
      continue;
    }
    ++leg.open;
    const int64_t answer = base_first_[i] ? std::ssize(*base_first_[i]) : posed.max_tokens;
    leg.scored_tokens += 2 * (std::max<int64_t>(posed.prompt_tokens, 0) + answer);  // by both models
  }
  return leg;
}

CheckPlan Preflight::Plan(const LoadedArm& base, std::vector<std::string> files) {
  CheckPlan plan;
  plan.task = task_.name;
  plan.examples = std::ssize(task_.examples);
  plan.samples = o_.sampling.samples;
  plan.longest_prompt = baseline_.posed.longest_prompt;
  plan.longest = baseline_.posed.longest;
  plan.context = base.engine ? base.engine->context() : base.server->facts().context;
  plan.files = std::move(files);
  plan.memory_limit = MemoryLimitBytes();
  if (base.engine) plan.memory = MemoryOf(base);
  PlanModel(baseline_, base, plan);
  for (CheckedModel& candidate : candidates_) PlanModel(candidate, base, plan);
  if (!base.engine || !plan.wants_speed()) return plan;
  int64_t together = 1;
  for (const PlannedModel& model : plan.models)
    for (const PlannedLeg& leg : model.legs)
      if (leg.written_tokens > 0) together = std::max(together, std::min<int64_t>(leg.open, o_.engine.batch_size));
  plan.Estimate(
      GlimpseSpeed(base.engine->model(), pool_, static_cast<int>(together), base.engine->context(), progress_));
  return plan;
}

}  // namespace assay
