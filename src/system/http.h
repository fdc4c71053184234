#pragma once
// HTTP(S) GET through libcurl: whole small files and ranges of large ones.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

/// Letters, digits and -._~ as they are, every other byte as %XX: one segment of a URL's path.
std::string UrlSegment(std::string_view text);
/// %XX as the bytes they stand for; other text as it is.
std::string UrlDecoded(std::string_view text);

/// Where an answer of `url` may lead on to, as libcurl lists protocols: from https to nothing that others can read.
const char* RedirectProtocols(std::string_view url);

/// How slow a server may be. Silence and a drip both end in Error{kIo}.
struct HttpPatience {
  double connect_s = 30, silence_s = 60;
  double grace_s = 60;  // after which the mean rate of an answer counts
  double least_bytes_per_s = 4096;
};

/// Part of a resource, and how large the whole is.
struct HttpRange {
  std::string body;
  uint64_t total_bytes = 0;
};

/// One connection, kept open between requests. Not for two threads at once.
class HttpClient {
 public:
  /// `bearer_token` (may be empty) goes to the host of the URL alone, never to where it redirects.
  explicit HttpClient(std::string bearer_token = {}, HttpPatience patience = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// The whole body; more than `limit_bytes` is refused. Throws Error{kNotFound} for 404, {kIo} for what else fails,
  /// naming the URL and the status.
  std::string Get(const std::string& url, uint64_t limit_bytes);
  /// Bytes [offset, offset + n), fewer at the end of the resource. Throws Error{kUnsupported} when the server sends the
  /// whole instead of a range, Error{kCorrupt} when it sends another range than was asked for.
  HttpRange GetRange(const std::string& url, uint64_t offset, uint64_t n);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
