#pragma once
// What a server was found to be and to do: shown, recorded, and what is claimed of its answers rests on it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "record/capabilities.h"
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
  std::string tokenizer_probe;                  // HashHex of a fixed text's tokens; empty: not told
  Json settings = Json::object();               // that it shows, and that no request can change
  bool chats = false, completes = false;        // /v1/chat/completions, /v1/completions
  bool tells_chat_tokens = false;               // the tokens that its template makes of a chat
  bool tells_text_tokens = false;               // those of a plain prompt
  bool counts = false;                          // tells the number of tokens of prompt and answer
  bool reasons = false;                         // gave reasoning apart from the answer
  std::optional<bool> takes_tools;              // a chat with tools is not refused
  std::optional<bool> sees_tools, sees_system;  // the prompt grows with them; empty: not known, since it does not count
  bool calls = false;                           // gave a structured call when asked for one
  std::optional<bool> holds_schema;  // an answer kept to the schema in response_format; empty: it ended early
  bool logprobs = false;             // tells them
  int64_t prompt_logprobs = 0;       // most likely tokens that it tells at each token of a prompt; 0: none
  bool led_token_by_token = false;   // those were asked for with a request for each token
  std::optional<bool> seeds;         // draws the same again with a seed, and otherwise with another
  bool same_twice = false;           // the same greedy answer to the same prompt
  bool drew = false;                 // at temperature 1 it once said something else than greedily
  std::vector<std::string> remarks;  // what is missing or amiss, for people

  std::string title() const;  // "llama-server b1234 at http://host:8000"
  Capabilities can() const;
};
/// For records.
Json ToJson(const ServerFacts& facts);

/// Members of what a server says, as far as they are what they should be.
std::string TextAt(const Json& object, std::string_view key);
int64_t CountAt(const Json& object, std::string_view key);

}  // namespace assay
