#include "system/http.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "system/machine.h"
#include "system/threads.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

/// Answers one connection after the other with the same bytes, the last `dripped` of them ten a second.
class Server {
 public:
  explicit Server(std::string answer, size_t dripped = 0) : answer_(std::move(answer)), dripped_(dripped) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Loop(); });
  }
  ~Server() {
    stop_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/file", port_); }

 private:
  void Loop() {
    while (!stop_) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      char request[4096];
      if (recv(connection, request, sizeof request, 0) > 0) {
        const size_t at_once = answer_.size() - dripped_;
        send(connection, answer_.data(), at_once, MSG_NOSIGNAL);
        for (size_t i = at_once; i < answer_.size() && !stop_; ++i) {
          if (send(connection, answer_.data() + i, 1, MSG_NOSIGNAL) < 0) break;
          usleep(100000);
        }
      }
      close(connection);
    }
  }
  std::string answer_;
  size_t dripped_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::string Partial(const std::string& content_range, const std::string& body) {
  return fmt::format(
      "HTTP/1.1 206 Partial Content\r\nContent-Range: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      content_range, body.size(), body);
}

std::string RangeError(const std::string& content_range, const std::string& body, uint64_t offset, uint64_t n) {
  Server server(Partial(content_range, body));
  HttpClient http;
  try {
    http.GetRange(server.url(), offset, n);
  } catch (const Error& e) {
    return e.what();
  }
  return "none";
}

TEST(Http, RangesAreWhatWasAskedFor) {
  Server server(Partial("bytes 4-7/100", "abcd"));
  HttpClient http;
  HttpRange range = http.GetRange(server.url(), 4, 4);
  EXPECT_EQ(range.body, "abcd");
  EXPECT_EQ(range.total_bytes, 100u);
  Server at_end(Partial("bytes 96-99/100", "wxyz"));
  EXPECT_EQ(http.GetRange(at_end.url(), 96, 50).body, "wxyz");
}

TEST(Http, AnotherRangeThanAskedForIsNoPartOfTheFile) {
  EXPECT_THAT(RangeError("bytes 0-3/100", "abcd", 4, 4), HasSubstr("asked for 4 bytes from 4 on"));
  EXPECT_THAT(RangeError("bytes 4-6/100", "abc", 4, 4), HasSubstr("the server sent 3 bytes"));  // shorter than it is
  EXPECT_THAT(RangeError("bytes 4-7/100", "abc", 4, 4), HasSubstr("the server sent 3 bytes"));
  EXPECT_THAT(RangeError("bytes 4-7/6", "abcd", 4, 4), HasSubstr("does not say how large"));
  EXPECT_THAT(RangeError("bytes 7-4/100", "abcd", 4, 4), HasSubstr("does not say how large"));
  EXPECT_THAT(RangeError("bytes 4-7/*", "abcd", 4, 4), HasSubstr("does not say how large"));
  EXPECT_THAT(RangeError("bytes 4-7/18446744073709551616", "abcd", 4, 4), HasSubstr("does not say how large"));
}

TEST(Http, DripsAndSilenceEnd) {
  HttpPatience patience;
  patience.grace_s = 0.5;
  patience.silence_s = 5;
  const double start = Now();
  Server server("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'), 1000);
  HttpClient http("", patience);
  try {
    http.Get(server.url(), 1 << 20);
    ADD_FAILURE() << "a drip of ten bytes a second was waited for";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kIo);
    EXPECT_THAT(e.what(), HasSubstr("the server is too slow"));
  }
  Server headers("HTTP/1.1 200 OK\r\nX: " + std::string(1000, 'x'), 1000);
  EXPECT_THROW(http.Get(headers.url(), 1 << 20), Error);
  EXPECT_LT(Now() - start, 30);
}

TEST(Http, RedirectsLeadToNoLesserProtocol) {
  EXPECT_STREQ(RedirectProtocols("https://hub/x"), "https");
  EXPECT_STREQ(RedirectProtocols("HTTPS://hub/x"), "https");
  EXPECT_STREQ(RedirectProtocols("http://127.0.0.1/https:"), "http,https");
  Server whole("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd");
  const auto leads = [](const std::string& to) {
    return fmt::format("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", to);
  };
  HttpClient http;
  Server there(leads(whole.url()));
  EXPECT_EQ(http.Get(there.url(), 100), "abcd");
  for (const char* to : {"file:///etc/hostname", "ftp://127.0.0.1/x"}) {
    Server away(leads(to));
    EXPECT_THROW(http.Get(away.url(), 100), Error) << to;
  }
}

TEST(Http, SegmentsOfAnAddress) {
  EXPECT_EQ(UrlSegment("refs/pr/1"), "refs%2Fpr%2F1");
  EXPECT_EQ(UrlSegment("a b?#%\n\xC3\xA9~_-.Z9"), "a%20b%3F%23%25%0A%C3%A9~_-.Z9");
  EXPECT_EQ(UrlDecoded("refs%2fpr%2F1%zz%4"), "refs/pr/1%zz%4");
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  EXPECT_EQ(UrlDecoded(UrlSegment(every)), every);
}

TEST(ThreadPool, ManyThreadsOrAsManyAsThereAre) {
  ThreadPool pool(1024);
  EXPECT_GE(pool.threads(), 1);
  EXPECT_LE(pool.threads(), 1024);
  std::atomic<int64_t> sum{0};
  pool.For(1000, 7, [&](int64_t begin, int64_t end, int worker) {
    EXPECT_LT(worker, pool.threads());
    for (int64_t i = begin; i < end; ++i) sum += i;
  });
  EXPECT_EQ(sum, 1000 * 999 / 2);
}

}  // namespace
}  // namespace assay
