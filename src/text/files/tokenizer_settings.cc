// What a Hugging Face folder says of its tokenizer beside the tokenizer's own file, as transformers reads it
// (tokenization_utils_base.py, _from_pretrained; tokenization_utils_fast.py, __init__; 4.57 and 5.24 agree).

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_set>

#include "base/error.h"
#include "base/python_json.h"
#include "text/files/tokenizer_files.h"

namespace assay {

TokenAdder::TokenAdder(TokenizerSpec& spec, size_t vocabulary, Ids ids)
    : spec_(spec), next_(static_cast<TokenId>(vocabulary)), by_(ids) {
  for (size_t i = 0; i < spec.tokens.size(); ++i)
    if (spec.types[i] != TokenType::kUnused) ids_.emplace(spec.tokens[i], static_cast<TokenId>(i));
  for (size_t i = 0; i < spec.added.size(); ++i) {
    places_[spec.added[i].id] = i;
    next_ = std::max(next_, spec.added[i].id + 1);
  }
}

const AddedToken* TokenAdder::FindAdded(const std::string& content) const {
  auto id = ids_.find(content);
  if (id == ids_.end()) return nullptr;
  auto place = places_.find(id->second);
  return place == places_.end() ? nullptr : &spec_.added[place->second];
}

TokenId TokenAdder::Find(const std::string& content) const {
  auto it = ids_.find(content);
  return it == ids_.end() ? -1 : it->second;
}

void TokenAdder::Add(AddedToken token, const std::string& place) {
  if (token.content.empty()) return;
  const TokenId stated = token.id;
  TokenId id = Find(token.content);
  if (id < 0 && by_ != Ids::kCounted && stated >= 0 && stated < static_cast<TokenId>(spec_.tokens.size())) {
    ids_.erase(spec_.tokens[static_cast<size_t>(stated)]);
    id = stated;
  }
  if (id < 0 && by_ == Ids::kStated && stated >= 0) id = stated;
  const bool fresh = id < 0;
  if (fresh) id = next_;
  if (stated >= 0 && stated != id)
    spec_.remarks.push_back(fmt::format("{} gives {} the id {}; it is {}, {}, as transformers has it", place,
                                        token.content, stated, id,
                                        fresh ? "the next one after the vocabulary" : "that of the vocabulary"));
  token.id = id;
  next_ = std::max(next_, id + 1);
  const auto at = static_cast<size_t>(id);
  while (spec_.tokens.size() <= at) {
    spec_.tokens.push_back("[PAD" + std::to_string(spec_.tokens.size()) + "]");
    spec_.types.push_back(TokenType::kUnused);
    if (!spec_.scores.empty()) spec_.scores.push_back(0.0f);
  }
  spec_.tokens[at] = token.content;
  spec_.types[at] = token.special ? TokenType::kControl : TokenType::kUserDefined;
  ids_[token.content] = id;
  if (auto [known, added] = places_.emplace(id, spec_.added.size()); added) {
    spec_.added.push_back(std::move(token));
  } else {
    spec_.added[known->second] = std::move(token);
  }
}

AddedToken ReadAddedToken(const Node& node) {
  AddedToken token;
  token.content = node.String("content");
  token.special = node.Bool("special", false);
  token.lstrip = node.Bool("lstrip", false);
  token.rstrip = node.Bool("rstrip", false);
  token.single_word = node.Bool("single_word", false);
  token.normalized = node.Bool("normalized", !token.special);
  return token;
}

namespace {

constexpr const char* kNamed[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                  "pad_token", "cls_token", "mask_token"};

/// A special token: its name, or an object with its attributes too.
struct Special {
  AddedToken token;
  bool object = false;
};

Special ReadSpecial(const Node& node, const Json& value, std::string_view key) {
  Special special;
  special.object = value.is_object();
  if (special.object) {
    special.token = ReadAddedToken(Node(value, node.name() + ": " + std::string(key)));
  } else {
    special.token.content = node.AsString(value, key);
  }
  special.token.special = true;
  return special;
}

class Settings {
 public:
  Settings(const Node& config, const Node& added, const Node& special_map)
      : config_(config), added_(added), map_(special_map) {
    // The newer list of added tokens makes the older files of no account.
    legacy_ = config_.Find("added_tokens_decoder") == nullptr;
    for (const char* key : kNamed) {
      const Node& node = legacy_ && map_.Find(key) ? map_ : config_;
      if (const Json* value = node.Find(key)) named_.emplace(key, ReadSpecial(node, *value, key));
    }
    ReadMore(config_);
    if (legacy_) ReadMore(map_);
  }

