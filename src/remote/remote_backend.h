#pragma once
// A server as a backend: what an example says goes out as messages, tools and sampling parameters, each of them
// explicit; what comes back is text, reasoning, calls, finish and usage.

#include <optional>
#include <string>
#include <vector>

#include "record/check_record.h"
#include "remote/asker.h"
#include "remote/probe.h"
#include "task/backend.h"

namespace assay {

struct RemoteOptions {
  Json template_variables;   // object for every chat template; null: none
  bool hold_schema = false;  // send an example's response_schema as response_format
};

class RemoteBackend : public Backend {
 public:
  /// Probes the server; throws as ProbeServer does.
  RemoteBackend(const ServerAddress& address, const ServerAccess& access, const RemoteOptions& options,
                Progress& progress);

  const ServerFacts& facts() const { return facts_; }
  Capabilities can() const override;
  Prompt Prepare(const Question& question) const override;
  void Generate(std::span<const Request> requests, const std::function<void(size_t, const Answer&)>& done,
                Progress& progress) override;
  /// Of all answers that this object was given; none before the first.
  std::optional<ServedSpeed> speed() const;

 private:
  CompletionRequest AskFor(const Request& request) const;

  RemoteOptions options_;
  Asker asker_;
  ServerFacts facts_;
  std::vector<double> first_token_s_, tokens_per_s_;  // of answers
  double tokens_ = 0, busy_s_ = 0;
};

}  // namespace assay
