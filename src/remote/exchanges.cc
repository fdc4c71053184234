#include "remote/exchanges.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <list>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr double kLongestAsked = 86'400;  // a Retry-After of more is as good as for ever

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

std::optional<double> RetryAfterSeconds(std::string_view value, int64_t now) {
  value = Trim(value);
  if (value.empty()) return std::nullopt;
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size()) {
    if (!(seconds >= 0)) return std::nullopt;
    return std::min(seconds, kLongestAsked);
  }
  const time_t at = curl_getdate(std::string(value).c_str(), nullptr);
  if (at == -1) return std::nullopt;
  return std::clamp(static_cast<double>(at - now), 0.0, kLongestAsked);
}

struct Exchanges::Impl {
  /// One exchange. Its address is what libcurl calls back with.
  struct Flight {
    CURL* curl = nullptr;
    std::list<Flight>::iterator place;
    Exchange exchange;
    std::function<void(Response&&)> done;
    Response response;
    double started = 0, heard = 0;
    uint64_t received = 0;
    bool too_long = false, began = false;
    char message[CURL_ERROR_SIZE] = {};
  };

  std::string key;
  Patience patience;
  CURLM* multi = nullptr;
  std::unique_ptr<curl_slist, FreeList> headers;
  std::list<Flight> flights;
  std::vector<CURL*> idle;  // handles to use again

  static size_t OnBody(char* data, size_t, size_t n, void* self) {
    Flight& flight = *static_cast<Flight*>(self);
    flight.heard = Now();
    flight.began = true;
    flight.received += n;
    if (flight.received > flight.exchange.limit_bytes) {
      flight.too_long = true;
      return 0;
    }
    long status = 0;
    curl_easy_getinfo(flight.curl, CURLINFO_RESPONSE_CODE, &status);
    if (flight.exchange.take && status / 100 == 2)
      flight.exchange.take(std::string_view(data, n));
    else
      flight.response.body.append(data, n);
    return n;
  }

  static size_t OnHeader(char* data, size_t, size_t n, void* self) {
    Flight& flight = *static_cast<Flight*>(self);
    flight.heard = Now();
    const std::string_view line(data, n);
    constexpr std::string_view kName = "retry-after:";
    if (line.size() > kName.size() && ToLowerAscii(line.substr(0, kName.size())) == kName)
      flight.response.retry_after_s = RetryAfterSeconds(line.substr(kName.size()), std::time(nullptr));
    return n;
  }

  void Prepare(Flight& flight) {
    flight.curl = idle.empty() ? curl_easy_init() : idle.back();
    if (!idle.empty()) idle.pop_back();
    if (!flight.curl) Fail(ErrorKind::kResource, "libcurl could not be initialized");
    CURL* curl = flight.curl;
    curl_easy_setopt(curl, CURLOPT_URL, flight.exchange.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PRIVATE, &flight);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, flight.message);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);  // the key is for this server alone
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(patience.connect_s * 1000));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "assay");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &flight);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &flight);
    if (!flight.exchange.body.empty()) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(flight.exchange.body.size()));
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, flight.exchange.body.data());
    }
    if (!key.empty()) {
      curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
      curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, key.c_str());
    }
  }

  void Release(Flight& flight) {
    curl_multi_remove_handle(multi, flight.curl);
    curl_easy_reset(flight.curl);
    idle.push_back(std::exchange(flight.curl, nullptr));
  }

  /// Takes the flight off the list before its `done` runs, which may start others.
  void Land(Flight& flight, Response::End end, std::string why) {
    Response response = std::move(flight.response);
    response.end = end;
    response.why = std::move(why);
    response.seconds = Now() - flight.started;
    auto done = std::move(flight.done);
    Release(flight);
    flights.erase(flight.place);
    done(std::move(response));
  }

  void Finished(Flight& flight, CURLcode code) {
    long status = 0;
    double connected = 0;
    curl_easy_getinfo(flight.curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(flight.curl, CURLINFO_PRETRANSFER_TIME, &connected);
    flight.response.status = status;
    if (flight.too_long) {
      Land(flight, Response::End::kTooLong,
           fmt::format("the response is longer than {}", FormatBytes(flight.exchange.limit_bytes)));
      return;
    }
    if (code == CURLE_OK) {
      Land(flight, Response::End::kWhole, {});
      return;
    }
    const std::string why = flight.message[0] ? flight.message : curl_easy_strerror(code);
    // Before a request could be sent nothing was asked.
    Land(flight, connected > 0 || status > 0 ? Response::End::kCut : Response::End::kUnreachable, why);
  }

  void EndSilent() {
    const double now = Now();
    for (auto it = flights.begin(); it != flights.end();) {
      Flight& flight = *it++;
      const double most = flight.began ? patience.silence_s : patience.first_byte_s + patience.connect_s;
      if (now - flight.heard <= most) continue;
      Land(flight, Response::End::kStalled,
           fmt::format("the server sent nothing for {:.0f} s{}", now - flight.heard,
                       flight.began ? " in the middle of its answer" : ""));
      return;  // `done` may have changed the list
    }
  }
};

Exchanges::Exchanges(std::string key, const Patience& patience, int most_connections)
    : impl_(std::make_unique<Impl>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  impl_->key = std::move(key);
  impl_->patience = patience;
  impl_->multi = curl_multi_init();
  // Expect: nobody waits for "100 Continue".
  for (const char* line : {"Content-Type: application/json", "Accept: application/json, text/event-stream", "Expect:"})
    impl_->headers.reset(curl_slist_append(impl_->headers.release(), line));
  if (!impl_->multi || !impl_->headers) Fail(ErrorKind::kResource, "libcurl could not be initialized");
  curl_multi_setopt(impl_->multi, CURLMOPT_MAXCONNECTS, static_cast<long>(most_connections));
  curl_multi_setopt(impl_->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(most_connections));
}

Exchanges::~Exchanges() {
  Cancel();
  for (CURL* curl : impl_->idle) curl_easy_cleanup(curl);
  curl_multi_cleanup(impl_->multi);
}

void Exchanges::Start(Exchange exchange, std::function<void(Response&&)> done) {
  Impl::Flight& flight = impl_->flights.emplace_back();
  flight.place = std::prev(impl_->flights.end());
  flight.exchange = std::move(exchange);
  flight.done = std::move(done);
  flight.started = flight.heard = Now();
  impl_->Prepare(flight);
  curl_multi_add_handle(impl_->multi, flight.curl);
}

size_t Exchanges::in_flight() const {
  return impl_->flights.size();
}

void Exchanges::Work(double wait_s) {
  int running = 0;
  curl_multi_perform(impl_->multi, &running);
  if (running > 0 || impl_->flights.empty())
    curl_multi_poll(impl_->multi, nullptr, 0, static_cast<int>(std::max(0.0, wait_s) * 1000), nullptr);
  curl_multi_perform(impl_->multi, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(impl_->multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    void* flight = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &flight);
    impl_->Finished(*static_cast<Impl::Flight*>(flight), code);
  }
  impl_->EndSilent();
}

void Exchanges::Cancel() {
  for (Impl::Flight& flight : impl_->flights) impl_->Release(flight);
  impl_->flights.clear();
}

}  // namespace assay
