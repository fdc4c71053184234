#include "system/http.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <charconv>
#include <mutex>

#include "base/error.h"
#include "base/strings.h"

namespace assay {

struct HttpClient::Impl {
  CURL* curl = nullptr;
  std::string token, body, content_range;
  uint64_t limit = 0;
  bool too_long = false;

  static size_t OnBody(char* data, size_t, size_t n, void* self) {
    auto& impl = *static_cast<Impl*>(self);
    if (impl.body.size() + n > impl.limit) {
      impl.too_long = true;
      return 0;
    }
    impl.body.append(data, n);
    return n;
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
    too_long = false;
    curl_easy_reset(curl);
    char message[CURL_ERROR_SIZE] = {};
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 8L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
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
    if (code != CURLE_OK && !too_long)
      Fail(ErrorKind::kIo, "{}: {}", url, message[0] ? message : curl_easy_strerror(code));
    if (status == 404) Fail(ErrorKind::kNotFound, "{}: not found (HTTP 404)", url);
    if (status == 401 || status == 403)
      Fail(ErrorKind::kIo, "{}: access denied (HTTP {}); a gated model needs HF_TOKEN", url, status);
    if (status >= 400) Fail(ErrorKind::kIo, "{}: HTTP {}", url, status);
    return status;
  }
};

HttpClient::HttpClient(std::string bearer_token) : impl_(std::make_unique<Impl>()) {
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
    // bytes 0-99/1234
    const std::string& text = impl_->content_range;
    const size_t slash = text.rfind('/');
    const char* end = text.data() + text.size();
    if (slash == std::string::npos || std::from_chars(text.data() + slash + 1, end, range.total_bytes).ptr != end)
      Fail(ErrorKind::kUnsupported, "{}: the server does not say how large the file is (Content-Range: {})", url, text);
  } else if (offset == 0) {
    range.total_bytes = impl_->body.size();  // the whole file was shorter than the range
  } else {
    Fail(ErrorKind::kUnsupported, "{}: the server ignores range requests (HTTP {})", url, status);
  }
  range.body = std::move(impl_->body);
  return range;
}

}  // namespace assay
