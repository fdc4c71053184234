#include "engine/model_prompts.h"

#include <variant>

#include "base/error.h"
#include "dialect/call/call_syntax.h"

namespace assay {

ModelPrompts::ModelPrompts(std::shared_ptr<const Checkpoint> checkpoint, const PromptOptions& options)
    : checkpoint_(std::move(checkpoint)),
      tokenizer_(Tokenizer::Create(checkpoint_->tokenizer(), checkpoint_->path().string())),
      chats_(*checkpoint_, *tokenizer_, options) {}

Prompt ModelPrompts::Prepare(const Question& question) const {
  if (const auto* text = std::get_if<std::string>(&question)) return chats_.Raw(*text);
  if (const auto* ids = std::get_if<std::vector<int32_t>>(&question)) return {"", *ids, {}};
  const Chat& chat = std::get<Chat>(question);
  if (!chat.tool_choice.is_null() && chat.tool_choice != "auto")
    Fail(ErrorKind::kUnsupported, "{}: tool_choice {}: this engine lets a model choose as it likes",
         checkpoint_->path().string(), DumpJson(chat.tool_choice).substr(0, 60));
  return chats_.Render(chat);
}

std::string ModelPrompts::CallSyntax() const {
  return std::string(CallSyntaxOf(chats_.tool_source()));
}

std::string ModelPrompts::Refusal(std::span<const int32_t> prompt, int64_t max_tokens, int64_t context) const {
  const int64_t length = std::ssize(prompt);
  if (std::string unknown = UnknownToken(prompt); !unknown.empty()) return unknown;
  if (length + max_tokens > context)
    return fmt::format("prompt of {} tokens and {} to generate do not fit the context of {}", length, max_tokens,
                       context);
  return length == 0 ? "the prompt has no tokens" : "";
}

std::string ModelPrompts::UnknownToken(std::span<const int32_t> ids) const {
  const int64_t vocab = checkpoint_->config().vocab;
  for (int32_t id : ids)
    if (id < 0 || id >= vocab)
      return fmt::format("token {}{} is not among the {} of the model's vocabulary", id,
                         id < 0 ? "" : fmt::format(" \"{}\"", tokenizer_->TokenBytes(id)), vocab);
  return "";
}

}  // namespace assay
