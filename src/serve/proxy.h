#pragma once
// A proxy in front of a server that writes down what is asked and answered. It changes nothing that a client can see:
// every path and method, headers, status and body pass, streams piece by piece as they come (docs/capture.md).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "serve/recorder.h"

namespace assay {

struct ProxyOptions {
  std::string server;              // "http://host:8000": what is asked of the proxy is asked there, path and all
  std::string host = "127.0.0.1";  // where it listens
  int port = 0;                    // 0: one that is free
  int most_clients = 1024;         // connections at once; more wait
  double connect_s = 20;           // to the server
  double idle_s = 75;              // a client's connection is kept without a request
  double grace_s = 10;             // what is under way may take after `stop`
  uint64_t most_request_bytes = uint64_t{256} << 20;
};

class Proxy {
 public:
  /// `tell` gets what goes wrong, for people; from any thread.
  Proxy(const ProxyOptions& options, Recorder& recorder, std::function<void(std::string_view)> tell);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  /// Listens, and returns the port. Throws Error{kIo}.
  int Listen();
  /// Serves until `stop` says so, which is asked often; then ends what is under way in order, and returns. `exchanged`:
  /// after each exchange, from any thread.
  void Serve(const std::function<bool()>& stop, const std::function<void()>& exchanged);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
