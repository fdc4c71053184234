#include "serve/upstream.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr int kSliceMs = 200;  // how long `stop` may wait to be asked

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

std::string_view HeaderValue(const HeaderLines& headers, std::string_view name) {
  const std::string lower = ToLowerAscii(name);
  for (const auto& [key, value] : headers)
    if (ToLowerAscii(key) == lower) return value;
  return {};
}

HeaderLines EndToEnd(const HeaderLines& headers) {
  std::vector<std::string> own = {"connection", "keep-alive",        "proxy-connection", "te",
                                  "trailer",    "transfer-encoding", "upgrade",          "content-length"};
  for (const auto& [name, value] : headers)
    if (ToLowerAscii(name) == "connection")
      for (const std::string& named : Split(value, ',')) own.push_back(ToLowerAscii(Trim(named)));
  HeaderLines kept;
  for (const auto& line : headers)
    if (std::find(own.begin(), own.end(), ToLowerAscii(line.first)) == own.end()) kept.push_back(line);
  return kept;
}

struct Upstream::Impl {
  std::function<bool()> stop;
  double connect_s;
  CURLM* multi = nullptr;
  CURL* curl = nullptr;
  std::unique_ptr<curl_slist, FreeList> sent;
  UpstreamRequest request;
  int client = -1, status = 0;
  bool under_way = false, has_head = false, watches = true;
  HeaderLines headers;
  std::string piece, why;
  char message[CURL_ERROR_SIZE] = {};

  static size_t OnBody(char* data, size_t, size_t n, void* self) {
    static_cast<Impl*>(self)->piece.append(data, n);
    return n;
  }

  static size_t OnHeader(char* data, size_t, size_t n, void* self) {
    Impl& impl = *static_cast<Impl*>(self);
    std::string_view line(data, n);
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    if (impl.has_head) return n;  // trailers
    if (line.starts_with("HTTP/")) {
      impl.headers.clear();
      const size_t space = line.find(' ');
      impl.status = space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space + 1)).c_str());
    } else if (line.empty()) {
      impl.has_head = impl.status >= 200;  // what stands before are hints
    } else if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
      impl.headers.emplace_back(line.substr(0, colon), Trim(line.substr(colon + 1)));
    }
    return n;
  }

  void AddHeader(const std::string& line) {
    curl_slist* list = curl_slist_append(sent.get(), line.c_str());
    if (!list) Fail(ErrorKind::kResource, "no memory for the headers of a request");
    (void)sent.release();
    sent.reset(list);
  }

  void Prepare() {
    curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);  // the key is for this server alone
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(curl, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_s * 1000));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
    if (request.method == "HEAD") {
      curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else {
      if (request.has_body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
      }
      curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    sent.reset();
    // libcurl adds what the client did not say, unless it is told not to.
    AddHeader("Expect:");  // nobody waits for "100 Continue"
    for (const char* name : {"Accept", "Content-Type", "User-Agent"})
      if (HeaderValue(request.headers, name).empty()) AddHeader(std::string(name) + ":");
    for (const auto& [name, value] : EndToEnd(request.headers)) {
      const std::string lower = ToLowerAscii(name);
      if (lower == "host" || lower == "expect") continue;
      AddHeader(value.empty() ? name + ";" : name + ": " + value);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, sent.get());
  }

  void End() {
    if (!under_way) return;
    under_way = false;
    curl_multi_remove_handle(multi, curl);
    curl_easy_reset(curl);
  }

  bool ClientIsGone() {
    char byte = 0;
    const ssize_t n = ::recv(client, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0) return true;
    if (n < 0) return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    watches = false;  // it has sent its next request already
    return false;
  }

  /// Until there is something to tell.
  News Wait(bool for_head) {
    if (!under_way) return News::kEnd;
    while (true) {
      int running = 0;
      curl_multi_perform(multi, &running);
      if (for_head && has_head) return News::kHead;
      if (!for_head && !piece.empty()) return News::kPiece;
      int left = 0;
      while (const CURLMsg* message_of = curl_multi_info_read(multi, &left)) {
        if (message_of->msg != CURLMSG_DONE) continue;
        const CURLcode code = message_of->data.result;
        double connected = 0;
        curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME, &connected);
        if (code != CURLE_OK) why = message[0] ? message : curl_easy_strerror(code);
        End();
        if (code != CURLE_OK) return connected > 0 || status > 0 ? News::kCut : News::kUnreachable;
        if (for_head) why = "it sent no response";
        return for_head ? News::kCut : News::kEnd;
      }
      if (stop()) {
        End();
        return News::kStopped;
      }
      curl_waitfd of_client{client, CURL_WAIT_POLLIN, 0};
      curl_multi_poll(multi, watches ? &of_client : nullptr, watches ? 1 : 0, kSliceMs, nullptr);
      if (watches && of_client.revents && ClientIsGone()) {
        End();
        return News::kClientGone;
      }
    }
  }
};

Upstream::Upstream(std::function<bool()> stop, double connect_s) : impl_(std::make_unique<Impl>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  impl_->stop = std::move(stop);
  impl_->connect_s = connect_s;
  impl_->multi = curl_multi_init();
  impl_->curl = curl_easy_init();
  if (!impl_->multi || !impl_->curl) Fail(ErrorKind::kResource, "libcurl could not be initialized");
}

Upstream::~Upstream() {
  impl_->End();
  curl_easy_cleanup(impl_->curl);
  curl_multi_cleanup(impl_->multi);
}

Upstream::News Upstream::Begin(UpstreamRequest request, int client) {
  Impl& impl = *impl_;
  impl.End();
  impl.request = std::move(request);
  impl.client = client;
  impl.status = 0;
  impl.has_head = false;
  impl.watches = true;
  impl.headers.clear();
  impl.piece.clear();
  impl.why.clear();
  impl.message[0] = '\0';
  impl.Prepare();
  curl_multi_add_handle(impl.multi, impl.curl);
  impl.under_way = true;
  return impl.Wait(true);
}

Upstream::News Upstream::Next(std::string& piece) {
  piece.clear();
  const News news = impl_->piece.empty() ? impl_->Wait(false) : News::kPiece;
  if (!impl_->piece.empty()) {  // what came before an end, too
    piece.swap(impl_->piece);
    return News::kPiece;
  }
  return news;
}

void Upstream::Drop() {
  impl_->End();
}

int Upstream::status() const {
  return impl_->status;
}

const HeaderLines& Upstream::headers() const {
  return impl_->headers;
}

const std::string& Upstream::why() const {
  return impl_->why;
}

}  // namespace assay
