#pragma once
// Many HTTP exchanges at once on one thread, over connections that are kept open. Knows bytes and times, nothing of
// what they mean.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

/// How long a server may take. A stream that goes on sending is never too slow.
struct Patience {
  double connect_s = 20;      // to a connection, TLS included
  double first_byte_s = 600;  // from there to the first byte of the answer: the prompt is read, others are before it
  double silence_s = 120;     // between two pieces of an answer that has begun
};

struct Exchange {
  std::string url;
  std::string body;                  // JSON; empty: GET, else POST
  uint64_t limit_bytes = 64u << 20;  // of the response; more ends it
  std::function<void(std::string_view)>
      take;  // optional: the body of a 2xx response as it comes, which is then not kept
};

/// How an exchange ended.
struct Response {
  enum class End {
    kWhole,        // the whole response is there, whatever its status
    kUnreachable,  // no connection: nobody listens, no such host, a certificate that is not trusted
    kCut,          // the connection ended inside the response, or before it
    kStalled,      // silence for longer than the patience
    kTooLong,      // more than limit_bytes
  };
  End end = End::kWhole;
  long status = 0;                      // of HTTP; 0: there was none
  std::string body;                     // what came, of a response cut short, too
  std::optional<double> retry_after_s;  // as the server asks (seconds, or a date, in Retry-After)
  std::string why;                      // of an end that is not kWhole, for people; names no key
  double seconds = 0;                   // from the start of the exchange to its end
};

class Exchanges {
 public:
  /// `key`, may be empty, is sent as a bearer token and is in no message.
  Exchanges(std::string key, const Patience& patience, int most_connections);
  ~Exchanges();
  Exchanges(const Exchanges&) = delete;
  Exchanges& operator=(const Exchanges&) = delete;

  /// `done` is called once, from Work.
  void Start(Exchange exchange, std::function<void(Response&&)> done);
  size_t in_flight() const;
  /// Moves what is in flight, after waiting for news for at most `wait_s`.
  void Work(double wait_s);
  /// Ends all; their `done` is not called.
  void Cancel();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Seconds from `now` (Unix time) that a Retry-After header asks for (RFC 9110, 10.2.3); none where it is neither a
/// number nor a date. Never negative.
std::optional<double> RetryAfterSeconds(std::string_view value, int64_t now);

}  // namespace assay
