#include "remote/asker.h"

#include <fmt/core.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "dialect/answer_text.h"
#include "system/machine.h"
#include "task/message.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr double kLookAround = 0.1;       // seconds between two looks at Cancelled
constexpr double kLoading = 600;          // a server that loads its model is waited for so long
constexpr uint64_t kBytesOfToken = 4096;  // of a stream: a chunk, and the longest token in it
constexpr uint64_t kBytesOfRest = 1u << 20;
constexpr size_t kMostError = 500;
constexpr uint64_t kMostFetched = 16u << 20;

/// What the body of an error says: OpenAI's, FastAPI's, or its text.
std::string ErrorOf(const std::string& body) {
  try {
    const Json json = ParseJson(body, "error");
    if (json.is_object()) {
      for (const char* key : {"error", "detail", "message"})
        if (auto it = json.find(key); it != json.end() && !it->is_null()) {
          Answer answer;
          SetError(*it, answer);
          return answer.error.substr(answer.error.find(": ") + 2);
        }
    }
  } catch (const Error&) {
  }
  return CutAt(ValidUtf8(Trim(body)), 300);
}

Fault FaultOf(long status) {
  if (status == 429) return Fault::kBusy;
  return status >= 500 ? Fault::kServerError : Fault::kRefused;
}

Fault FaultOf(Response::End end) {
  switch (end) {
    case Response::End::kUnreachable:
      return Fault::kUnreachable;
    case Response::End::kStalled:
      return Fault::kStalled;
    case Response::End::kTooLong:
      return Fault::kTooLong;
    default:
      return Fault::kCut;
  }
}

uint64_t SeedOfTime() {
  return std::stoull(HashHex(std::to_string(Now())).substr(0, 15), nullptr, 16);
}

}  // namespace

double WaitBeforeTry(const RetryPolicy& policy, int tried, std::optional<double> asked_s, Random& random) {
  const double longest =
      std::min(policy.most_s, policy.first_s * static_cast<double>(uint64_t{1} << std::min(tried - 1, 30)));
  const double drawn = random.Uniform() * longest;
  // Those that were told the same time are spread behind it.
  return asked_s ? *asked_s + std::min(drawn, 0.1 * *asked_s + 0.1) : drawn;
}

Asker::Asker(const ServerAddress& address, const ServerAccess& access)
    : address_(address),
      access_(access),
      exchanges_(access.key, access.patience, access.concurrency),
      random_(SeedOfTime()) {
  for (const ServerAddress& each : EachServer(address)) {
    Endpoint& endpoint = endpoints_.emplace_back();
    endpoint.url = each.url;
  }
}

bool Asker::HoldsKey(const Json& said) const {
  if (access_.key.size() < kShortestKey) return false;
  if (said.is_string()) {
    const auto& text = said.get_ref<const std::string&>();
    if (text.find(access_.key) != std::string::npos) return true;
    // The arguments of a call are JSON in a string, where letters may be escaped.
    if (text.find('\\') == std::string::npos) return false;
    try {
      return HoldsKey(ParseJson(text, "arguments"));
    } catch (const Error&) {
      return false;  // nobody else reads it as JSON either
    }
  }
  if (said.is_object())
    for (const auto& [name, value] : said.items())
      if (HoldsKey(Json(name)) || HoldsKey(value)) return true;
  if (said.is_array())
    for (const Json& value : said)
      if (HoldsKey(value)) return true;
  return false;
}

std::string Asker::WithoutKey(std::string text) const {
  if (access_.key.size() >= kShortestKey) ReplaceAll(text, access_.key, "(the API key)");
  return text;
}

void Asker::FailUnreachable(const std::string& why) const {
  Fail(ErrorKind::kIo, "{}: the server cannot be reached: {} (answers so far are kept: the same command goes on)",
       Join(address_.urls(), ", "), WithoutKey(why));
}

RemoteAnswer Asker::Read(CompletionReader& reader, const std::string& answers_as, Response&& response) const {
  RemoteAnswer reading;
  if (response.end == Response::End::kWhole && response.status / 100 != 2) {
    const std::string said = ErrorOf(WithoutKey(std::move(response.body)));  // before it is cut
    reading =
        Faulty(FaultOf(response.status), fmt::format("HTTP {}{}{}", response.status, said.empty() ? "" : ": ", said));
  } else if (response.end == Response::End::kWhole || (response.end != Response::End::kTooLong && reader.ended())) {
    reading = reader.Finish(response.end != Response::End::kWhole);
  } else {
    reading = Faulty(FaultOf(response.end), response.why);
  }
  if (reading.fault == Fault::kNone && !answers_as.empty() && reading.model != answers_as)
    reading = Faulty(Fault::kOtherModel, fmt::format("expected an answer of {}, found one of {}", Quote(answers_as),
                                                     reading.model.empty() ? "no model" : Quote(reading.model)));
  reading.answer.error = CutAt(WithoutKey(std::move(reading.answer.error)), kMostError);  // whole keys
  const auto holds_key = [&](const std::string& text) { return HoldsKey(Json(text)); };
  if (holds_key(reading.answer.text) || holds_key(reading.answer.reasoning) || HoldsKey(reading.answer.tool_calls))
    reading = Faulty(Fault::kKeyInAnswer, "what holds a secret is kept nowhere");
  reading.seconds = response.seconds;
  return reading;
}

