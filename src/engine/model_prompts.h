#pragma once
// What a model in files is asked: its tokenizer and its chat templates, without its weights.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "checkpoint/checkpoint.h"
#include "engine/chat_prompts.h"
#include "task/backend.h"
#include "text/tokenizer.h"

namespace assay {

class ModelPrompts {
 public:
  /// Throws when the checkpoint's tokenizer or chat template cannot be used.
  ModelPrompts(std::shared_ptr<const Checkpoint> checkpoint, const PromptOptions& options);

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const ChatPrompts& chats() const { return chats_; }
  /// As Backend::Prepare, CallSyntax and SetClock.
  Prompt Prepare(const Question& question) const;
  std::string CallSyntax() const;
  void SetClock(int64_t now_s) { chats_.set_now(now_s); }
  /// Why a prompt cannot be answered in a context of so many tokens; empty: it can.
  std::string Refusal(std::span<const int32_t> prompt, int64_t max_tokens, int64_t context) const;
  /// What is wrong with a prompt's tokens; empty: nothing. A tokenizer may know tokens that the model has no row for.
  std::string UnknownToken(std::span<const int32_t> ids) const;

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  ChatPrompts chats_;
};

}  // namespace assay
