#include "remote/native/prompt_logprobs.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "base/json_member.h"
#include "dialect/answer_text.h"

namespace assay {
namespace {

constexpr uint64_t kBytesOfEntry = 512;  // of one token in a list: the longest tokens are a line of blanks
constexpr std::string_view kIdMark = "token_id:";

std::optional<int32_t> IdOf(std::string_view digits) {
  int32_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc() || end != digits.data() + digits.size() || id < 0) return std::nullopt;
  return id;
}

void BestFirst(std::vector<TokenLogprob>& step) {
  std::sort(step.begin(), step.end(), [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  });
}

/// {"4321": {"logprob": -0.1, "rank": 1, "decoded_token": " is"}, …}; empty for anything else.
std::vector<TokenLogprob> ReadStep(const Json& json) {
  std::vector<TokenLogprob> step;
  if (!json.is_object()) return {};
  for (const auto& [name, entry] : json.items()) {
    const std::optional<int32_t> id = IdOf(name);
    const Json* logprob = FindMember(entry, "logprob");
    if (!id || !logprob || !logprob->is_number()) return {};
    step.push_back({*id, "", logprob->get<float>()});
  }
  BestFirst(step);
  return step;
}

/// A list whose tokens are named "token_id:4321"; empty for anything else.
std::vector<TokenLogprob> WithIds(std::vector<TokenLogprob> step) {
  for (TokenLogprob& token : step) {
    const std::string_view name = token.text;
    const std::optional<int32_t> id =
        name.starts_with(kIdMark) ? IdOf(name.substr(kIdMark.size())) : std::optional<int32_t>();
    if (!id) return {};
    token = {*id, "", token.logprob};
  }
  BestFirst(step);
  return step;
}

}  // namespace

bool TellsPromptLogprobs(ServerKind kind) {
  return kind == ServerKind::kVllm || kind == ServerKind::kSglang;
}

CompletionRequest ForcedRequest(const ServerFacts& facts, const ForcedText& text, int64_t top) {
  CompletionRequest ask;
  ask.path = "/v1/completions";
  ask.max_tokens = 1;
  ask.answers_as = facts.answers_as;
  // At temperature 1 with nothing cut off: what is told "processed" is the model's own, too.
  Sampling plain;
  plain.temperature = 1;
  plain.max_tokens = 1;
  ask.body = {{"model", facts.model}, {"prompt", text.ids}, {"stream", false}};
  ask.body.update(SamplingWords(facts.kind, plain, facts.context));
  ask.body["logprobs"] = ask.body["prompt_logprobs"] = top;
  ask.body["return_tokens_as_token_ids"] = true;
  ask.more_bytes = text.ids.size() * static_cast<uint64_t>(top + 1) * kBytesOfEntry;
  return ask;
}

ForcedPredictions ReadForced(const RemoteAnswer& reading, const ForcedText& text) {
  ForcedPredictions told;
  const auto fails = [](std::string why) { return ForcedPredictions{{}, std::move(why)}; };
  if (reading.fault != Fault::kNone) return fails(reading.answer.error);
  const int64_t counted = reading.answer.prompt_tokens;
  if (counted > 0 && counted != std::ssize(text.ids))
    return fails(fmt::format("the server counts {} tokens of {} that it was given", counted, text.ids.size()));
  const Json& list = reading.prompt_logprobs;
  if (!list.is_array() || list.size() != text.ids.size())
    return fails(fmt::format("expected prompt_logprobs of {} tokens, found {}", text.ids.size(),
                             list.is_array() ? std::to_string(list.size()) : QuoteJson(list, 40)));
  for (size_t i = text.first; i < text.ids.size(); ++i) {
    std::vector<TokenLogprob> step = ReadStep(list[i]);
    const auto there = [&](const TokenLogprob& token) { return token.id == text.ids[i]; };
    if (std::none_of(step.begin(), step.end(), there))
      return fails(fmt::format("prompt_logprobs[{}]: expected token {} among the most likely, found {}", i, text.ids[i],
                               QuoteJson(list[i], 80)));
    told.steps.push_back(std::move(step));
  }
  std::vector<TokenLogprob> last;
  if (!reading.answer.top_logprobs.empty()) last = WithIds(reading.answer.top_logprobs[0]);
  if (last.empty()) return fails("expected logprobs of the token behind the prompt by their ids, found none");
  told.steps.push_back(std::move(last));
  return told;
}

}  // namespace assay