Endpoint* Asker::LeastBusy(const Endpoint* avoided, double now) {
  Endpoint* best = nullptr;
  const auto rank = [&](const Endpoint& endpoint) { return std::pair(&endpoint == avoided, endpoint.in_flight); };
  for (Endpoint& endpoint : endpoints_)
    if (endpoint.not_before <= now && (!best || rank(endpoint) < rank(*best))) best = &endpoint;
  return best;
}

void Asker::Fared(Endpoint& endpoint, const RemoteAnswer& reading, std::optional<double> asked_s, double now) {
  --endpoint.in_flight;
  endpoint.reached = reading.fault != Fault::kUnreachable;
  if (reading.fault == Fault::kNone) ++endpoint.answers;
  if (!IsWorthAnother(reading.fault)) {
    endpoint.failed = 0;
    return;
  }
  ++endpoint.failed;
  ++endpoint.faults;
  endpoint.fault = reading.answer.error;
  if (reading.fault == Fault::kBusy && asked_s) endpoint.not_before = std::max(endpoint.not_before, now + *asked_s);
  // Where others can do its work it rests for as long as a request that failed so often would.
  if (endpoints_.size() > 1)
    endpoint.not_before =
        std::max(endpoint.not_before, now + WaitBeforeTry(access_.retry, endpoint.failed, asked_s, random_));
}

struct Asker::Asked {
  size_t index;
  int tried = 0;
  Endpoint* at = nullptr;  // the last that it was asked of
};

struct Asker::Line {
  explicit Line(size_t count) : left(count) {
    for (size_t i = 0; i < count; ++i) waiting.push_back({i});
  }
  std::deque<Asked> waiting;
  std::multimap<double, Asked> later;  // by the time of their next try
  size_t left;
};

void Asker::CancelAll() {
  exchanges_.Cancel();
  for (Endpoint& endpoint : endpoints_) endpoint.in_flight = 0;
}

void Asker::WorkOff(Line& line, const std::function<void(Asked, Endpoint&, double)>& start, Progress& progress) {
  try {
    while (line.left > 0) {
      if (progress.Cancelled()) throw Interrupted();
      const double now = Now();
      while (!line.later.empty() && line.later.begin()->first <= now) {
        line.waiting.push_front(line.later.begin()->second);
        line.later.erase(line.later.begin());
      }
      while (!line.waiting.empty() && exchanges_.in_flight() < static_cast<size_t>(access_.concurrency)) {
        Asked next = line.waiting.front();
        Endpoint* endpoint = LeastBusy(next.at, now);
        if (!endpoint) break;
        line.waiting.pop_front();
        ++endpoint->in_flight;
        next.at = endpoint;
        start(next, *endpoint, now);
      }
      exchanges_.Work(kLookAround);
    }
  } catch (...) {
    CancelAll();
    throw;
  }
}

