#include "serve/page_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

int StatusOf(const PageRequestHead& head) {
  const std::optional<PageRefusal> refusal = RefusePageRequest(head, "0123abcd", 4000);
  return refusal ? refusal->status : 200;
}

TEST(PageRequests, OnlyThisPageOfThisMachineWithTheToken) {
  const PageRequestHead get{"GET", "/0123abcd/", "127.0.0.1:4000", "", "none", ""};
  EXPECT_EQ(StatusOf(get), 200);
  PageRequestHead head = get;
  head.host = "localhost:4000";
  EXPECT_EQ(StatusOf(head), 200);
  // A name that its owner lets lead to this machine (DNS rebinding), another port, none.
  for (const char* host :
       {"attacker.example:4000", "127.0.0.1:4001", "127.0.0.1", "", "127.0.0.1:4000.attacker.example"}) {
    head = get;
    head.host = host;
    EXPECT_EQ(StatusOf(head), 403) << host;
  }
  for (const char* target : {"/", "/0123abce/", "/0123abc/", "/0123abcd", "/0123abcd?/", "//0123abcd/", "/0123abcd0/",
                             "0123abcd/", "http://127.0.0.1:4000/0123abcd/", "", "/../0123abcd/"}) {
    head = get;
    head.target = target;
    EXPECT_EQ(StatusOf(head), 403) << target;
  }
  for (const char* site : {"cross-site", "same-site"}) {
    head = get;
    head.fetch_site = site;
    EXPECT_EQ(StatusOf(head), 403) << site;
  }
}

TEST(PageRequests, WritesNameTheirOrigin) {
  const PageRequestHead post{
      "POST", "/0123abcd/save", "127.0.0.1:4000", "http://127.0.0.1:4000", "same-origin", "application/json", "2"};
  EXPECT_EQ(StatusOf(post), 200);
  PageRequestHead head = post;
  for (const char* origin : {"", "null", "http://attacker.example", "https://127.0.0.1:4000", "http://127.0.0.1:4001",
                             "http://localhost:4000"}) {
    head = post;
    head.origin = origin;
    EXPECT_EQ(StatusOf(head), 403) << origin;
  }
  head = post;
  head.fetch_site = "none";
  EXPECT_EQ(StatusOf(head), 403);
  head = post;
  head.content_type = "text/plain";  // that a form of any page may send
  EXPECT_EQ(StatusOf(head), 415);
  for (const auto& [length, status] : std::initializer_list<std::pair<const char*, int>>{
           {"", 411}, {"-1", 411}, {"2x", 411}, {"99999999999999999999", 411}, {"999999999999999", 413}}) {
    head = post;
    head.content_length = length;
    EXPECT_EQ(StatusOf(head), status) << length;
  }
  head = post;
  head.method = "PUT";
  EXPECT_EQ(StatusOf(head), 405);
}

TEST(PageRequests, TokensAreLongAndDiffer) {
  EXPECT_EQ(RandomToken().size(), 64u);
  EXPECT_NE(RandomToken(), RandomToken());
}

class Served : public ::testing::Test {
 protected:
  Served()
      : server_([this](const PageRequest& request) {
          ++asked_;
          if (request.path == "/missing") Fail(ErrorKind::kNotFound, "no such page");
          if (request.path == "/wrong") Fail(ErrorKind::kInvalid, "expected sense");
          return PageResponse{.body = request.method + request.path + request.body};
        }) {
    server_.Listen(0);
    url_ = server_.url();
    serving_ = std::thread([this] { server_.Serve([this] { return stop_.load(); }); });
  }
  ~Served() override {
    stop_ = true;
    serving_.join();
  }
  int port() const { return std::stoi(url_.substr(17)); }
  std::string host() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string token() const { return url_.substr(url_.find('/', 17)); }  // "/…/"
  /// Sends as much as is taken, and reads to the end.
  std::string Send(const std::string& text, size_t repeated = 0, const std::string& more = "") const {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const auto send_all = [&](const std::string& data) {
      for (size_t sent = 0; sent < data.size();) {
        const ssize_t n = ::send(fd, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) return false;
        sent += static_cast<size_t>(n);
      }
      return true;
    };
    bool open = send_all(text);
    for (size_t i = 0; open && i < repeated; ++i) open = send_all(more);
    std::string out(4096, '\0'), all;
    for (ssize_t n = 0; (n = ::recv(fd, out.data(), out.size(), 0)) > 0;) all.append(out, 0, static_cast<size_t>(n));
    ::close(fd);
    return all;
  }
  std::string Post(const std::string& path, const std::string& body, const std::string& length = "") const {
    return Send("POST " + path + " HTTP/1.1\r\nHost: " + host() + "\r\nOrigin: http://" + host() +
                "\r\nContent-Type: application/json\r\nContent-Length: " +
                (length.empty() ? std::to_string(body.size()) : length) + "\r\n\r\n" + body);
  }

