#pragma once
// From a chat to the prompt that the engine a file is meant for would give its model: which of the file's templates,
// with what in it, and which special tokens around it. Folders as vLLM and transformers, GGUF as llama.cpp.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "dialect/chat_fit.h"
#include "dialect/chat_template.h"
#include "task/backend.h"
#include "text/tokenizer.h"

namespace assay {

struct PromptOptions {
  /// A template of the model by name (`rag` …), or a file with one; empty: the model's `tool_use` with tools, else its
  /// default.
  std::string chat_template;
  Json template_variables;       // object, for every chat; an example's own win. null for none
  std::optional<int64_t> now_s;  // what the template's clock says, as if its zone were UTC; none: this machine's clock
};

/// This machine's wall clock in that form.
int64_t LocalClock();
/// "2026-05-01T12:30:00" and back; the time of day may be missing or shorter. Throws Error{kInvalid}.
std::string ClockText(int64_t now_s);
int64_t ClockFromText(const std::string& text);

class ChatPrompts {
 public:
  /// `checkpoint` and `tokenizer` are borrowed. Throws when a template cannot be read, or none has the name.
  ChatPrompts(const Checkpoint& checkpoint, const Tokenizer& tokenizer, const PromptOptions& options);

  /// False: chats cannot be rendered.
  bool any() const { return !templates_.empty() || !checkpoint_.extra_chat_templates().empty(); }
  /// Throws when the template refuses the chat, or would hide tools, documents or the system message from the model.
  Prompt Render(const Chat& chat) const;
  /// A text without a chat template, with a remark where the tokenizer adds special tokens that it has already. Special
  /// tokens in it count as such, those around it are as the file says.
  Prompt Raw(std::string text) const;
  /// Of a rendered chat: special tokens around it are as the engine that the file is meant for has them.
  std::vector<int32_t> TokensOfChat(std::string_view text) const;
  /// The sources of all templates that a chat may get; empty: none.
  std::string sources() const;
  /// The source that a chat with tools gets; empty: none.
  std::string tool_source() const;
  /// Given to every chat; null for none.
  const Json& variables() const { return variables_; }
  /// What the clock says; empty where no template reads it.
  std::string now() const;
  void set_now(int64_t now_s) { now_s_ = now_s; }

 private:
  const ChatTemplate& Choose(bool has_tools) const;
  ChatTemplate::Input InputFor(const Chat& chat) const;
  FittedChat Fit(const ChatTemplate& chat_template, ChatTemplate::Input input) const;
  void RefuseLosses(const ChatTemplate& chat_template, const FittedChat& fitted) const;

  const Checkpoint& checkpoint_;
  const Tokenizer& tokenizer_;
  std::string where_;
  Json variables_;
  int64_t now_s_;
  std::map<std::string, ChatTemplate> templates_;  // "default", "tool_use" …
  std::string chosen_;                             // by the user; empty: by the chat
};

}  // namespace assay
