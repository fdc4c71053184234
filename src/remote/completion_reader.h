#pragma once
// The response to a completion: a stream of server-sent events (OpenAI's chunks) or one JSON object, read as it comes.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "remote/fault.h"
#include "task/backend.h"

namespace assay {

/// What came of one request.
struct RemoteAnswer {
  Answer answer;  // with a fault: finish "error", `error` begins with FaultName
  Fault fault = Fault::kNone;
  std::string model;         // that answered, as the server says; empty: it does not say
  bool logprobs = false;     // some came
  Json prompt_logprobs;      // of one JSON object, as the server tells them; null: it tells none
  double first_token_s = 0;  // from the request to the first piece of the answer; set by who asks
  double seconds = 0;        // to its end
};

RemoteAnswer Faulty(Fault fault, std::string_view why);

class CompletionReader {
 public:
  /// `max_tokens`: as asked for; more, or a cut short of it, is a fault. 0: not known, and no number of tokens is one.
  explicit CompletionReader(int64_t max_tokens) : max_tokens_(max_tokens) {}
  /// The next bytes of the body.
  void Take(std::string_view bytes);
  /// Some of the answer (text, reasoning, calls) has come.
  bool begun() const { return begun_; }
  /// The server said that the answer is complete: what befalls the connection then does not matter.
  bool ended() const { return fault_ == Fault::kNone && stream_ && HasFinish(); }
  /// The answer. `cut`: the body did not end in order; what came of a line that goes on is then left out.
  RemoteAnswer Finish(bool cut);

 private:
  struct Call {
    std::string id, name, arguments;
  };
  bool HasFinish() const { return !finish_.is_null(); }
  void Line(std::string_view line);
  void Event(std::string_view data);
  void Chunk(const Json& chunk);
  void Delta(const Json& delta);
  void CallDelta(const Json& delta);
  void Logprobs(const Json& choice);
  void Ids(const Json& choice);
  void Text(const Json& value, std::string& to, const char* name);
  void Set(Fault fault, std::string why);
  Json Response() const;

  int64_t max_tokens_;
  std::string buffer_;  // of a line that goes on; of the whole body where it is no stream
  std::string data_;    // of an event that goes on
  bool has_data_ = false, known_ = false, stream_ = true, done_ = false, begun_ = false, logprobs_ = false;
  Fault fault_ = Fault::kNone;
  std::string why_, model_;
  std::string content_, reasoning_, refusal_, text_;
  bool has_content_ = false, has_text_ = false;
  std::vector<Call> calls_;
  Json finish_, usage_;
  std::vector<std::vector<TokenLogprob>> top_logprobs_;
  bool top_readable_ = true;  // every list so far was
  std::vector<int32_t> ids_;  // vLLM's "token_ids", the one that ended the answer among them
  bool ids_readable_ = true, stop_string_ = false;
};

}  // namespace assay
