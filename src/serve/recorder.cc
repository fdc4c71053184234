#include "serve/recorder.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/strings.h"
#include "dialect/answer_text.h"
#include "system/machine.h"
#include "task/check/check.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kShortestSecret = 6;                // a shorter one would be found everywhere
constexpr uint64_t kMostOfAnswer = 64ull << 20;      // that is put together; all of it is passed on
constexpr size_t kMostOfRequest = size_t{16} << 20;  // a task's line may be as long
constexpr size_t kMostOfError = 64 << 10, kMostErrorText = 2000;
constexpr std::string_view kInPlace = "[SECRET]";

// In a name of a header or a query's parameter: gateways have names of their own (Helicone-Auth, X-LiteLLM-Key,
// ?code=).
constexpr std::string_view kSecretWords[] = {"auth",     "key",        "token",     "secret",
                                             "password", "credential", "signature", "cookie"};
constexpr std::string_view kSecretParameters[] = {"code", "sig"};

bool NamesSecret(std::string_view name) {
  const std::string lower = ToLowerAscii(name);
  return std::any_of(std::begin(kSecretWords), std::end(kSecretWords),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

std::string Hidden(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) ReplaceAll(text, secret, kInPlace);
  return text;
}

std::string HiddenText(const std::string& text, const std::vector<std::string>& secrets) {
  std::string hidden = Hidden(text, secrets);
  const std::string_view trimmed = Trim(text);
  if (!trimmed.starts_with('{') && !trimmed.starts_with('[')) return hidden;
  try {
    const Json inner = ParseJson(text, "");
    const Json without = WithoutSecrets(inner, secrets);
    return without == inner ? hidden : DumpJson(without);
  } catch (const Error&) {
    return hidden;
  }
}

/// As a server would have sent it in one piece.
Json ResponseJson(const RemoteAnswer& said, bool chat) {
  const Answer& answer = said.answer;
  Json choice = {{"index", 0}};
  const bool calls = !answer.tool_calls.is_null();
  if (chat) {
    Json message = {{"role", "assistant"}, {"content", calls && answer.text.empty() ? Json() : Json(answer.text)}};
    if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
    if (calls) message["tool_calls"] = answer.tool_calls;
    choice["message"] = std::move(message);
  } else {
    choice["text"] = answer.text;
  }
  choice["finish_reason"] = calls && answer.finish == "stop" ? "tool_calls" : answer.finish;
  Json response = Json::object();
  if (!said.model.empty()) response["model"] = said.model;
  response["choices"] = Json::array({std::move(choice)});
  if (answer.prompt_tokens > 0 || answer.answer_tokens > 0)
    response["usage"] = {{"prompt_tokens", answer.prompt_tokens}, {"completion_tokens", answer.answer_tokens}};
  return response;
}

std::string TimeText(int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), ms % 1000);
}

int64_t NowMs() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

bool IsCompletionPath(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path.ends_with("/completions");
}

std::vector<std::string> SecretsOf(const HeaderLines& headers, std::string_view target) {
  std::vector<std::string> secrets;
  const auto add = [&](std::string_view secret) {
    if (secret.size() < kShortestSecret) return;
    secrets.emplace_back(secret);
    // As it stands in JSON that is kept as text.
    const std::string quoted = DumpJson(Json(std::string(secret))), escaped = quoted.substr(1, quoted.size() - 2);
    if (escaped != secret) secrets.push_back(escaped);
  };
  for (const auto& [name, value] : headers) {
    if (!NamesSecret(name)) continue;
    if (ToLowerAscii(name) == "cookie") {
      for (const std::string& one : Split(value, ';')) add(Trim(std::string_view(one).substr(one.find('=') + 1)));
    } else {
      const size_t space = value.find(' ');  // "Bearer …"
      add(Trim(std::string_view(value).substr(space == std::string::npos ? 0 : space + 1)));
    }
  }
  const size_t question = target.find('?');
  if (question != std::string_view::npos)
    for (const std::string& one : Split(target.substr(question + 1), '&')) {
      const size_t equals = one.find('=');
      const std::string name = ToLowerAscii(one.substr(0, equals));
      const bool named =
          std::find(std::begin(kSecretParameters), std::end(kSecretParameters), name) != std::end(kSecretParameters);
      if (equals != std::string::npos && (named || NamesSecret(name))) add(std::string_view(one).substr(equals + 1));
    }
  return secrets;
}

