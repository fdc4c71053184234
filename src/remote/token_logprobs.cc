#include "remote/token_logprobs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json_member.h"

namespace assay {
namespace {

/// A token's bytes; its text where they are not told, which is not the same for a piece of a character.
std::optional<TokenLogprob> ReadToken(const Json& json) {
  const Json* logprob = FindMember(json, "logprob");
  const Json* text = FindMember(json, "token");
  const Json* bytes = FindMember(json, "bytes");
  if (!logprob || !logprob->is_number() || !text || !text->is_string()) return std::nullopt;
  TokenLogprob token;
  token.logprob = logprob->get<float>();
  token.text = text->get<std::string>();
  if (bytes && bytes->is_array() && !bytes->empty()) {
    token.text.clear();
    for (const Json& byte : *bytes) {
      if (!byte.is_number_unsigned() || byte.get<uint64_t>() > 255) return std::nullopt;
      token.text += static_cast<char>(static_cast<unsigned char>(byte.get<uint64_t>()));
    }
  }
  return token;
}

std::optional<std::vector<TokenLogprob>> ReadStep(const Json& json) {
  std::vector<TokenLogprob> step;
  const Json* top = FindMember(json, "top_logprobs");
  if (top && !top->is_array()) return std::nullopt;
  if (top)
    for (const Json& one : *top) {
      std::optional<TokenLogprob> token = ReadToken(one);
      if (!token) return std::nullopt;
      step.push_back(std::move(*token));
    }
  if (step.empty()) {
    std::optional<TokenLogprob> token = ReadToken(json);
    if (!token) return std::nullopt;
    step.push_back(std::move(*token));
  }
  return step;
}

std::optional<std::vector<TokenLogprob>> ReadMap(const Json& json) {
  if (!json.is_object() || json.empty()) return std::nullopt;
  std::vector<TokenLogprob> step;
  for (const auto& [text, logprob] : json.items()) {
    if (!logprob.is_number()) return std::nullopt;
    step.push_back({-1, text, logprob.get<float>()});
  }
  return step;
}

}  // namespace

bool TakeTokenLogprobs(const Json& logprobs, std::vector<std::vector<TokenLogprob>>& steps) {
  const Json* content = FindMember(logprobs, "content");
  const Json* list = content ? content : FindMember(logprobs, "top_logprobs");
  if (!list || !list->is_array()) return false;
  std::vector<std::vector<TokenLogprob>> read;
  for (const Json& one : *list) {
    std::optional<std::vector<TokenLogprob>> step = content ? ReadStep(one) : ReadMap(one);
    if (!step) return false;
    std::stable_sort(step->begin(), step->end(),
                     [](const TokenLogprob& a, const TokenLogprob& b) { return a.logprob > b.logprob; });
    read.push_back(std::move(*step));
  }
  steps.insert(steps.end(), std::make_move_iterator(read.begin()), std::make_move_iterator(read.end()));
  return true;
}

}  // namespace assay
