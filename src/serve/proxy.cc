#include "serve/proxy.h"

#include <httplib.h>
#include <sys/resource.h>

#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "serve/client_socket.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr int kBacklog = 1024;       // connections that nobody has accepted yet; the library asks for five
constexpr double kToldAgain_s = 10;  // what goes wrong with every request is told as often

/// A thread for each connection, made when one is needed and kept.
class Workers : public httplib::TaskQueue {
 public:
  explicit Workers(size_t most) : most_(most) {}

  void enqueue(std::function<void()> job) override {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (jobs_.size() > idle_ && threads_.size() < most_) threads_.emplace_back([this] { Work(); });
    news_.notify_one();
  }

  void shutdown() override {
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    news_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      news_.wait(lock, [&] { return over_ || !jobs_.empty(); });
      --idle_;
      if (jobs_.empty()) return;
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  const size_t most_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::list<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool over_ = false;
};

/// What the library reads and writes through.
class ClientStream : public httplib::Stream {
 public:
  explicit ClientStream(ClientSocket& socket) : socket_(socket) {}
  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override { return socket_.Read(to, size); }
  ssize_t write(const char* data, size_t size) override {
    return socket_.Write(std::string_view(data, size)) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return 0; }  // the library refuses numbers from 1024, which select(2) cannot take

 private:
  ClientSocket& socket_;
};

/// What belongs to the connection that this thread serves.
struct Connection {
  ClientSocket* socket = nullptr;
  HeaderLines headers;  // of its request, as they were written
  bool close = false;   // after this response
};
thread_local Connection t_connection;

void RefuseAs(httplib::Response& res, int status, std::string_view type, std::string_view message) {
  const Json body = {{"error", {{"message", message}, {"type", type}, {"code", status}}}};
  res.status = status;
  res.set_content(DumpJson(body), "application/json");
  if (t_connection.close) res.set_header("Connection", "close");
}

bool HasBody(const HeaderLines& headers) {
  const std::string_view length = HeaderValue(headers, "content-length");
  return (!length.empty() && length != "0") || !HeaderValue(headers, "transfer-encoding").empty();
}

}  // namespace

struct Proxy::Impl : httplib::Server {
  ProxyOptions options;
  Recorder& recorder;
  std::function<void(std::string_view)> tell;
  std::function<void()> exchanged;
  std::atomic<bool> stopping = false;
  std::atomic<double> stopped_at = 0;
  std::mutex tell_mutex;
  double told_at = -kToldAgain_s;
  int64_t untold = 0;

  Impl(const ProxyOptions& o, Recorder& r, std::function<void(std::string_view)> t)
      : options(o), recorder(r), tell(std::move(t)) {
    new_task_queue = [this] { return new Workers(static_cast<size_t>(options.most_clients)); };
    set_keep_alive_timeout(static_cast<time_t>(options.idle_s));
    set_keep_alive_max_count(1'000'000);  // both are told to clients
    set_socket_options([](socket_t socket) {
      const int on = 1;  // a port that was just given up is free
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    set_exception_handler([this](const httplib::Request&, httplib::Response& res, std::exception_ptr thrown) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& error) {
        Tell(error.what());
        RefuseAs(res, 500, "proxy_error", error.what());
      }
    });
    const Handler bare = [this](const httplib::Request& req, httplib::Response& res) { Answer(req, res, nullptr); };
    const HandlerWithContentReader with_body = [this](const httplib::Request& req, httplib::Response& res,
                                                      const httplib::ContentReader& reader) {
      Answer(req, res, &reader);
    };
    const char* every = "[\\s\\S]*";
    Get(every, bare);
    Options(every, bare);
    Post(every, with_body);
    Put(every, with_body);
    Patch(every, with_body);
    Delete(every, with_body);
  }

  void Tell(std::string_view what) {
    std::lock_guard lock(tell_mutex);
    if (Now() - told_at < kToldAgain_s) {
      ++untold;
      return;
    }
    told_at = Now();
    tell(untold > 0 ? fmt::format("{} ({} more since the last such line)", what, std::exchange(untold, 0))
                    : std::string(what));
  }