  std::atomic<bool> stop_ = false;
  std::atomic<int> asked_ = 0;
  PageServer server_;
  std::string url_;
  std::thread serving_;
};

TEST_F(Served, AnswersWithHeadersThatKeepOthersOut) {
  const std::string got = Send("GET " + token() + "x HTTP/1.1\r\nHost: " + host() + "\r\n\r\n");
  EXPECT_THAT(got, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(got, HasSubstr("GET/x"));
  for (const char* header :
       {"Content-Security-Policy: default-src 'none'", "Referrer-Policy: no-referrer", "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY", "Cross-Origin-Resource-Policy: same-origin"})
    EXPECT_THAT(got, HasSubstr(header));
  EXPECT_THAT(got, ::testing::Not(HasSubstr("Access-Control")));
  EXPECT_THAT(Post(token() + "save", "{}"), HasSubstr("POST/save{}"));
}

TEST_F(Served, NobodyElseReachesIt) {
  EXPECT_THAT(Send("GET / HTTP/1.1\r\nHost: " + host() + "\r\n\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Send("GET " + token() + " HTTP/1.1\r\nHost: attacker.example:" + std::to_string(port()) + "\r\n\r\n"),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(
      Send("POST " + token() + "save HTTP/1.1\r\nHost: " + host() +
           "\r\nOrigin: http://attacker.example\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
      StartsWith("HTTP/1.1 403"));
  // A refused request's body is no second request.
  const std::string inside = "GET " + token() + " HTTP/1.1\r\nHost: " + host() + "\r\n\r\n";
  const std::string got = Send("POST /no/ HTTP/1.1\r\nHost: " + host() +
                               "\r\nContent-Length: " + std::to_string(inside.size()) + "\r\n\r\n" + inside);
  EXPECT_THAT(got, StartsWith("HTTP/1.1 403"));
  EXPECT_EQ(got.find("HTTP/1.1 200"), std::string::npos);
  EXPECT_EQ(asked_, 0);
}

TEST_F(Served, ErrorsAreAnswers) {
  EXPECT_THAT(Post(token() + "missing", "{}"), StartsWith("HTTP/1.1 404"));
  const std::string wrong = Post(token() + "wrong", "{}");
  EXPECT_THAT(wrong, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(wrong, HasSubstr(R"({"error":"expected sense"})"));
}

TEST_F(Served, LengthsAreBounded) {
  const std::string got = Post(token() + "save", "{}", std::to_string(kMostPageRequestBytes + 1));
  EXPECT_THAT(got, StartsWith("HTTP/1.1 413"));
  EXPECT_EQ(asked_, 0);
  // A head without an end is given up, and the page is there for others.
  const std::string line = "X-Filler: " + std::string(8000, 'x') + "\r\n";
  Send("GET " + token() + " HTTP/1.1\r\nHost: " + host() + "\r\n", (kMostPageRequestBytes >> 13) + 200, line);
  EXPECT_EQ(asked_, 0);
  EXPECT_THAT(Post(token() + "save", "{}"), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace assay
