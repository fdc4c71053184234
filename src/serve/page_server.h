#pragma once
// A page of this program for the browser of the person who started it: served on the loopback, to whoever knows the
// random token in its address, and to no page of another origin (docs/tasks.md).

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

inline constexpr size_t kMostPageRequestBytes = size_t{40} << 20;  // a task's longest line, its quotes escaped

struct PageRequest {
  std::string method, path, body;  // path: below the token, "/", "/save"
};
struct PageResponse {
  int status = 200;
  std::string type = "application/json", body;
  std::string policy = "default-src 'none'";  // Content-Security-Policy
};

/// What decides whether a request is looked at, before any of its body is read.
struct PageRequestHead {
  std::string method, target, host, origin, fetch_site, content_type, content_length;
};
struct PageRefusal {
  int status = 403;
  std::string why;
};
/// Asked for by another name than the loopback's (a name that was made to lead here), without the token, by another
/// page, or in another form than this page asks in.
std::optional<PageRefusal> RefusePageRequest(const PageRequestHead& head, std::string_view token, int port);

/// 256 bits of the system's randomness, in hexadecimal.
std::string RandomToken();

class PageServer {
 public:
  /// `answer` is called by one thread at a time; what it throws is the answer, too: Error{kInvalid …} is 400.
  explicit PageServer(std::function<PageResponse(const PageRequest&)> answer);
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  /// Listens on 127.0.0.1; port 0: one that is free. Throws Error{kIo}.
  void Listen(int port);
  /// "http://127.0.0.1:PORT/TOKEN/".
  std::string url() const;
  /// Serves until `stop` says so, which is asked often.
  void Serve(const std::function<bool()>& stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
