#pragma once
// A model in this process as a backend: prompts by the rules of the engine that its files are meant for, answers by the
// scheduler, predictions for perplexity and displacement.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/model_prompts.h"
#include "model/logit_rules.h"
#include "model/model.h"
#include "task/backend.h"
#include "text/tokenizer.h"

namespace assay {

struct EngineOptions {
  int batch_size = 8;          // sequences that decode together
  int64_t batch_tokens = 256;  // most tokens of one step
  int64_t context = 0;         // most tokens of one sequence; 0: the model's
  int64_t cache_bytes = 0;     // most of what sequences remember; 0: DefaultCacheBytes, more where a request needs it
  PromptOptions prompt;
};

class Engine : public Backend, public Scorer {
 public:
  /// `pool` is borrowed. Throws when the checkpoint's tokenizer or chat template cannot be used.
  Engine(std::shared_ptr<const Model> model, ThreadPool& pool, const EngineOptions& options);
  ~Engine() override;

  const Model& model() const { return *model_; }
  const Tokenizer& tokenizer() const { return prompts_.tokenizer(); }
  bool has_chat_template() const { return prompts_.chats().any(); }
  const ModelPrompts& prompts() const { return prompts_; }

  Capabilities can() const override { return {}; }
  int64_t most_top_logprobs() const override { return model_->config().vocab; }
  Prompt Prepare(const Question& question) const override { return prompts_.Prepare(question); }
  std::string CallSyntax() const override { return prompts_.CallSyntax(); }
  void SetClock(int64_t now_s) override { prompts_.SetClock(now_s); }
  Scorer* scorer() override { return this; }
  /// A request that does not fit the context, or the memory it is allowed, gets Answer::error; nothing is truncated in
  /// silence.
  void Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                Progress& progress) override;
  int64_t most_forced_logprobs() const override { return model_->config().vocab; }
  void Force(std::span<const ForcedText> texts, int64_t top,
             const std::function<void(size_t, ForcedPredictions&&)>& done, Progress& progress) override;

  std::string name() const override { return model_->checkpoint().path().string(); }
  int64_t vocabulary() const override { return model_->config().vocab; }
  int64_t context() const override { return context_; }
  ThreadPool& pool() const override { return pool_; }
  std::vector<int32_t> TextTokens(std::string_view text) const override {
    return tokenizer().Encode(text, false, true);
  }
  std::vector<int32_t> Beginning() const override { return tokenizer().Beginning(); }
  void Score(std::span<const int32_t> ids, int64_t first,
             const std::function<void(int64_t, int64_t, const float*)>& visit,
             Progress& progress = SilentProgress()) override;

  /// Bytes of caches and scratch that Generate and Score have used at most.
  int64_t peak_scratch_bytes() const { return peak_scratch_bytes_; }

 private:
  int64_t CacheBudget(int64_t most_positions) const;

  std::shared_ptr<const Model> model_;
  ThreadPool& pool_;
  EngineOptions options_;
  ModelPrompts prompts_;
  LogitRules rules_;
  int64_t context_;
  Workspace workspace_;
  int64_t peak_scratch_bytes_ = 0;
};

}  // namespace assay
