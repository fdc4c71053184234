#include "engine/engine.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/error.h"
#include "base/only_cancel.h"
#include "engine/memory.h"
#include "engine/scheduler.h"
#include "engine/top_logprobs.h"
#include "kernel/ops.h"
#include "system/threads.h"

namespace assay {

Engine::Engine(std::shared_ptr<const Model> model, ThreadPool& pool, const EngineOptions& options)
    : model_(std::move(model)),
      pool_(pool),
      options_(options),
      prompts_(std::shared_ptr<const Checkpoint>(model_, &model_->checkpoint()), options.prompt),
      rules_(model_->config().generation, model_->config().stop_tokens) {
  context_ = options_.context > 0 ? options_.context : model_->config().context;
  if (context_ > model_->config().context)
    Fail(ErrorKind::kInvalid, "{}: a context of {} tokens was asked for, the model has {}", name(), context_,
         model_->config().context);
}

Engine::~Engine() = default;

int64_t Engine::CacheBudget(int64_t most_positions) const {
  if (options_.cache_bytes > 0) return options_.cache_bytes;
  return std::max(DefaultCacheBytes(*model_), PlanCache(model_->config(), model_->arithmetic(), most_positions).bytes);
}

void Engine::Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                      Progress& progress) {
  auto report = [&](size_t index, const Answer& answer) {
    done(index, answer);
    progress.Advance(1);
  };
  std::vector<std::vector<int32_t>> prompts;
  std::vector<size_t> order;  // prompts sorted, so that neighbours begin alike
  int64_t most_positions = 0;
  auto refuse = [&](size_t i, std::string why) {
    Answer refused;
    refused.finish = "error";
    refused.error = std::move(why);
    refused.prompt_tokens = std::ssize(prompts[i]);
    report(i, refused);
  };
  for (size_t i = 0; i < requests.size(); ++i) {
    const Request& request = requests[i];
    std::vector<int32_t>& prompt = prompts.emplace_back();
    std::string refusal;
    try {
      prompt = request.prompt ? request.prompt->ids : Prepare(request.question).ids;
      refusal = prompts_.Refusal(prompt, request.sampling.max_tokens, context_);
    } catch (const Error& error) {
      refusal = error.what();
    }
    if (!refusal.empty()) {
      refuse(i, std::move(refusal));
      continue;
    }
    order.push_back(i);
    most_positions = std::max(most_positions, std::ssize(prompt) + request.sampling.max_tokens);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return prompts[a] < prompts[b]; });
  Scheduler scheduler(*model_, tokenizer(), rules_, pool_, workspace_,
                      {options_.batch_size, options_.batch_tokens, CacheBudget(most_positions)});
  std::unordered_map<Scheduler::Id, size_t> indices;
  for (size_t i : order) {
    const Request& request = requests[i];
    try {
      indices.emplace(scheduler.Submit({prompts[i], request.sampling, request.top_logprobs, bool(request.stream)}), i);
    } catch (const Error& error) {
      refuse(i, error.what());
    }
  }
  while (!scheduler.idle()) {
    for (const Scheduler::Event& event : scheduler.Step()) {
      const size_t index = indices.at(event.id);
      if (!event.text.empty()) requests[index].stream(event.text);
      if (event.answer) report(index, *event.answer);
    }
    peak_scratch_bytes_ = std::max(peak_scratch_bytes_, workspace_.bytes() + scheduler.bytes());
    if (progress.Cancelled()) throw Interrupted();
  }
}

void Engine::Force(std::span<const ForcedText> texts, int64_t top,
                   const std::function<void(size_t, ForcedPredictions&&)>& done, Progress& progress) {
  const int64_t vocab = model_->config().vocab;
  OnlyCancel inner(progress);
  for (size_t i = 0; i < texts.size(); ++i) {
    const ForcedText& text = texts[i];
    ForcedPredictions told;
    told.steps.resize(text.ids.size() + 1 - text.first);
    const int64_t first = static_cast<int64_t>(text.first) - 1;  // a position predicts the token behind it
    bool numbers = true;
    try {
      Score(
          text.ids, first,
          [&](int64_t position, int64_t count, const float* logits) {
            pool_.For(count, 4, [&](int64_t begin, int64_t end, int) {
              for (int64_t at = begin; at < end; ++at) {
                const float* row = logits + at * vocab;
                const double normalizer = LogSumExp(row, vocab);
                if (std::isfinite(normalizer))
                  told.steps[static_cast<size_t>(position - first + at)] =
                      TopLogprobs(tokenizer(), row, vocab, std::min(top, vocab), normalizer);
              }
            });
          },
          inner);
      for (const auto& step : told.steps) numbers = numbers && !step.empty();
      if (!numbers) told.error = "the model's predictions are NaN or infinite";
    } catch (const Error& error) {
      told.error = error.what();
    }
    if (!told.error.empty()) told.steps.clear();
    progress.Advance(1);
    done(i, std::move(told));
  }
}

void Engine::Score(std::span<const int32_t> ids, int64_t first,
                   const std::function<void(int64_t, int64_t, const float*)>& visit, Progress& progress) {
  auto n = static_cast<int64_t>(ids.size());
  if (n > context_) Fail(ErrorKind::kInvalid, "{}: {} tokens do not fit the context of {}", name(), n, context_);
  if (std::string unknown = prompts_.UnknownToken(ids); !unknown.empty())
    Fail(ErrorKind::kInvalid, "{}: {}", name(), unknown);
  Sequence sequence(model_->config(), model_->arithmetic(), n);
  int64_t vocab = model_->config().vocab;
  std::vector<BatchToken> batch;
  std::vector<float> logits;
  for (int64_t begin = 0; begin < n;) {
    int64_t end = std::min(n, begin + options_.batch_tokens);
    batch.clear();
    for (int64_t t = begin; t < end; ++t) batch.push_back({ids[static_cast<size_t>(t)], &sequence, t >= first});
    int64_t wanted = std::max<int64_t>(0, end - std::max(begin, first));
    logits.resize(static_cast<size_t>(wanted * vocab));
    model_->Forward(batch, workspace_, pool_, logits.data());
    if (wanted > 0) visit(std::max(begin, first), wanted, logits.data());
    peak_scratch_bytes_ =
        std::max(peak_scratch_bytes_, workspace_.bytes() + sequence.bytes() + static_cast<int64_t>(logits.size() * 4));
    progress.Advance(static_cast<uint64_t>(end - begin));
    if (progress.Cancelled()) throw Interrupted();
    begin = end;
  }
}

}  // namespace assay
