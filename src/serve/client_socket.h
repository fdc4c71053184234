#pragma once
// A client's connection: bytes in and out with time-outs, and a copy of the headers of its request as they were
// written.

#include <sys/types.h>

#include <atomic>
#include <string>
#include <string_view>

#include "serve/upstream.h"

namespace assay {

class ClientSocket {
 public:
  /// Closes `fd` at its end.
  explicit ClientSocket(int fd);
  ~ClientSocket();
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;

  int fd() const { return fd_; }
  /// Waits for a request: false when none comes for `idle_s`, the other end closes, or `stop` is set.
  bool WaitForRequest(double idle_s, const std::atomic<bool>& stop);
  /// 0: the other end closed; -1: an error, or nothing came for too long.
  ssize_t Read(char* to, size_t size);
  /// All of it; false when the other end is gone, or takes nothing for too long.
  bool Write(std::string_view data);

  /// From here on what is read is a request's head, until HeadEnds.
  void HeadBegins();
  void HeadEnds() { in_head_ = false; }
  /// Of the head, the request line left out. Folded lines are joined.
  HeaderLines Headers() const;

 private:
  int fd_;
  std::string buffer_;
  size_t used_ = 0;  // of the buffer
  bool in_head_ = false;
  std::string head_;
};

}  // namespace assay