  void AddTo(TokenAdder& adder) const {
    std::unordered_set<std::string> names;
    for (const auto& [key, special] : named_) names.insert(special.token.content);
    for (const Special& special : more_) names.insert(special.token.content);
    for (auto& [id, listed] : Listed()) {
      AddedToken token = listed;
      const bool named = names.contains(token.content);
      // Of the older list only names are known.
      if (legacy_) token.special = named, token.normalized = !named;
      token.special = token.special || named;
      if (legacy_ && adder.FindAdded(token.content)) {
        AddedToken known = *adder.FindAdded(token.content);
        known.id = token.id;
        token = known;
      }
      adder.Add(std::move(token), legacy_ ? added_.name() : config_.name() + ": added_tokens_decoder");
    }
    for (const char* key : kNamed) {
      auto it = named_.find(key);
      if (it == named_.end()) continue;
      AddedToken token = it->second.token;
      if (const AddedToken* known = adder.FindAdded(token.content)) token = *known, token.special = true;
      adder.Add(std::move(token), config_.name());
    }
    for (const Special& special : more_)
      if (special.object || !adder.FindAdded(special.token.content)) adder.Add(special.token, config_.name());
  }

  /// transformers' special_tokens_map without its list.
  std::vector<NamedToken> Named() const {
    std::vector<NamedToken> out = extra_;
    for (const auto& [key, special] : named_) out.push_back({key, special.token.content});
    return out;
  }

  /// What the folder calls `key`, -1 when it says nothing.
  TokenId Id(const char* key, const TokenAdder& adder) const {
    auto it = named_.find(key);
    return it == named_.end() ? -1 : adder.Find(it->second.token.content);
  }

 private:
  void ReadMore(const Node& node) {
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      const Json* list = node.Find(key);
      if (!list) continue;
      if (!list->is_array() && !list->is_object()) node.Wrong(key, "a list", *list);
      for (const auto& [name, value] : list->items()) {
        more_.push_back(ReadSpecial(node, value, key));
        if (list->is_object()) extra_.push_back({name, more_.back().token.content});
      }
    }
  }

  /// By id.
  std::map<TokenId, AddedToken> Listed() const {
    std::map<TokenId, AddedToken> out;
    if (legacy_) {
      for (const auto& [content, id] : added_.value().items()) {
        AddedToken token;
        token.content = content;
        token.id = added_.AsId(id, content);
        out[token.id] = std::move(token);
      }
      return out;
    }
    Node decoder(config_.Get("added_tokens_decoder"), config_.name() + ": added_tokens_decoder");
    for (const auto& [key, value] : decoder.value().items()) {
      TokenId id = -1;
      auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size() || id < 0 || id >= kMaxFileTokens)
        Fail(ErrorKind::kCorrupt, "{}: \"{}\" is not a token id", decoder.name(), key);
      AddedToken token = ReadAddedToken(Node(value, decoder.name() + "." + key));
      token.id = id;
      out[id] = std::move(token);
    }
    return out;
  }

  const Node &config_, &added_, &map_;
  bool legacy_ = false;
  std::map<std::string, Special> named_;
  std::vector<Special> more_;
  std::vector<NamedToken> extra_;
};

}  // namespace

Json ApplySettings(const TokenizerSettings& texts, TokenizerSpec& spec, TokenAdder& adder, std::string_view where) {
  auto parse = [&](std::string_view text, const std::string& name) {
    return text.empty() ? Json::object() : ParseTokenizerFile(StrictJsonOfPython(text), name);
  };
  const std::string prefix = std::string(where) + ": ";
  const std::string names[] = {prefix + "tokenizer_config.json", prefix + "added_tokens.json",
                               prefix + "special_tokens_map.json"};
  Json files[] = {parse(texts.config, names[0]), parse(texts.added, names[1]), parse(texts.special_map, names[2])};
  const Node config(files[0], names[0]), added(files[1], names[1]), special_map(files[2], names[2]);
  const Settings settings(config, added, special_map);
  settings.AddTo(adder);
  spec.named = settings.Named();
  auto take = [&](const char* key, TokenId& id) {
    if (TokenId named = settings.Id(key, adder); named >= 0) id = named;
  };
  // What the template puts around has the last word about its own ids.
  if (!spec.add_bos) take("bos_token", spec.bos);
  if (!spec.add_eos) take("eos_token", spec.eos);
  take("pad_token", spec.pad);
  if (spec.unk < 0) take("unk_token", spec.unk);
  return std::move(files[0]);
}

void ApplyFlags(const Node& config, TokenizerSpec& spec) {
  if (config.Find("add_bos_token")) spec.add_bos = config.Bool("add_bos_token", false) && spec.bos >= 0;
  if (config.Find("add_eos_token")) spec.add_eos = config.Bool("add_eos_token", false) && spec.eos >= 0;
}

}  // namespace assay
