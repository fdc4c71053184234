#pragma once
// What the readers of tokenizer files share: JSON by members, with messages that name the place.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

namespace assay {

// A vocabulary is an object of some 10^5 members; the ordered JSON of base/ looks keys up one by one.
using Dom = nlohmann::json;

inline constexpr int64_t kMaxFileTokens = 4'000'000;

/// Throws Error{kCorrupt} for what is not JSON, too long or nested too deep.
Dom ParseTokenizerFile(std::string_view text, std::string_view where);

/// One object of a file with the name it goes by in messages. Members of another type are Error{kCorrupt}.
class Node {
 public:
  Node(const Dom& value, std::string name) : value_(value), name_(std::move(name)) {
    if (!value.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", name_, value.type_name());
  }
  const std::string& name() const { return name_; }
  // Null when absent or null.
  const Dom* Find(const char* key) const {
    auto it = value_.find(key);
    return it == value_.end() || it->is_null() ? nullptr : &*it;
  }
  const Dom& Get(const char* key) const {
    const Dom* found = Find(key);
    if (!found) Fail(ErrorKind::kCorrupt, "{}: \"{}\" is missing", name_, key);
    return *found;
  }
  std::string String(const char* key) const { return AsString(Get(key), key); }
  std::string String(const char* key, std::string_view fallback) const {
    const Dom* found = Find(key);
    return found ? AsString(*found, key) : std::string(fallback);
  }
  bool Bool(const char* key, bool fallback) const {
    const Dom* found = Find(key);
    if (!found) return fallback;
    if (!found->is_boolean()) Wrong(key, "true or false", *found);
    return found->get<bool>();
  }
  const Dom& Array(const char* key) const {
    const Dom& found = Get(key);
    if (!found.is_array()) Wrong(key, "an array", found);
    return found;
  }
  TokenId Id(const char* key) const { return AsId(Get(key), key); }
  TokenId AsId(const Dom& value, std::string_view key) const {
    if (!value.is_number_integer()) Wrong(key, "an integer", value);
    int64_t id = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX ? -1 : value.get<int64_t>();
    if (id < 0 || id >= kMaxFileTokens)
      Fail(ErrorKind::kCorrupt, "{}: \"{}\": expected a token id, found {}", name_, key, value.dump());
    return static_cast<TokenId>(id);
  }
  std::string AsString(const Dom& value, std::string_view key) const {
    if (!value.is_string()) Wrong(key, "a string", value);
    return value.get<std::string>();
  }
  [[noreturn]] void Wrong(std::string_view key, std::string_view expected, const Dom& found) const {
    Fail(ErrorKind::kCorrupt, "{}: \"{}\": expected {}, found {}", name_, key, expected, found.type_name());
  }

 private:
  const Dom& value_;
  std::string name_;
};

/// Throws Error{kCorrupt} for a character outside the alphabet.
std::string DecodeBase64(std::string_view text, const std::string& where);

/// The names of BOS, EOS, … and add_bos_token of a tokenizer_config.json, onto a spec whose tokens are complete.
void ReadTokenizerConfig(std::string_view text, TokenizerSpec& spec, std::string_view where);

}  // namespace assay