void Asker::AskAll(size_t count, const std::function<CompletionRequest(size_t)>& make,
                   const std::function<void(size_t, RemoteAnswer&&)>& done, Progress& progress) {
  Line line(count);
  double heard = -1;  // when a server last said anything

  auto ended = [&](Asked asked, double first_token_s, RemoteAnswer&& reading, std::optional<double> wait_s,
                   const std::string& why) {
    ++asked.tried;
    const double now = Now();
    Fared(*asked.at, reading, wait_s, now);
    if (reading.fault != Fault::kUnreachable) heard = now;
    const bool reached =
        std::any_of(endpoints_.begin(), endpoints_.end(), [](const Endpoint& endpoint) { return endpoint.reached; });
    const bool too_late = wait_s && *wait_s > access_.retry.most_asked_s;
    if (IsWorthAnother(reading.fault) && asked.tried < access_.retry.tries && !too_late) {
      // Another server may be asked at once, and no server at all was no try of this request's.
      const bool elsewhere = endpoints_.size() > 1 && reached && LeastBusy(asked.at, now) != nullptr;
      if (elsewhere && reading.fault == Fault::kUnreachable) --asked.tried;
      line.later.emplace(elsewhere ? now : now + WaitBeforeTry(access_.retry, asked.tried, wait_s, random_), asked);
      return;
    }
    if (!reached && now - heard > access_.retry.first_s * 4) FailUnreachable(why);
    if (reading.fault != Fault::kNone && asked.tried > 1)
      reading.answer.error += fmt::format(" ({} tries)", asked.tried);
    if (too_late) reading.answer.error += fmt::format(" (the server asks to wait {:.0f} s)", *wait_s);
    reading.first_token_s = first_token_s;
    --line.left;
    done(asked.index, std::move(reading));
  };

  auto start = [&](const Asked& asked, Endpoint& endpoint, double now) {
    const CompletionRequest ask = make(asked.index);
    struct Stream {
      CompletionReader reader;
      std::string answers_as;
      double started, first = 0;
    };
    auto stream = std::make_shared<Stream>(Stream{CompletionReader(ask.max_tokens), ask.answers_as, now});
    Exchange exchange;
    exchange.url = endpoint.url + ask.path;
    exchange.body = DumpJson(ask.body);
    exchange.limit_bytes = kBytesOfRest + kBytesOfToken * static_cast<uint64_t>(ask.max_tokens) + ask.more_bytes;
    exchange.take = [stream](std::string_view bytes) {
      stream->reader.Take(bytes);
      if (stream->first == 0 && stream->reader.begun()) stream->first = Now() - stream->started;
    };
    exchanges_.Start(std::move(exchange), [&, asked, stream](Response&& response) {
      const std::optional<double> wait_s = response.retry_after_s;
      const std::string why = response.why;
      RemoteAnswer reading = Read(stream->reader, stream->answers_as, std::move(response));
      ended(asked, stream->first, std::move(reading), wait_s, why);
    });
  };

  WorkOff(line, start, progress);
}

RemoteAnswer Asker::AskOne(const CompletionRequest& ask, Progress& progress) {
  RemoteAnswer only;
  AskAll(
      1, [&](size_t) { return ask; }, [&](size_t, RemoteAnswer&& reading) { only = std::move(reading); }, progress);
  return only;
}

void Asker::FetchAll(size_t count, const std::function<FetchRequest(size_t)>& make,
                     const std::function<void(size_t, std::optional<Json>&&)>& done, Progress& progress) {
  Line line(count);
  const double began = Now();

  auto ended = [&](Asked asked, Response&& response) {
    Endpoint& endpoint = *asked.at;
    ++asked.tried;
    --endpoint.in_flight;
    endpoint.reached = response.end != Response::End::kUnreachable;
    const bool whole = response.end == Response::End::kWhole;
    if (whole && (response.status == 401 || response.status == 403))
      Fail(ErrorKind::kIo, "{}: access denied (HTTP {}): give its key in ASSAY_API_KEY or --api-key-file", endpoint.url,
           response.status);
    const double now = Now();
    const bool loading = whole && response.status == 503 && now - began < kLoading;
    const bool again = !whole || response.status == 429 || response.status >= 500;
    if (loading || (again && asked.tried < access_.retry.tries)) {
      const bool elsewhere = !endpoint.reached && endpoints_.size() > 1;
      const double wait_s = loading     ? 1.0
                            : elsewhere ? 0.0
                                        : WaitBeforeTry(access_.retry, asked.tried, response.retry_after_s, random_);
      if (!whole && endpoints_.size() > 1)  // others do its work for a while
        endpoint.not_before = now + WaitBeforeTry(access_.retry, asked.tried, {}, random_);
      line.later.emplace(now + wait_s, asked);
      return;
    }
    if (!whole) FailUnreachable(response.why);
    std::optional<Json> said;
    if (response.status / 100 == 2 && IsValidUtf8(response.body)) {
      try {
        said = ParseJson(response.body, endpoint.url);
      } catch (const Error&) {
        // It has none.
      }
    }
    --line.left;
    done(asked.index, std::move(said));
  };

  WorkOff(
      line,
      [&](const Asked& asked, Endpoint& endpoint, double) {
        const FetchRequest ask = make(asked.index);
        Exchange exchange{endpoint.url + ask.path, ask.body.is_null() ? "" : DumpJson(ask.body), kMostFetched, {}};
        exchanges_.Start(std::move(exchange),
                         [&ended, asked](Response&& response) { ended(asked, std::move(response)); });
      },
      progress);
}

std::optional<Json> Asker::Fetch(const std::string& path, Progress& progress, const Json& body) {
  std::optional<Json> only;
  FetchAll(
      1,
      [&](size_t) {
        return FetchRequest{path, body};
      },
      [&](size_t, std::optional<Json>&& said) { only = std::move(said); }, progress);
  return only;
}

}  // namespace assay
