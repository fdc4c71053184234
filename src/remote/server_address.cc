#include "remote/server_address.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "system/http.h"

namespace assay {

bool IsServer(std::string_view model) {
  const std::string lower = ToLowerAscii(model.substr(0, 8));
  return lower.starts_with("http://") || lower.starts_with("https://");
}

std::vector<std::string> ServerAddress::urls() const {
  std::vector<std::string> all = {url};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string ServerAddress::host() const {
  const size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

bool ServerAddress::encrypted() const {
  return ToLowerAscii(url.substr(0, 6)) == "https:";
}

bool ServerAddress::local() const {
  std::string name = host();
  if (!name.ends_with(']')) name = name.substr(0, name.rfind(':'));
  return name == "localhost" || name == "[::1]" ||
         (name.starts_with("127.") && name.find_first_not_of("0123456789.") == std::string::npos);
}

namespace {

/// What libcurl would only refuse after six tries.
void CheckHost(const std::string& host, std::string_view url) {
  const auto refuse = [&](std::string_view what) {
    Fail(ErrorKind::kInvalid, "{}: expected a server such as http://host:8000, found {}", url, what);
  };
  for (char c : host)
    if (c <= ' ' || c == '\x7f') refuse("a space or a control character in its name");
  const size_t end = host.starts_with('[') ? host.find(']') : 0;
  if (end == std::string::npos) refuse("[ without ]");
  const size_t colon = host.find(':', end);
  if (colon == std::string::npos) return;
  const std::string port = host.substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoi(port) < 1 || std::stoi(port) > 65535)
    refuse(fmt::format("\"{}\" where the port stands, 1 to 65535", port));
}

std::string PlainUrl(std::string_view url) {
  url = Trim(url);
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with("/v1")) url.remove_suffix(3);
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url);
}

}  // namespace

ServerAddress ParseServerAddress(std::string_view text) {
  ServerAddress address;
  const size_t hash = text.find('#');
  std::string_view url = text.substr(0, hash);
  if (hash != std::string_view::npos) address.model = UrlDecoded(text.substr(hash + 1));
  // What stands before an @ may be a password: it is not repeated.
  if (url.find('@') != std::string_view::npos)
    Fail(ErrorKind::kInvalid,
         "the server's URL holds a user's name or a password (@): give the key in ASSAY_API_KEY or --api-key-file");
  if (url.find('?') != std::string_view::npos)
    Fail(ErrorKind::kInvalid, "{}: expected a server such as http://host:8000, found a query (?)",
         url.substr(0, url.find('?')));
  for (const std::string& one : Split(url, ',')) {
    ServerAddress single;
    single.url = PlainUrl(one);
    if (!IsServer(single.url) || single.host().empty())
      Fail(ErrorKind::kInvalid,
           "{}: expected a server such as http://host:8000 or http://host:8000#model-name, found \"{}\"", text, one);
    CheckHost(single.host(), single.url);
    if (address.url.empty())
      address.url = single.url;
    else if (single.url == address.url ||
             std::find(address.more.begin(), address.more.end(), single.url) != address.more.end())
      Fail(ErrorKind::kInvalid, "{}: names {} twice", text, single.url);
    else
      address.more.push_back(single.url);
  }
  if (hash != std::string_view::npos && address.model.empty())
    Fail(ErrorKind::kInvalid, "{}: expected the name of a model behind #", text);
  return address;
}

std::vector<ServerAddress> EachServer(const ServerAddress& address) {
  std::vector<ServerAddress> all = {{address.url, address.model, {}}};
  for (const std::string& url : address.more) all.push_back({url, address.model, {}});
  return all;
}

}  // namespace assay
