#pragma once
// Asks a server many things at once and reads its completions, patiently: what may fare better is asked again.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "base/random.h"
#include "remote/completion_reader.h"
#include "remote/exchanges.h"
#include "remote/server_address.h"

namespace assay {

struct RetryPolicy {
  int tries = 6;              // of one request
  double first_s = 0.5;       // the longest wait before the second try; doubles with each
  double most_s = 60;         // and no longer than this
  double most_asked_s = 600;  // a server that asks for a longer wait (Retry-After) is not waited for
};
/// Seconds before another try when `tried` failed. Drawn from 0 to the longest wait, so that requests that failed
/// together do not come back together; what the server asks for is never undercut.
double WaitBeforeTry(const RetryPolicy& policy, int tried, std::optional<double> asked_s, Random& random);

inline constexpr size_t kShortestKey = 6;  // of keys that are looked for in texts: shorter ones occur in any

/// How a server may be asked.
struct ServerAccess {
  std::string key;      // API key; empty: none
  int concurrency = 8;  // requests in flight
  Patience patience;
  RetryPolicy retry;
};

/// One completion that is asked for.
struct CompletionRequest {
  std::string path;  // "/v1/chat/completions"
  Json body;
  int64_t max_tokens = 0;
  std::string answers_as;   // what the response must call its model; empty: anything
  uint64_t more_bytes = 0;  // of the response, beside its answer's
};

/// A small JSON document that is asked for.
struct FetchRequest {
  std::string path;
  Json body;  // posted, if not null
};

/// One URL of an arm, and how it fared.
struct Endpoint {
  std::string url;
  size_t in_flight = 0;
  int failed = 0;         // requests in a row
  double not_before = 0;  // it asked for a pause, or others do its work for a while since it failed
  bool reached = true;    // the last request got a connection
  int64_t answers = 0, faults = 0;
  std::string fault;  // the last one's
};

class Asker {
 public:
  /// Of several URLs the one with the fewest requests in flight is asked; what fails at one is asked of another.
  Asker(const ServerAddress& address, const ServerAccess& access);

  const ServerAddress& address() const { return address_; }
  int concurrency() const { return access_.concurrency; }
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }

  /// Makes and asks `count` completions; `done` is called once for each, in the order in which they are answered.
  /// A fault that remains is the reading's. Throws Interrupted when progress.Cancelled(), and Error{kIo} when the
  /// server cannot be reached at all any more: to go on would only make errors of what is left.
  void AskAll(size_t count, const std::function<CompletionRequest(size_t)>& make,
              const std::function<void(size_t, RemoteAnswer&&)>& done, Progress& progress);
  RemoteAnswer AskOne(const CompletionRequest& ask, Progress& progress);

  /// Many documents, asked for as completions are: at once, of the least busy URL, patiently. None where a server has
  /// none (any status but 2xx, or no JSON). Waits for a server that says that it is loading (503). Throws Error{kIo}
  /// when it cannot be reached or wants another key.
  void FetchAll(size_t count, const std::function<FetchRequest(size_t)>& make,
                const std::function<void(size_t, std::optional<Json>&&)>& done, Progress& progress);
  std::optional<Json> Fetch(const std::string& path, Progress& progress, const Json& body = {});

  /// Text from the server without the key in it.
  std::string WithoutKey(std::string text) const;
  /// Whether the key stands anywhere in it.
  bool HoldsKey(const Json& said) const;

 private:
  struct Asked;  // one request, on its way
  struct Line;   // those that wait for their turn
  /// Starts what waits as its turn comes, until nothing is left. What throws ends all that is in flight.
  void WorkOff(Line& line, const std::function<void(Asked, Endpoint&, double)>& start, Progress& progress);
  void CancelAll();
  RemoteAnswer Read(CompletionReader& reader, const std::string& answers_as, Response&& response) const;
  /// Whom to ask next, rather not `avoided` (null: anybody); null where all are paused.
  Endpoint* LeastBusy(const Endpoint* avoided, double now);
  void Fared(Endpoint& endpoint, const RemoteAnswer& reading, std::optional<double> asked_s, double now);
  [[noreturn]] void FailUnreachable(const std::string& why) const;

  ServerAddress address_;
  ServerAccess access_;
  std::vector<Endpoint> endpoints_;
  Exchanges exchanges_;
  Random random_;
};

}  // namespace assay