Json WithoutSecrets(const Json& json, const std::vector<std::string>& secrets) {
  if (secrets.empty()) return json;
  if (json.is_string()) return HiddenText(json.get_ref<const std::string&>(), secrets);
  if (json.is_array()) {
    Json out = Json::array();
    for (const Json& item : json) out.push_back(WithoutSecrets(item, secrets));
    return out;
  }
  if (!json.is_object()) return json;
  Json out = Json::object();
  for (const auto& [name, value] : json.items()) out[Hidden(name, secrets)] = WithoutSecrets(value, secrets);
  return out;
}

RecorderCounts Recorder::counts() const {
  return {recorded_, unanswered_, left_out_};
}

std::string Recorder::failure() {
  std::lock_guard lock(mutex_);
  return failed_;
}

void Recorder::Write(const Json& line, bool answered) {
  const std::string text = DumpJson(line) + "\n";
  std::lock_guard lock(mutex_);
  if (failed_.empty()) {
    try {
      file_.Append(text);
      ++recorded_;
      unanswered_ += !answered;
      return;
    } catch (const Error& error) {
      failed_ = error.what();
    }
  }
  ++left_out_;
}

Recording::Recording(Recorder& recorder, std::string path, std::string_view body, std::vector<std::string> secrets)
    : recorder_(recorder), path_(std::move(path)), secrets_(std::move(secrets)), time_ms_(NowMs()), started_(Now()) {
  if (body.size() <= kMostOfRequest && IsValidUtf8(body)) {
    try {
      request_ = ParseJson(body, "the request");
    } catch (const Error&) {
    }
  }
  if (!request_.is_object()) request_ = Json();
  if (request_.is_null()) {
    written_ = true;
    ++recorder_.left_out_;
  }
}

Recording::~Recording() {
  Break("it ended before it was whole");
}

void Recording::Begin(int status, std::string_view encoding) {
  status_ = status;
  if (ToLowerAscii(encoding) != "identity") encoding_ = encoding;
}

void Recording::Take(std::string_view piece) {
  if (first_byte_s_ == 0) first_byte_s_ = Now() - started_;
  received_ += piece.size();
  if (written_ || received_ > kMostOfAnswer || !encoding_.empty()) return;
  if (status_ / 100 == 2)
    reader_.Take(piece);
  else if (error_body_.size() < kMostOfError)
    error_body_ += piece.substr(0, kMostOfError - error_body_.size());
}

void Recording::End() {
  Write({});
}

void Recording::Break(std::string_view why) {
  Write(why);
}

void Recording::Write(std::string_view why) {
  if (std::exchange(written_, true)) return;
  Json line = {{"assay_capture", 1},
               {"time", TimeText(time_ms_)},
               {"path", Hidden(path_, secrets_)},
               {"status", status_},
               {"seconds", Now() - started_},
               {"first_byte_s", first_byte_s_},
               {"request", WithoutSecrets(request_, secrets_)}};
  std::string error(why);
  if (status_ != 0 && status_ / 100 != 2) {
    error = fmt::format("HTTP {}: {}", status_, ValidUtf8(error_body_));
  } else if (received_ > kMostOfAnswer) {
    error = fmt::format("the answer is longer than {}", FormatBytes(kMostOfAnswer));
  } else if (!encoding_.empty()) {
    error = fmt::format("the answer came in Content-Encoding {}, which is not read", encoding_);
  } else if (status_ != 0) {
    // What the reader makes of a stream that said its finish_reason before it was cut is an answer.
    const RemoteAnswer said = reader_.ended() ? reader_.Finish(true) : reader_.Finish(!why.empty());
    if (said.fault == Fault::kNone)
      line["response"] = WithoutSecrets(ResponseJson(said, path_.find("chat/") != std::string::npos), secrets_);
    else if (error.empty())
      error = said.answer.error;
  }
  const bool answered = line.contains("response");
  if (!answered) line["error"] = CutAt(Hidden(std::move(error), secrets_), kMostErrorText);
  recorder_.Write(line, answered);
}

}  // namespace assay