  /// More than the library asks for, and as many files as may be opened: four for each connection.
  void Widen() {
    ::listen(svr_sock_, kBacklog);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = std::max(files.rlim_cur, std::min<rlim_t>(files.rlim_max, 4096 + 64));
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  bool OutOfGrace() const { return stopping && Now() - stopped_at > options.grace_s; }

  /// Of each worker: its connection to the server is kept.
  Upstream& OwnUpstream() {
    thread_local std::unique_ptr<Upstream> upstream;
    if (!upstream) upstream = std::make_unique<Upstream>([this] { return OutOfGrace(); }, options.connect_s);
    return *upstream;
  }

  bool process_and_close_socket(socket_t accepted) override {
    ClientSocket socket(accepted);
    ClientStream stream(socket);
    t_connection = {&socket, {}, false};
    bool served = true;
    while (served && !t_connection.close && socket.WaitForRequest(options.idle_s, stopping)) {
      socket.HeadBegins();
      bool closed = false;
      served = process_request(stream, stopping, closed, [&](httplib::Request& req) {
        socket.HeadEnds();
        t_connection.headers = socket.Headers();
        // What the library would act on, and must not: the server behind does.
        req.ranges.clear();
        for (const char* name : {"Range", "Accept-Encoding", "Content-Encoding", "Content-Type"})
          req.headers.erase(name);
        t_connection.close = closed;
      });
      if (closed || stopping) break;
    }
    t_connection = {};
    return served;
  }

  /// One exchange.
  void Answer(const httplib::Request& req, httplib::Response& res, const httplib::ContentReader* read) {
    Connection& connection = t_connection;
    UpstreamRequest request{req.method,
                            options.server + req.target,
                            connection.headers,
                            {},
                            read && (req.method != "DELETE" || HasBody(connection.headers))};
    if (!req.target.starts_with('/')) {
      connection.close = true;
      return RefuseAs(res, 400, "invalid_request_error",
                      "the recording proxy takes requests for its server, such as POST /v1/chat/completions");
    }
    // The library reads no body of such requests; it would be taken for the next one.
    const bool chunked_delete = req.method == "DELETE" && !req.has_header("Content-Length");
    if (HasBody(connection.headers) && (!read || chunked_delete)) {
      connection.close = true;
      return RefuseAs(res, 400, "invalid_request_error", "the recording proxy passes no body with " + req.method);
    }
    // Before anything of it is waited for.
    const std::string_view length = HeaderValue(connection.headers, "content-length");
    uint64_t stated = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), stated);
    const bool number = !length.empty() && length.find_first_not_of("0123456789") == std::string_view::npos;
    if (!length.empty() && (!number || error != std::errc() || stated > options.most_request_bytes)) {
      connection.close = true;
      return RefuseAs(
          res, number ? 413 : 400, "invalid_request_error",
          number ? "the request is longer than the recording proxy takes, " + FormatBytes(options.most_request_bytes)
                 : "Content-Length: expected a number");
    }
    bool too_long = false;
    if (read && HasBody(connection.headers)) {
      const bool whole = (*read)([&](const char* data, size_t n) {
        too_long = request.body.size() + n > options.most_request_bytes;
        if (!too_long) request.body.append(data, n);
        return !too_long;
      });
      if (!whole) {
        connection.close = true;
        return RefuseAs(res, too_long ? 413 : 400, "invalid_request_error",
                        too_long ? "the request is longer than the recording proxy takes, " +
                                       FormatBytes(options.most_request_bytes)
                                 : "the request ended before it was whole");
      }
    }
    std::shared_ptr<Recording> recording;
    const std::string path = req.target.substr(0, req.target.find('?'));
    if (req.method == "POST" && IsCompletionPath(path)) {
      recording = std::make_shared<Recording>(recorder, path, request.body, SecretsOf(request.headers, req.target));
      // So that the answer can be read.
      std::erase_if(request.headers, [](const auto& line) { return ToLowerAscii(line.first) == "accept-encoding"; });
    }
    Upstream& upstream = OwnUpstream();
    const Upstream::News news = upstream.Begin(std::move(request), connection.socket->fd());
    if (news == Upstream::News::kHead) return PassOn(upstream, std::move(recording), req, res);
    if (news == Upstream::News::kClientGone) {
      connection.close = true;
      res.status = 499;  // nobody reads it
      return Lost(recording, "the client closed its connection");
    }
    const std::string why = news == Upstream::News::kStopped ? "the proxy was stopped" : upstream.why();
    const bool reached = news != Upstream::News::kUnreachable;
    if (news != Upstream::News::kStopped)
      Tell(fmt::format("{}: {}: {}; the client got 502", options.server,
                       reached ? "ended a connection without a response" : "cannot be reached", why));
    RefuseAs(res, 502, "bad_gateway",
             fmt::format("the recording proxy {} {}: {}", reached ? "got no response from" : "cannot reach",
                         options.server, why));
    Lost(recording, (reached ? "cut: " : "unreachable: ") + why);
  }

  void Lost(const std::shared_ptr<Recording>& recording, std::string_view why) {
    if (recording) recording->Break(why);
    if (exchanged) exchanged();
  }

  void PassOn(Upstream& upstream, std::shared_ptr<Recording> recording, const httplib::Request& req,
              httplib::Response& res) {
    res.status = upstream.status();
    for (const auto& [name, value] : EndToEnd(upstream.headers())) res.headers.emplace(name, value);
    const std::string_view length = HeaderValue(upstream.headers(), "content-length");
    if (recording) recording->Begin(res.status, HeaderValue(upstream.headers(), "content-encoding"));
    const bool bare = req.method == "HEAD" || res.status == 204 || res.status == 304;
    if (bare || length == "0") {
      if (!length.empty()) res.headers.emplace("Content-Length", length);
      std::string piece;
      while (upstream.Next(piece) == Upstream::News::kPiece) {
      }
      if (recording) recording->End();
      if (exchanged) exchanged();
      return;
    }
    if (!length.empty()) res.content_length_ = std::strtoull(std::string(length).c_str(), nullptr, 10);
    // Without a length: in chunks, as it comes.
    res.is_chunked_content_provider_ = res.content_length_ == 0;
    res.content_provider_ = [this, &upstream, recording](size_t, size_t, httplib::DataSink& sink) {
      return Pump(upstream, recording.get(), sink);
    };
    res.content_provider_resource_releaser_ = [this, &upstream, recording](bool) {
      upstream.Drop();
      if (recording) recording->Break("cut: the client took no more, or the proxy was stopped");
      if (exchanged) exchanged();
    };
  }

  /// The whole body; false: it was cut, and so is what the client gets.
  bool Pump(Upstream& upstream, Recording* recording, httplib::DataSink& sink) {
    std::string piece;
    while (true) {
      const Upstream::News news = upstream.Next(piece);
      if (news == Upstream::News::kPiece) {
        if (recording) recording->Take(piece);
        if (sink.write(piece.data(), piece.size())) continue;
        if (recording) recording->Break("the client closed its connection");
        return false;
      }
      if (news == Upstream::News::kEnd) {
        if (recording) recording->End();
        if (sink.done) sink.done();
        return true;
      }
      std::string why = "cut: " + upstream.why();
      if (news == Upstream::News::kClientGone) why = "the client closed its connection";
      if (news == Upstream::News::kStopped) why = "cut: the proxy was stopped";
      if (news == Upstream::News::kCut) Tell(fmt::format("{}: cut an answer: {}", options.server, upstream.why()));
      if (recording) recording->Break(why);
      return false;
    }
  }
};

