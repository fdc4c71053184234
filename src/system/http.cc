#include "system/http.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/strings.h"
#include "system/machine.h"

namespace assay {
namespace {

struct ContentRange {
  uint64_t first = 0, last = 0, total = 0;
};

/// "bytes 0-99/1234" (RFC 9110, 14.4).
std::optional<ContentRange> ParseContentRange(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  ContentRange range;
  const char *at = text.data() + 6, *end = text.data() + text.size();
  auto number = [&](uint64_t* value, char follows) {
    auto [next, error] = std::from_chars(at, end, *value);
    if (error != std::errc() || (follows ? next == end || *next != follows : next != end)) return false;
    at = next + 1;
    return true;
  };
  if (!number(&range.first, '-') || !number(&range.last, '/') || !number(&range.total, '\0')) return std::nullopt;
  if (range.first > range.last || range.last >= range.total) return std::nullopt;
  return range;
}

}  // namespace

std::string UrlSegment(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string UrlDecoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

const char* RedirectProtocols(std::string_view url) {
  return ToLowerAscii(url).starts_with("https:") ? "https" : "http,https";
}

struct HttpClient::Impl {
  CURL* curl = nullptr;
  std::string token, body, content_range;
  uint64_t limit = 0;
  bool too_long = false, too_slow = false;
  HttpPatience patience;
  double started = 0, heard = 0;
  curl_off_t received = 0;

  static size_t OnBody(char* data, size_t, size_t n, void* self) {
    auto& impl = *static_cast<Impl*>(self);
    if (impl.body.size() + n > impl.limit) {
      impl.too_long = true;
      return 0;
    }
    impl.body.append(data, n);
    return n;
  }

  /// Called about once a second, also when nothing comes.
  static int OnProgress(void* self, curl_off_t, curl_off_t now, curl_off_t, curl_off_t) {
    auto& impl = *static_cast<Impl*>(self);
    const double t = Now();
    if (now != impl.received) impl.heard = t;
    impl.received = now;
    const double counted = t - impl.started - impl.patience.grace_s;
    impl.too_slow = t - impl.heard > impl.patience.silence_s ||
                    (counted > 0 && static_cast<double>(now) < counted * impl.patience.least_bytes_per_s);
    return impl.too_slow ? 1 : 0;
  }

  static size_t OnHeader(char* data, size_t, size_t n, void* self) {
    auto& impl = *static_cast<Impl*>(self);
    const std::string line(Trim(std::string_view(data, n)));
    if (line.starts_with("HTTP/")) impl.content_range.clear();  // of a redirect
    if (ToLowerAscii(line).starts_with("content-range:")) impl.content_range = Trim(std::string_view(line).substr(14));
    return n;
  }

  /// The status of the last answer.
  long Perform(const std::string& url, const std::string& range, uint64_t limit_bytes) {
    body.clear();
    content_range.clear();
    limit = limit_bytes;
    too_long = too_slow = false;
    started = heard = Now();
    received = 0;
    curl_easy_reset(curl);
    char message[CURL_ERROR_SIZE] = {};
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 8L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, RedirectProtocols(url));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(patience.connect_s * 1000));
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "assay");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
    if (!range.empty()) curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
    if (!token.empty()) {
      curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
      curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, token.c_str());
    }
    const CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (too_long && status < 400)
      Fail(range.empty() ? ErrorKind::kResource : ErrorKind::kUnsupported, "{}: {}", url,
           range.empty() ? fmt::format("more than {}", FormatBytes(limit))
                         : "the server ignores range requests and sends the whole file");
    if (too_slow)
      Fail(ErrorKind::kIo, "{}: the server is too slow: {} in {:.0f} s", url,
           FormatBytes(static_cast<uint64_t>(received)), Now() - started);
    if (code != CURLE_OK && !too_long)
      Fail(ErrorKind::kIo, "{}: {}", url, message[0] ? message : curl_easy_strerror(code));
    if (status == 404) Fail(ErrorKind::kNotFound, "{}: not found (HTTP 404)", url);
    if (status == 401 || status == 403)
      Fail(ErrorKind::kIo, "{}: access denied (HTTP {}); a gated model needs HF_TOKEN", url, status);
    if (status >= 400) Fail(ErrorKind::kIo, "{}: HTTP {}", url, status);
    return status;
  }
};

HttpClient::HttpClient(std::string bearer_token, HttpPatience patience) : impl_(std::make_unique<Impl>()) {
  impl_->patience = patience;
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  impl_->curl = curl_easy_init();
  if (!impl_->curl) Fail(ErrorKind::kResource, "libcurl could not be initialized");
  impl_->token = std::move(bearer_token);
}

HttpClient::~HttpClient() {
  curl_easy_cleanup(impl_->curl);
}

std::string HttpClient::Get(const std::string& url, uint64_t limit_bytes) {
  impl_->Perform(url, "", limit_bytes);
  return std::move(impl_->body);
}

HttpRange HttpClient::GetRange(const std::string& url, uint64_t offset, uint64_t n) {
  ASSAY_CHECK(n > 0);
  const long status = impl_->Perform(url, fmt::format("{}-{}", offset, offset + n - 1), n);
  HttpRange range;
  if (status == 206) {
    const std::string& text = impl_->content_range;
    const std::optional<ContentRange> sent = ParseContentRange(text);
    if (!sent)
      Fail(ErrorKind::kUnsupported, "{}: the server does not say how large the file is (Content-Range: {})", url, text);
    const uint64_t expected = std::min(n, sent->total > offset ? sent->total - offset : 0);
    if (sent->first != offset || sent->last - sent->first + 1 != impl_->body.size() || impl_->body.size() != expected)
      Fail(ErrorKind::kCorrupt, "{}: asked for {} bytes from {} on, the server sent {} bytes as Content-Range: {}", url,
           expected, offset, impl_->body.size(), text);
    range.total_bytes = sent->total;
  } else if (offset == 0) {
    range.total_bytes = impl_->body.size();  // the whole file was shorter than the range
  } else {
    Fail(ErrorKind::kUnsupported, "{}: the server ignores range requests (HTTP {})", url, status);
  }
  range.body = std::move(impl_->body);
  return range;
}

}  // namespace assay
