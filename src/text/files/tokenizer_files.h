#pragma once
// What the readers of tokenizer files share: JSON by members, with messages that name the place.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

namespace assay {

inline constexpr int64_t kMaxFileTokens = 4'000'000;

/// Throws Error{kCorrupt} for what is not JSON, too long or nested too deep. Large objects are to be walked, not looked
/// up in: their members are found one by one.
Json ParseTokenizerFile(std::string_view text, std::string_view where);

/// One object of a file with the name it goes by in messages. Members of another type are Error{kCorrupt}.
class Node {
 public:
  Node(const Json& value, std::string name) : value_(value), name_(std::move(name)) {
    if (!value.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", name_, value.type_name());
  }
  const std::string& name() const { return name_; }
  const Json& value() const { return value_; }
  // Null when absent or null.
  const Json* Find(const char* key) const {
    auto it = value_.find(key);
    return it == value_.end() || it->is_null() ? nullptr : &*it;
  }
  const Json& Get(const char* key) const {
    const Json* found = Find(key);
    if (!found) Fail(ErrorKind::kCorrupt, "{}: \"{}\" is missing", name_, key);
    return *found;
  }
  std::string String(const char* key) const { return AsString(Get(key), key); }
  std::string String(const char* key, std::string_view fallback) const {
    const Json* found = Find(key);
    return found ? AsString(*found, key) : std::string(fallback);
  }
  bool Bool(const char* key, bool fallback) const {
    const Json* found = Find(key);
    if (!found) return fallback;
    if (!found->is_boolean()) Wrong(key, "true or false", *found);
    return found->get<bool>();
  }
  const Json& Array(const char* key) const {
    const Json& found = Get(key);
    if (!found.is_array()) Wrong(key, "an array", found);
    return found;
  }
  TokenId Id(const char* key) const { return AsId(Get(key), key); }
  TokenId AsId(const Json& value, std::string_view key) const {
    if (!value.is_number_integer()) Wrong(key, "an integer", value);
    int64_t id = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX ? -1 : value.get<int64_t>();
    if (id < 0 || id >= kMaxFileTokens)
      Fail(ErrorKind::kCorrupt, "{}: \"{}\": expected a token id, found {}", name_, key, value.dump());
    return static_cast<TokenId>(id);
  }
  std::string AsString(const Json& value, std::string_view key) const {
    if (!value.is_string()) Wrong(key, "a string", value);
    return value.get<std::string>();
  }
  [[noreturn]] void Wrong(std::string_view key, std::string_view expected, const Json& found) const {
    Fail(ErrorKind::kCorrupt, "{}: \"{}\": expected {}, found {}", name_, key, expected, found.type_name());
  }

 private:
  const Json& value_;
  std::string name_;
};

/// Throws Error{kCorrupt} for a character outside the alphabet.
std::string DecodeBase64(std::string_view text, const std::string& where);

/// Adds tokens to a spec as Hugging Face `tokenizers` does: one that is known keeps its id and takes the new
/// attributes, a new one gets the next id. Linear in the number of tokens.
class TokenAdder {
 public:
  /// Whether an id that the file states is the token's: only if counting comes to the same; also when it is one of the
  /// vocabulary, which gets another name (SentencePiece models keep places free); or always (tiktoken).
  enum class Ids { kCounted, kRenaming, kStated };
  /// `vocabulary`: tokens of the model itself, behind which new ids begin. `spec` outlives this; its types are set.
  TokenAdder(TokenizerSpec& spec, size_t vocabulary, Ids ids);
  /// `token.id` is what the file states, -1 when it does not; another id than the one the token gets becomes a remark.
  void Add(AddedToken token, const std::string& place);
  /// -1 when there is none.
  TokenId Find(const std::string& content) const;
  /// Null when it is not among the added ones.
  const AddedToken* FindAdded(const std::string& content) const;

 private:
  TokenizerSpec& spec_;
  TokenId next_;
  Ids by_;
  std::unordered_map<std::string, TokenId> ids_;
  std::unordered_map<TokenId, size_t> places_;  // in spec.added
};

/// Normalizer, pre-tokenizer and added tokens of a spec whose lists, types, flags and `pre` are set: those of the GGUF
/// that states the same, without what llama.cpp derives from names.
void CompleteSpec(TokenizerSpec& spec, std::string_view where);

/// SentencePiece's normalizer, from the spec's flags; the last step turns spaces into marks.
std::vector<NormalizerStep> SentencePieceNormalizer(const TokenizerSpec& spec);

/// content and attributes; the id is left to the caller.
AddedToken ReadAddedToken(const Node& node);

/// What the files beside a tokenizer add to it, as transformers reads them: added tokens and their attributes, special
/// tokens by name, the ids of BOS, EOS, … Returns tokenizer_config.json.
Json ApplySettings(const TokenizerSettings& texts, TokenizerSpec& spec, TokenAdder& adder, std::string_view where);

/// tokenizer_config.json's add_bos_token and add_eos_token.
void ApplyFlags(const Node& config, TokenizerSpec& spec);

}  // namespace assay
