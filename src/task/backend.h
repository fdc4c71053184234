#pragma once
// What a task needs of whatever answers it: the engine in this process, or a server. A task never sees more than this.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/progress.h"

namespace assay {

struct Sampling {
  double temperature = 0.0;  // 0: greedy
  int64_t top_k = 0;         // 0: off
  double top_p = 1.0, min_p = 0.0, repetition_penalty = 1.0;
  int64_t repetition_window = 0;  // last tokens that the penalty looks at; 0: all
  uint64_t seed = 0;
  int64_t max_tokens = 256;
  std::vector<std::string> stop;
};
/// The names of its members in JSON.
std::span<const std::string_view> SamplingMembers();
Json ToJson(const Sampling& sampling);
/// Overrides `defaults` by the members present; unknown members are refused by name.
Sampling SamplingFromJson(const Json& json, const Sampling& defaults, std::string_view where);

/// What a chat template renders; each member may be null.
struct Chat {
  Json messages, tools, documents;  // tools in OpenAI's format
  Json template_variables;          // object
};

struct Prompt {
  std::string text;
  bool is_chat = false;              // a chat template wrote it, special tokens and all
  std::vector<std::string> remarks;  // how the chat was changed, what of it the template leaves out, tokens seen twice
};

struct Request {
  std::string prompt;        // rendered text, or empty when `ids` is given
  std::vector<int32_t> ids;  // prompt tokens; the backend tokenizes `prompt` when empty
  Sampling sampling;
  int64_t top_logprobs = 0;                      // most likely tokens to return per generated token
  std::function<void(std::string_view)> stream;  // optional: whole characters of the answer as they appear
};

struct Answer {
  std::string text;                                                  // without special tokens
  std::vector<int32_t> ids;                                          // the stop token not included
  std::vector<float> logprobs;                                       // of each id
  std::vector<std::vector<std::pair<int32_t, float>>> top_logprobs;  // per id, best first; empty unless asked for
  std::string finish;                                                // "stop" | "length" | "error" | finish.h
  std::string error;
  int64_t prompt_tokens = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// The tokens of a chat prompt or raw prompt, as the model will see them.
  virtual std::vector<int32_t> Tokenize(const Prompt& prompt) const = 0;
  /// Renders a chat with the model's own chat template. Throws when the template refuses it, or would hide tools,
  /// documents or the system message from the model.
  virtual Prompt RenderChat(const Chat& chat) const = 0;
  /// A text that is the prompt as it stands, with remarks on what the model will see of it.
  virtual Prompt RawPrompt(const std::string& text) const { return {text, false, {}}; }
  /// An answer's text with its special tokens, which mark calls and reasoning, as far as the backend knows them.
  virtual std::string RawText(const Answer& answer) const { return answer.text; }
  /// The syntax (call_syntax.h) that the model's template renders tool calls in; empty when it tells none.
  virtual std::string CallSyntax() const { return {}; }
  /// Answers all requests; `done(index, answer)` is called once each, in any order, from the calling thread.
  /// Throws Interrupted when progress.Cancelled().
  virtual void Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                        Progress& progress) = 0;
};

}  // namespace assay
