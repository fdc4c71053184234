#pragma once
// A server as a backend: what an example says goes out as messages, tools and sampling parameters, each of them
// explicit; what comes back is text, reasoning, calls, finish and usage.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "record/check_record.h"
#include "remote/asker.h"
#include "remote/probe.h"
#include "task/backend.h"

namespace assay {

struct RemoteOptions {
  Json template_variables;         // object for every chat template; null: none
  bool hold_schema = false;        // send an example's response_schema as response_format
  bool slow_displacement = false;  // llama-server is led along texts, with a request for each token
};

class RemoteBackend : public Backend {
 public:
  /// Probes the server; throws as ProbeServer does. Of several URLs all are probed: one that cannot be reached is left
  /// out with a remark, one where something else is deployed is refused.
  RemoteBackend(const ServerAddress& address, const ServerAccess& access, const RemoteOptions& options,
                Progress& progress);

  const ServerFacts& facts() const { return facts_; }
  Capabilities can() const override;
  int64_t most_top_logprobs() const override;
  int64_t most_forced_logprobs() const override { return facts_.prompt_logprobs; }
  /// Asks for the tokens of all prompts where the server tells them; else whether it cuts the longest.
  void Announce(std::span<const Question> questions, Progress& progress) override;
  Prompt Prepare(const Question& question) const override;
  /// The text of a question's prompt, where the server tells it.
  std::optional<std::string> PromptText(const Question& question, Progress& progress);
  void Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                Progress& progress) override;
  void Force(std::span<const ForcedText> texts, int64_t top,
             const std::function<void(size_t, ForcedPredictions&&)>& done, Progress& progress) override;
  /// Of all answers that this object was given; none before the first.
  std::optional<ServedSpeed> speed() const;

  /// Its URLs, and how often each failed.
  const std::vector<Endpoint>& endpoints() const { return asker_.endpoints(); }

 private:
  struct Probed {
    ServerAddress address;  // of what was reached
    ServerFacts facts;
    std::vector<std::string> left_out;  // why, of what was not
  };
  static Probed Probe(const ServerAddress& address, const ServerAccess& access, Progress& progress);
  RemoteBackend(Probed probed, const ServerAccess& access, const RemoteOptions& options);
  CompletionRequest AskFor(const Request& request) const;
  /// Refuses what the server cannot be asked.
  void RequireAskable(const Question& question) const;

  RemoteOptions options_;
  Asker asker_;
  ServerFacts facts_;
  std::map<std::string, std::vector<int32_t>> prompt_ids_;  // by the question, as JSON
  std::map<std::string, std::string> prompt_remarks_;
  std::string whole_;                                 // the question that was seen to be read whole, as JSON
  std::vector<double> first_token_s_, tokens_per_s_;  // of answers
  double tokens_ = 0, busy_s_ = 0;
};

}  // namespace assay
