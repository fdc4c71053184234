#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/prompt_flags.h"
#include "cli/ranges.h"
#include "engine/engine.h"
#include "statistics/divergence.h"
#include "system/machine.h"
#include "task/finish.h"

namespace assay {
namespace {

struct SamplingFlags {
  Sampling values;
  bool greedy = false;
  Flag temperature, top_k, top_p, min_p, penalty, max_tokens;
};

void AddSamplingFlags(CommandLine& command, SamplingFlags& flags) {
  flags.temperature =
      command.Option("--temperature", flags.values.temperature, "0 is greedy (default: as the model's file says)")
          .Within(NumberBetween(0.0, 100.0));
  flags.top_k =
      command.Option("--top-k", flags.values.top_k, "keep the k most likely tokens (default: as the model's file says)")
          .Within(IntegerBetween(0, kMostTokens));
  flags.top_p = command
                    .Option("--top-p", flags.values.top_p,
                            "keep the most likely tokens up to this probability (default: as the model's file says)")
                    .Within(NumberBetween(0.0, 1.0));
  flags.min_p = command
                    .Option("--min-p", flags.values.min_p,
                            "keep tokens at least this share as likely as the best (default: as the model's file says)")
                    .Within(NumberBetween(0.0, 1.0));
  flags.penalty = AddRepetitionPenalty(command, flags.values);
  command.Option("--seed", flags.values.seed, "seed of the draws").Within(UnsignedInteger());
  flags.values.max_tokens = 1024;
  flags.max_tokens =
      command
          .Option(
              "--max-tokens", flags.values.max_tokens,
              "most tokens of the answer (default: as the model's file says, else 1024, or what the context leaves)")
          .Within(IntegerBetween(1, kMostTokens));
  command.Option("--stop", flags.values.stop, "end the answer before this text (repeatable)");
  command.Switch("--greedy", flags.greedy, "always the most likely token").Excludes(flags.temperature);
}

// What the user did not set comes from the file.
Sampling Resolve(const SamplingFlags& flags, const GenerationConfig& file) {
  Sampling sampling = flags.values;
  TakePenaltyAndStops(file, flags.penalty, sampling);
  if (!flags.max_tokens.given() && file.max_new_tokens > 0) sampling.max_tokens = file.max_new_tokens;
  if (flags.greedy) {
    sampling.temperature = 0;
    return sampling;
  }
  if (!flags.temperature.given()) sampling.temperature = file.temperature;
  if (!flags.top_k.given()) sampling.top_k = file.top_k;
  if (!flags.top_p.given()) sampling.top_p = file.top_p;
  if (!flags.min_p.given()) sampling.min_p = file.min_p;
  return sampling;
}

void NoteRemarks(const CommonFlags& flags, const Prompt& prompt) {
  for (const std::string& remark : prompt.remarks) Note(flags, remark);
}

Request Ask(const Engine& engine, Question question) {
  Request request;
  request.question = std::move(question);
  request.prompt = engine.Prepare(request.question);
  return request;
}

// A default must not be what makes a prompt too long.
void FitAnswer(const SamplingFlags& flags, const Engine& engine, Request& request) {
  if (flags.max_tokens.given()) return;
  const auto left = engine.context() - static_cast<int64_t>(request.prompt->ids.size());
  request.sampling.max_tokens = std::clamp<int64_t>(left, 1, request.sampling.max_tokens);
}

void NoteCut(const CommonFlags& flags, const Answer& answer) {
  if (answer.finish == "length") Note(flags, fmt::format("(cut after {} tokens: --max-tokens)", answer.ids.size()));
}

Json TopLogprobsJson(const std::vector<TokenLogprob>& top) {
  Json out = Json::array();
  for (const auto& [id, text, logprob] : top) out.push_back({{"id", id}, {"token", text}, {"logprob", logprob}});
  return out;
}

Json PromptLogprobs(Engine& engine, const std::vector<int32_t>& ids) {
  Json out = Json::array({nullptr});
  auto vocab = static_cast<size_t>(engine.model().config().vocab);
  engine.Score(ids, 0, [&](int64_t position, int64_t count, const float* logits) {
    for (int64_t i = 0; i < count; ++i) {
      auto next = static_cast<size_t>(position + i + 1);
      if (next >= ids.size()) return;
      out.push_back(LogProbability({logits + static_cast<size_t>(i) * vocab, vocab}, ids[next]));
    }
  });
  return out;
}

Answer One(Engine& engine, Request request, Progress& progress) {
  Answer result;
  engine.Generate(
      std::span(&request, 1), [&](size_t, const Answer& answer) { result = answer; }, progress);
  if (!result.error.empty()) Fail(ErrorKind::kInvalid, "{}", result.error);
  if (result.finish == kFinishNotNumbers)
    Fail(ErrorKind::kCorrupt,
         "{}: its predictions are not numbers (NaN or infinite) after {} tokens: its weights are broken, or its "
         "arithmetic overflows",
         engine.model().checkpoint().path().string(), result.ids.size());
  return result;
}

void NoteDefaults(const CommonFlags& flags, const Engine& engine, const Sampling& s, bool raw) {
  if (!flags.verbose) return;
  Note(flags, fmt::format("prompt: {}", raw                          ? "raw"
                                        : engine.has_chat_template() ? "the model's chat template"
                                                                     : "raw (the model ships no chat template)"));
  std::string stops;
  for (int32_t id : engine.model().config().stop_tokens)
    stops += fmt::format(" {} {}", id, engine.tokenizer().TokenBytes(id));
  Note(flags, fmt::format("stops at:{}", stops));
  Note(flags, fmt::format("sampling: {}", DumpJson(ToJson(s))));
}

}  // namespace

std::function<int()> AddGenerate(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model, prompt;
    ModelFlags model_flags;
    PromptFlags prompt_flags;
    SamplingFlags sampling;
    bool raw = false;
    int64_t logprobs = 0;
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "model file or folder").Required();
  command.Text("PROMPT", o->prompt, "what to ask").Required();
  command.Switch("--raw", o->raw, "no chat template; special tokens in the prompt count as such");
  command.Option("--logprobs", o->logprobs, "with --json: this many most likely tokens at each step")
      .Within(IntegerBetween(0, 1000));
  AddPromptFlags(command, o->prompt_flags);
  AddSamplingFlags(command, o->sampling);
  AddModelFlags(command, o->model_flags);
  return [o, &flags] {
    ThreadPool pool(flags.threads);
    auto model = LoadModel(o->model, o->model_flags, pool, flags);
    Engine engine(model, pool, {.prompt = o->prompt_flags.options()});
    NoteGeneration(model->config().generation, flags);
    bool raw = o->raw || !engine.has_chat_template();
    Request request = Ask(engine, raw ? Question(o->prompt)
                                      : Chat{.messages = Json::array({{{"role", "user"}, {"content", o->prompt}}})});
    NoteRemarks(flags, *request.prompt);
    request.sampling = Resolve(o->sampling, model->config().generation);
    FitAnswer(o->sampling, engine, request);
    request.top_logprobs = o->logprobs;
    NoteDefaults(flags, engine, request.sampling, raw);
    auto progress = MakeProgress(flags);
    if (!flags.json) {
      request.stream = PrintAnswer;
      double start = Now();
      Answer answer = One(engine, request, *progress);
      PrintTrusted("");
      NoteCut(flags, answer);
      if (flags.verbose)
        Note(flags, fmt::format("{} tokens of prompt, {} of answer, {:.1f} s, ended by {}", answer.prompt_tokens,
                                answer.ids.size(), Now() - start, answer.finish));
      return static_cast<int>(kHolds);
    }
    Answer answer = One(engine, request, *progress);
    Json out = {{"model", o->model},
                {"arithmetic", o->model_flags.arithmetic},
                {"prompt_ids", request.prompt->ids},
                {"prompt_logprobs", o->logprobs > 0 ? PromptLogprobs(engine, request.prompt->ids) : Json(nullptr)},
                {"ids", answer.ids},
                {"logprobs", answer.logprobs},
                {"text", answer.text},
                {"finish", answer.finish}};
    Json top = Json::array();
    for (const auto& step : answer.top_logprobs) top.push_back(TopLogprobsJson(step));
    out["top_logprobs"] = top;
    PrintJson(out);
    return static_cast<int>(kHolds);
  };
}

