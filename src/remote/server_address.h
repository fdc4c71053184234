#pragma once
// A server as people name it on the command line.

#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct ServerAddress {
  std::string url;                        // "http://host:8000": without "/v1" and without a slash behind it
  std::string model;                      // that requests name; empty: the one that the server offers
  std::vector<std::string> more;          // URLs where the same is deployed once more
  std::vector<std::string> urls() const;  // all of them
  std::string host() const;               // "host:8000", of the first
  bool encrypted() const;                 // https
  bool local() const;                     // this machine's loopback
};

/// Whether a MODEL on the command line is a server: http:// or https://.
bool IsServer(std::string_view model);

/// "http://host:8000", "https://host/v1#model-name", "http://a:8000,http://b:8000#model-name". Throws Error{kInvalid}
/// for what is none, and for a URL that holds a user's name or a password, which would be in records.
ServerAddress ParseServerAddress(std::string_view text);
/// Each of its URLs as a server of its own.
std::vector<ServerAddress> EachServer(const ServerAddress& address);

}  // namespace assay
