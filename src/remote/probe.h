#pragma once
// What a server is and can do, found out by asking it before a run: shown, recorded, and what is claimed of its answers
// rests on it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "record/capabilities.h"
#include "remote/asker.h"
#include "remote/server_kind.h"

namespace assay {

struct ServerFacts {
  std::string url, model;  // that is asked
  ServerKind kind = ServerKind::kUnknown;
  std::string version;                          // as it says; empty: it does not
  std::vector<std::string> offered;             // models
  std::string answers_as;                       // the model's name in its responses; empty: they name none
  std::string weights;                          // what it says of the weights: a path, a digest; empty: nothing
  uint64_t weight_bytes = 0, parameters = 0;    // 0: not told
  int64_t context = 0;                          // most tokens of prompt and answer; 0: not told
  std::string template_hash;                    // HashHex of its chat template; empty: not told
  bool chats = false, completes = false;        // /v1/chat/completions, /v1/completions
  bool counts = false;                          // tells the tokens of prompt and answer
  std::optional<bool> takes_tools;              // a chat with tools is not refused
  std::optional<bool> sees_tools, sees_system;  // the prompt grows with them; empty: not known, since it does not count
  bool calls = false;                           // gave a structured call when asked for one
  bool logprobs = false;                        // tells them
  std::optional<bool> seeds;                    // draws the same again with a seed, and otherwise with another
  bool same_twice = false;                      // the same greedy answer to the same prompt
  bool drew = false;                            // at temperature 1 it once said something else than greedily
  std::vector<std::string> remarks;             // what is missing or amiss, for people

  std::string title() const;  // "llama-server b1234 at http://host:8000"
  Capabilities can() const;
};
/// For records.
Json ToJson(const ServerFacts& facts);

/// Asks a server what it is. Throws Error{kIo} where it cannot be reached, {kNotFound} where it does not offer the
/// model, {kInvalid} where it offers several and none is named, {kUnsupported} where it answers no completions.
ServerFacts ProbeServer(Asker& asker, Progress& progress);

}  // namespace assay