std::function<int()> AddChat(CommandLine& command, CommonFlags& flags) {
  struct Options {
    std::string model, system;
    ModelFlags model_flags;
    PromptFlags prompt_flags;
    SamplingFlags sampling;
  };
  auto o = std::make_shared<Options>();
  command.Option("MODEL", o->model, "model file or folder").Required();
  command.Text("--system", o->system, "system message");
  AddPromptFlags(command, o->prompt_flags);
  AddSamplingFlags(command, o->sampling);
  AddModelFlags(command, o->model_flags);
  return [o, &flags] {
    ThreadPool pool(flags.threads);
    auto model = LoadModel(o->model, o->model_flags, pool, flags);
    Engine engine(model, pool, {.prompt = o->prompt_flags.options()});
    NoteGeneration(model->config().generation, flags);
    if (!engine.has_chat_template())
      Fail(ErrorKind::kInvalid, "{}: the model ships no chat template; use generate --raw", o->model);
    Sampling sampling = Resolve(o->sampling, model->config().generation);
    NoteDefaults(flags, engine, sampling, false);
    Note(flags, "An empty line or Ctrl-D ends the chat.");
    Json messages = Json::array();
    if (!o->system.empty()) messages.push_back({{"role", "system"}, {"content", o->system}});
    auto progress = MakeProgress(flags);
    for (std::string line; Ask("> "), std::getline(std::cin, line) && !line.empty();) {
      messages.push_back({{"role", "user"}, {"content", line}});
      Request request = Ask(engine, Chat{.messages = messages});
      if (messages.size() <= 2) NoteRemarks(flags, *request.prompt);
      request.sampling = sampling;
      FitAnswer(o->sampling, engine, request);
      request.stream = PrintAnswer;
      Answer answer = One(engine, request, *progress);
      PrintTrusted("");
      NoteCut(flags, answer);
      messages.push_back({{"role", "assistant"}, {"content", answer.text}});
    }
    return static_cast<int>(kHolds);
  };
}

}  // namespace assay
