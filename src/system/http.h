#pragma once
// HTTP(S) GET through libcurl: whole small files and ranges of large ones.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

/// Part of a resource, and how large the whole is.
struct HttpRange {
  std::string body;
  uint64_t total_bytes = 0;
};

/// One connection, kept open between requests. Not for two threads at once.
class HttpClient {
 public:
  /// `bearer_token` (may be empty) goes to the host of the URL alone, never to where it redirects.
  explicit HttpClient(std::string bearer_token = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// The whole body; more than `limit_bytes` is refused. Throws Error{kNotFound} for 404, {kIo} for what else fails,
  /// naming the URL and the status.
  std::string Get(const std::string& url, uint64_t limit_bytes);
  /// Bytes [offset, offset + n), fewer at the end of the resource. Throws Error{kUnsupported} when the server sends the
  /// whole instead of a range.
  HttpRange GetRange(const std::string& url, uint64_t offset, uint64_t n);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
