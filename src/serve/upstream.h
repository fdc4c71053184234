#pragma once
// The server behind the proxy, as one client's connection sees it: a request goes out as it came in, and the response
// comes back piece by piece. One thread uses one Upstream; its connection is kept for the next request.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

/// In the order in which they stood, names as they were written.
using HeaderLines = std::vector<std::pair<std::string, std::string>>;

/// The first of that name, whatever its case; empty: none.
std::string_view HeaderValue(const HeaderLines& headers, std::string_view name);
/// Without those that are one connection's own (RFC 9110, 7.6.1) and those that frame the body.
HeaderLines EndToEnd(const HeaderLines& headers);

struct UpstreamRequest {
  std::string method, url;
  HeaderLines headers;
  std::string body;
  bool has_body = false;  // it may be empty
};

class Upstream {
 public:
  /// How waiting ended.
  enum class News {
    kHead,         // status and headers are there
    kPiece,        // more of the body
    kEnd,          // the response is whole
    kUnreachable,  // no connection; nothing was asked
    kCut,          // the connection ended inside the response, or before it
    kClientGone,   // nobody waits for it any more
    kStopped,      // `stop` said so
  };

  /// `stop` is asked while nothing comes. `connect_s`: to a connection, TLS included.
  Upstream(std::function<bool()> stop, double connect_s);
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  /// Sends it, and waits for kHead or an end. `client`: the socket of whoever asked; when its other end is closed,
  /// nothing more is asked for it.
  News Begin(UpstreamRequest request, int client);
  /// After kHead. The piece is everything that has come, at least a byte; `kPiece` or an end.
  News Next(std::string& piece);
  /// Drops what is under way: the server sees its connection closed.
  void Drop();

  int status() const;
  const HeaderLines& headers() const;
  /// Of kUnreachable and kCut, for people.
  const std::string& why() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
