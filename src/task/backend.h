#pragma once
// What a task needs of whatever answers it: the engine in this process, or a server. A task never sees more than this.
// What a backend cannot do it says (Backend::can), and so much less is claimed of what it answered.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "record/capabilities.h"

namespace assay {

class ThreadPool;

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

/// What a chat template renders, or a server is sent; each member may be null.
struct Chat {
  Json messages, tools, documents;  // tools in OpenAI's format
  Json template_variables;          // object
  Json tool_choice;                 // OpenAI's: "none", "required", a function; null: as the model likes
  Json response_schema;             // JSON Schema; only a backend that says so holds answers to it
};

/// What is asked: a chat, a text as it stands, or tokens.
using Question = std::variant<Chat, std::string, std::vector<int32_t>>;
/// Canonical: the members that are there, in a fixed order.
Json ToJson(const Question& question);

/// What a backend makes of a question before it answers, as far as it can tell.
struct Prompt {
  std::string text;                  // special tokens and all; empty: not known
  std::vector<int32_t> ids;          // empty: not known
  std::vector<std::string> remarks;  // how the chat was changed, what of it the template leaves out, tokens seen twice
};

struct Request {
  Question question;
  Sampling sampling;
  int64_t top_logprobs = 0;                      // most likely tokens to return per generated token
  std::function<void(std::string_view)> stream;  // optional: whole characters of the answer as they appear
  std::optional<Prompt> prompt;                  // Backend::Prepare of the question, where that was asked already
};

struct TokenLogprob {
  int32_t id = -1;   // -1: not known
  std::string text;  // its bytes
  float logprob = 0;
};

struct Answer {
  std::string text;                                     // without special tokens
  std::string raw;                                      // with those that mark calls and reasoning; empty: as `text`
  std::string reasoning;                                // that the backend took out of the text
  Json tool_calls;                                      // OpenAI's, taken out of the text; null: calls are in the text
  std::vector<int32_t> ids;                             // the stop token not included; empty: not known
  std::vector<float> logprobs;                          // of each token
  std::vector<std::vector<TokenLogprob>> top_logprobs;  // per token, best first; empty unless asked for
  std::string finish;                                   // "stop" | "length" | "error" | finish.h
  std::string error;
  int64_t prompt_tokens = 0, answer_tokens = 0;  // as the backend counts them
};

/// A text that a model is led along (teacher forcing), whatever it would have said itself.
struct ForcedText {
  std::vector<int32_t> ids;
  size_t first = 1;  // index of the first token whose prediction is asked for; 1 to ids.size()
};
struct ForcedPredictions {
  /// Of ids[first] and every token behind it, and of what would follow the last. The most likely tokens with their
  /// ids, best first; the token that stands there may be told beside them. Empty with an error.
  std::vector<std::vector<TokenLogprob>> steps;
  std::string error;
};

/// A model's predictions over its whole vocabulary, which perplexity and displacement are made of.
class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual std::string name() const = 0;    // of the model, for messages
  virtual int64_t vocabulary() const = 0;  // tokens
  virtual int64_t context() const = 0;     // most tokens of a text
  virtual ThreadPool& pool() const = 0;    // for work on what Score gives
  /// The tokens of running text: special tokens in it are just text.
  virtual std::vector<int32_t> TextTokens(std::string_view text) const = 0;
  /// What the model begins every text with.
  virtual std::vector<int32_t> Beginning() const = 0;
  /// Teacher forcing: visit(position, count, logits [count, vocabulary]) is called, from the calling thread, for
  /// consecutive blocks that cover [first, ids.size()); the logits of a position are the prediction of
  /// ids[position + 1]. Throws Interrupted on cancellation, Error{kInvalid} for ids that do not fit or are unknown.
  virtual void Score(std::span<const int32_t> ids, int64_t first,
                     const std::function<void(int64_t, int64_t, const float*)>& visit,
                     Progress& progress = SilentProgress()) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Capabilities can() const = 0;
  /// Most of Request::top_logprobs that it can tell.
  virtual int64_t most_top_logprobs() const { return 0; }
  /// The questions that Prepare will be asked about: a backend that must ask somebody else does so here. Throws where
  /// none of them would be seen as it is.
  virtual void Announce(std::span<const Question>, Progress&) {}
  /// What the model will see of a question. Throws when it cannot be posed: the chat template refuses it, or would hide
  /// tools, documents or the system message from the model; or the backend cannot do what it asks for.
  virtual Prompt Prepare(const Question&) const { return {}; }
  /// The syntax (call_syntax.h) that calls in an answer's text are likely to have; empty when nothing tells.
  virtual std::string CallSyntax() const { return {}; }
  /// What the chat template's clock says from here on (seconds as if its zone were UTC), where this backend has one.
  virtual void SetClock(int64_t) {}
  /// Null where can().score is false.
  virtual Scorer* scorer() { return nullptr; }
  /// Answers all requests; `done(index, answer)` is called once each, in any order, from the calling thread. What one
  /// request meets (too long, refused, not reached) is its answer's `error`. Throws Interrupted when
  /// progress.Cancelled().
  virtual void Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                        Progress& progress) = 0;
  /// Most of the most likely tokens that it can tell at each step of a given text; 0: it cannot be led along one.
  virtual int64_t most_forced_logprobs() const { return 0; }
  /// Leads the model along all texts, with its `top` <= most_forced_logprobs() most likely tokens at each step;
  /// `done(index, predictions)` and progress as for Generate. Only where most_forced_logprobs() is not 0.
  virtual void Force(std::span<const ForcedText>, int64_t /*top*/,
                     const std::function<void(size_t, ForcedPredictions&&)>&, Progress&) {}
};

}  // namespace assay
