#pragma once
// Sequences of many requests through one model, a step at a time: requests come and go between any two steps. The bits
// of an answer are the same whatever runs beside it.
//
// Fair: requests are admitted in the order they came; in a step every answer that is being written gets its token, and
// prompts that are being read share the rest of it evenly. Of prompts that begin alike one reads the beginning, the
// others wait for it and share its pages.
//
// What sequences remember stays within a budget. A request is admitted when there is room for all that it may come to,
// so that it never has to stop; what ended requests remember makes way for it, longest unused first.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/prefixes.h"
#include "model/logit_rules.h"
#include "model/model.h"
#include "model/sampling.h"
#include "task/backend.h"
#include "text/tokenizer.h"

namespace assay {

struct SchedulerOptions {
  int sequences = 8;          // most that run together
  int64_t step_tokens = 256;  // most tokens of a step
  int64_t cache_bytes = 0;    // most of what sequences remember; 0: no limit
};

/// What is to be answered, as a model sees it.
struct TokenRequest {
  std::vector<int32_t> prompt;  // not empty; all of the model's vocabulary; with max_tokens within its context
  Sampling sampling;
  int64_t top_logprobs = 0;
  bool stream = false;  // text is told as it appears
};

/// Not safe for use by several threads at once.
class Scheduler {
 public:
  using Id = uint64_t;
  /// Of a request: text that appeared, or its answer, which is the last of it.
  struct Event {
    Id id = 0;
    std::string text;  // whole characters, none that may turn out to begin a stop string
    std::optional<Answer> answer;
  };

  /// All are borrowed.
  Scheduler(const Model& model, const Tokenizer& tokenizer, const LogitRules& rules, ThreadPool& pool,
            Workspace& workspace, const SchedulerOptions& options);
  ~Scheduler();

  /// Throws Error{kResource} when it would not fit into the budget alone.
  Id Submit(TokenRequest request);
  /// No more events of it. False: it was answered or cancelled before, or never submitted.
  bool Cancel(Id id);
  /// Admits what there is room for, runs one batch, and tells what came of it.
  std::vector<Event> Step();
  /// Nothing is waiting or running.
  bool idle() const;
  /// Of caches and logits now.
  int64_t bytes() const { return CacheBytes() + static_cast<int64_t>(logits_.size() * sizeof(float)); }
  /// Where its sequences take their pages.
  const PagePool& pages() const { return pages_; }

 private:
  struct Waiting {
    Id id;
    TokenRequest request;
  };
  struct Slot;

  void Admit();
  bool Start(Slot& slot, size_t index);
  void Release(Slot& slot);
  bool LongRope(int64_t positions) const;
  Prefixes::Match Longest(const std::vector<int32_t>& prompt, bool long_rope);
  bool CanFit(const Prefixes::Match& match, int64_t bytes) const;
  bool Exceeds(int64_t more_bytes) const;
  int64_t CacheBytes() const;
  int64_t PromisedPages() const;
  size_t SharedWithWaiting(const TokenRequest& request) const;
  bool WaitsForPrefix(const TokenRequest& request) const;
  void KeepPrefix(Slot& slot);
  void Collect();
  void Accept(Slot& slot, const float* logits);
  void Stream(Slot& slot, bool last);
  void Finish(Slot& slot, const char* reason);

  const Model& model_;
  const Tokenizer& tokenizer_;
  const LogitRules& rules_;
  ThreadPool& pool_;
  Workspace& workspace_;
  const SchedulerOptions options_;
  Id next_id_ = 1;
  std::deque<Waiting> waiting_;  // as they came
  std::vector<Slot> slots_;
  PagePool pages_;
  int64_t page_bytes_;
  Prefixes prefixes_;
  std::vector<BatchToken> batch_;
  std::vector<Slot*> owners_;  // of the tokens of the batch that want logits
  std::vector<float> logits_;
  std::vector<Event> events_;
};

}  // namespace assay
