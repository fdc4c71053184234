#pragma once
// Runs a model for a task: many examples together in one batch, shared prefixes computed once, answers that do not
// depend on the batch.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/chat_prompts.h"
#include "model/logit_rules.h"
#include "model/model.h"
#include "task/backend.h"
#include "text/tokenizer.h"

namespace assay {

struct EngineOptions {
  int batch_size = 8;          // sequences that decode together
  int64_t batch_tokens = 256;  // most tokens of one step
  int64_t context = 0;         // most tokens of one sequence; 0: the model's
  PromptOptions prompt;
};

class Engine : public Backend {
 public:
  /// `pool` is borrowed. Throws when the checkpoint's tokenizer or chat template cannot be used.
  Engine(std::shared_ptr<const Model> model, ThreadPool& pool, const EngineOptions& options);
  ~Engine() override;

  const Model& model() const { return *model_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  bool has_chat_template() const { return prompts_->any(); }
  const ChatPrompts& prompts() const { return *prompts_; }
  int64_t context() const { return context_; }

  /// Special tokens in the prompt count as such; around a raw prompt as the file says, around a chat's as the engine
  /// that the file is meant for has it (chat_prompts.h).
  std::vector<int32_t> Tokenize(const Prompt& prompt) const override { return prompts_->Tokenize(prompt); }
  Prompt RenderChat(const Chat& chat) const override { return prompts_->Render(chat); }
  Prompt RawPrompt(const std::string& text) const override { return prompts_->Raw(text); }
  std::string RawText(const Answer& answer) const override;
  std::string CallSyntax() const override;
  /// A request that does not fit the context gets Answer::error; nothing is truncated in silence.
  void Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                Progress& progress) override;

  /// Teacher forcing on a fresh sequence: visit(position, count, logits [count, vocab]) is called for consecutive
  /// blocks that cover [first, ids.size()); the logits of a position are the prediction of ids[position + 1]. Throws
  /// Interrupted on cancellation.
  void Score(std::span<const int32_t> ids, int64_t first,
             const std::function<void(int64_t, int64_t, const float*)>& visit, Progress& progress = SilentProgress());
  ThreadPool& pool() const { return pool_; }

  /// Bytes of caches and scratch that Generate and Score have used at most.
  int64_t peak_scratch_bytes() const { return peak_scratch_bytes_; }

 private:
  class Batch;
  /// What is wrong with a prompt's tokens; empty: nothing. A tokenizer may know tokens that the model has no row for.
  std::string UnknownToken(std::span<const int32_t> ids) const;

  std::shared_ptr<const Model> model_;
  ThreadPool& pool_;
  EngineOptions options_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<const ChatPrompts> prompts_;
  LogitRules rules_;
  int64_t context_;
  Workspace workspace_;
  int64_t peak_scratch_bytes_ = 0;
};

}  // namespace assay
