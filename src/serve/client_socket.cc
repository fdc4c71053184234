#include "serve/client_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr size_t kBuffer = 16 << 10;
constexpr int kReadMs = 60'000;    // between two pieces of a request
constexpr int kWriteMs = 300'000;  // until a client takes more of its answer
constexpr int kSliceMs = 100;

/// Whether it became ready in time.
bool Ready(int fd, short events, int ms) {
  pollfd of{fd, events, 0};
  int n = 0;
  while ((n = ::poll(&of, 1, ms)) < 0 && errno == EINTR) {
  }
  return n > 0;
}

}  // namespace

ClientSocket::ClientSocket(int fd) : fd_(fd) {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // pieces of a stream do not wait for each other
}

ClientSocket::~ClientSocket() {
  ::shutdown(fd_, SHUT_RDWR);
  ::close(fd_);
}

bool ClientSocket::WaitForRequest(double idle_s, const std::atomic<bool>& stop) {
  if (used_ < buffer_.size()) return !stop;
  const double until = Now() + idle_s;
  while (!stop && Now() < until) {
    if (!Ready(fd_, POLLIN, kSliceMs)) continue;
    char byte = 0;
    return ::recv(fd_, &byte, 1, MSG_PEEK) > 0;
  }
  return false;
}

ssize_t ClientSocket::Read(char* to, size_t size) {
  if (used_ == buffer_.size()) {
    buffer_.resize(kBuffer);
    used_ = 0;
    ssize_t n = -1;
    if (Ready(fd_, POLLIN, kReadMs)) n = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
    buffer_.resize(n > 0 ? static_cast<size_t>(n) : 0);
    if (n <= 0) return n;
  }
  const size_t n = std::min(size, buffer_.size() - used_);
  std::memcpy(to, buffer_.data() + used_, n);
  if (in_head_) head_.append(buffer_, used_, n);
  used_ += n;
  return static_cast<ssize_t>(n);
}

bool ClientSocket::Write(std::string_view data) {
  while (!data.empty()) {
    if (!Ready(fd_, POLLOUT, kWriteMs)) return false;
    const ssize_t n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) continue;
    if (n <= 0) return false;
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void ClientSocket::HeadBegins() {
  head_.clear();
  in_head_ = true;
}

HeaderLines ClientSocket::Headers() const {
  HeaderLines headers;
  std::string_view rest = head_;
  for (bool first = true; !rest.empty(); first = false) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (first || line.empty()) continue;
    if ((line[0] == ' ' || line[0] == '\t') && !headers.empty()) {
      headers.back().second += " ";
      headers.back().second += Trim(line);
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) continue;
    headers.emplace_back(Trim(line.substr(0, colon)), Trim(line.substr(colon + 1)));
  }
  return headers;
}

}  // namespace assay