Proxy::Proxy(const ProxyOptions& options, Recorder& recorder, std::function<void(std::string_view)> tell)
    : impl_(std::make_unique<Impl>(options, recorder, std::move(tell))) {}

Proxy::~Proxy() = default;

int Proxy::Listen() {
  Impl& impl = *impl_;
  errno = 0;
  const int port = impl.options.port == 0                                    ? impl.bind_to_any_port(impl.options.host)
                   : impl.bind_to_port(impl.options.host, impl.options.port) ? impl.options.port
                                                                             : -1;
  if (port <= 0)
    Fail(ErrorKind::kIo, "cannot listen at {}:{}: {}", impl.options.host, impl.options.port,
         errno ? std::strerror(errno) : "no such host");
  impl.Widen();
  return port;
}

void Proxy::Serve(const std::function<bool()>& stop, const std::function<void()>& exchanged) {
  Impl& impl = *impl_;
  impl.exchanged = exchanged;
  bool ended_well = true;
  std::atomic<bool> over = false;
  std::thread serving([&] {
    ended_well = impl.listen_after_bind();
    over = true;
  });
  while (!over && !impl.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // else it never stops
  while (!over && !stop()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  impl.stopped_at = Now();
  impl.stopping = true;
  if (!over) impl.stop();
  serving.join();
  if (!ended_well) Fail(ErrorKind::kIo, "connections cannot be accepted any more");
}

}  // namespace assay
