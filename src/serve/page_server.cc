#include "serve/page_server.h"

#include <fmt/core.h>
#include <httplib.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr size_t kThreads = 8;
constexpr int kPatience_ms = 10'000;  // inside a request or a response
constexpr int kIdle_ms = 2'000;       // a connection without a request, which browsers open ahead
constexpr size_t kMostHeadBytes = size_t{64} << 10;

/// One request's bytes: so many and no more, since the library counts lines of a head and not how many there are.
class OneRequest : public httplib::Stream {
 public:
  explicit OneRequest(int fd) : fd_(fd) {}
  bool Waits(short events, int ms) const {
    pollfd one{fd_, events, 0};
    return ::poll(&one, 1, ms) == 1;
  }
  bool is_readable() const override { return used_ < buffer_.size() || Waits(POLLIN, kPatience_ms); }
  bool is_writable() const override { return Waits(POLLOUT, kPatience_ms); }
  ssize_t read(char* to, size_t size) override {
    if (used_ == buffer_.size()) {
      if (left_ == 0 || !Waits(POLLIN, kPatience_ms)) return -1;
      buffer_.resize(std::min<size_t>(left_, 16'384));
      const ssize_t got = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
      buffer_.resize(got > 0 ? static_cast<size_t>(got) : 0);
      used_ = 0;
      if (got <= 0) return got;
      left_ -= buffer_.size();
    }
    const size_t n = std::min(size, buffer_.size() - used_);
    std::memcpy(to, buffer_.data() + used_, n);
    used_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* data, size_t size) override {
    return is_writable() ? ::send(fd_, data, size, MSG_NOSIGNAL) : -1;
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return 0; }  // the library refuses numbers from 1024, which select(2) cannot take
  /// What a refused request still sends is read, so that the refusal is not lost when the connection is closed.
  void Drain() {
    ::shutdown(fd_, SHUT_WR);
    std::string rest(16'384, '\0');
    while (left_ > 0 && Waits(POLLIN, 500)) {
      const ssize_t got = ::recv(fd_, rest.data(), std::min(left_, rest.size()), 0);
      if (got <= 0) return;
      left_ -= static_cast<size_t>(got);
    }
  }

 private:
  int fd_;
  std::string buffer_;
  size_t used_ = 0, left_ = kMostPageRequestBytes + kMostHeadBytes;
};

/// Takes as long wherever they differ.
bool SameSecret(std::string_view a, std::string_view b) {
  unsigned differs = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    differs |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  return differs == 0;
}

PageRequestHead HeadOf(const httplib::Request& req) {
  return {req.method,
          req.target,
          req.get_header_value("Host"),
          req.get_header_value("Origin"),
          req.get_header_value("Sec-Fetch-Site"),
          req.get_header_value("Content-Type"),
          req.get_header_value("Content-Length")};
}

void Fill(httplib::Response& res, const PageResponse& response) {
  res.status = response.status;
  res.set_content(response.body, response.type);
  res.set_header("Content-Security-Policy", response.policy);
  res.set_header("Cache-Control", "no-store");
  res.set_header("Referrer-Policy", "no-referrer");  // the address holds the token
  res.set_header("X-Content-Type-Options", "nosniff");
  res.set_header("X-Frame-Options", "DENY");
  res.set_header("Cross-Origin-Resource-Policy", "same-origin");
  res.set_header("Cross-Origin-Opener-Policy", "same-origin");
}

PageResponse Refused(int status, std::string_view why) {
  return {.status = status, .body = DumpJson({{"error", why}})};
}

}  // namespace

std::optional<PageRefusal> RefusePageRequest(const PageRequestHead& head, std::string_view token, int port) {
  const std::string ours = fmt::format("127.0.0.1:{}", port), named = fmt::format("localhost:{}", port);
  if (head.host != ours && head.host != named)
    return PageRefusal{403, "expected to be asked as " + ours + ", which is the Host of the address that was printed"};
  const size_t end = head.target.find_first_of("/?", 1);
  if (!head.target.starts_with('/') || end == std::string::npos || head.target[end] != '/' ||
      !SameSecret(std::string_view(head.target).substr(1, end - 1), token))
    return PageRefusal{403, "expected the address that was printed, with the token in it"};
  if (!head.fetch_site.empty() && head.fetch_site != "same-origin" &&
      !(head.method == "GET" && head.fetch_site == "none"))
    return PageRefusal{403, "asked by a page of another origin"};
  if (head.method == "GET") return std::nullopt;
  if (head.method != "POST") return PageRefusal{405, "expected GET or POST, found " + head.method.substr(0, 20)};
  if (head.origin != "http://" + head.host) return PageRefusal{403, "asked by a page of another origin, or by none"};
  if (head.content_type != "application/json") return PageRefusal{415, "expected JSON (Content-Type)"};
  // The library would read a longer one to its end before it refuses.
  const std::string& length = head.content_length;
  if (length.empty() || length.size() > 15 || length.find_first_not_of("0123456789") != std::string::npos)
    return PageRefusal{411, "expected Content-Length, a number"};
  if (std::stoull(length) > kMostPageRequestBytes)
    return PageRefusal{413, "expected a request of at most " + FormatBytes(kMostPageRequestBytes)};
  return std::nullopt;
}

std::string RandomToken() {
  unsigned char bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    Fail(ErrorKind::kIo, "the system gives no random numbers: {}", std::strerror(errno));
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

struct PageServer::Impl : httplib::Server {
  std::function<PageResponse(const PageRequest&)> answer;
  std::string token = RandomToken();
  int port = 0;
  std::mutex one_at_a_time;

  explicit Impl(std::function<PageResponse(const PageRequest&)> a) : answer(std::move(a)) {
    new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    set_payload_max_length(kMostPageRequestBytes);
    // The library's own would let another process take the port beside this one.
    set_socket_options([](socket_t socket) {
      const int on = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
      const std::optional<PageRefusal> refusal = RefusePageRequest(HeadOf(req), token, port);
      if (!refusal) return HandlerResponse::Unhandled;
      Fill(res, Refused(refusal->status, refusal->why));
      return HandlerResponse::Handled;
    });
    set_error_handler([](const httplib::Request&, httplib::Response& res) {
      if (!res.body.empty()) return;
      Fill(res, Refused(res.status, "no such page, or not asked for as a page is"));
    });
    const Handler all = [this](const httplib::Request& req, httplib::Response& res) { Answer(req, res); };
    const char* every = "[\\s\\S]*";
    Get(every, all);
    Post(every, all);
  }

  /// A connection is one request: what a refused one still sends is never taken for another.
  bool process_and_close_socket(socket_t accepted) override {
    OneRequest stream(accepted);
    bool closed = false, served = true;
    if (stream.Waits(POLLIN, kIdle_ms)) {
      served = process_request(stream, /*close_connection=*/true, closed, nullptr);
      stream.Drain();
    }
    ::close(accepted);
    return served;
  }

  void Answer(const httplib::Request& req, httplib::Response& res) {
    const std::string below = req.target.substr(token.size() + 1);
    const std::lock_guard lock(one_at_a_time);
    try {
      Fill(res, answer({req.method, below.substr(0, below.find('?')), req.body}));
    } catch (const Error& error) {
      Fill(res, Refused(error.kind() == ErrorKind::kNotFound ? 404 : 400, error.what()));
    } catch (const std::exception& error) {
      Fill(res, Refused(500, error.what()));
    }
  }
};

PageServer::PageServer(std::function<PageResponse(const PageRequest&)> answer)
    : impl_(std::make_unique<Impl>(std::move(answer))) {}

PageServer::~PageServer() = default;

void PageServer::Listen(int port) {
  constexpr const char* kHost = "127.0.0.1";
  errno = 0;
  impl_->port = port == 0 ? impl_->bind_to_any_port(kHost) : impl_->bind_to_port(kHost, port) ? port : -1;
  if (impl_->port <= 0)
    Fail(ErrorKind::kIo, "cannot listen at {}:{}: {}", kHost, port, errno ? std::strerror(errno) : "not free");
}

std::string PageServer::url() const {
  return fmt::format("http://127.0.0.1:{}/{}/", impl_->port, impl_->token);
}

void PageServer::Serve(const std::function<bool()>& stop) {
  bool ended_well = true;
  std::atomic<bool> over = false;
  std::thread serving([&] {
    ended_well = impl_->listen_after_bind();
    over = true;
  });
  while (!over && !impl_->is_running())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // else it never stops
  while (!over && !stop()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  if (!over) impl_->stop();
  serving.join();
  if (!ended_well) Fail(ErrorKind::kIo, "connections cannot be accepted any more");
}

}  // namespace assay
