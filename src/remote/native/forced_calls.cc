#include "remote/native/forced_calls.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_member.h"
#include "dialect/answer_text.h"
#include "remote/native/prompt_logprobs.h"

namespace assay {
namespace {

ForcedPredictions Fails(std::string why) {
  return {{}, std::move(why)};
}

std::optional<TokenLogprob> TokenOf(const Json& id, const Json& logprob) {
  if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX || !logprob.is_number()) return std::nullopt;
  return TokenLogprob{id.get<int32_t>(), "", logprob.get<float>()};
}

std::vector<TokenLogprob> BestFirst(std::vector<TokenLogprob> step) {
  std::sort(step.begin(), step.end(), [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  });
  return step;
}

/// [[-0.25, 8, null], …]; empty for anything else.
std::vector<TokenLogprob> ReadTriples(const Json& list) {
  std::vector<TokenLogprob> step;
  if (!list.is_array()) return {};
  for (const Json& entry : list) {
    const auto token = entry.is_array() && entry.size() >= 2 ? TokenOf(entry[1], entry[0]) : std::nullopt;
    if (!token) return {};
    step.push_back(*token);
  }
  return BestFirst(std::move(step));
}

/// [{"id": 8, "logprob": -0.25, …}, …]; empty for anything else.
std::vector<TokenLogprob> ReadObjects(const Json& list) {
  std::vector<TokenLogprob> step;
  if (!list.is_array()) return {};
  for (const Json& entry : list) {
    const Json *id = FindMember(entry, "id"), *logprob = FindMember(entry, "logprob");
    const auto token = id && logprob ? TokenOf(*id, *logprob) : std::nullopt;
    if (!token) return {};
    step.push_back(*token);
  }
  return BestFirst(std::move(step));
}

/// Many texts, a request for each token of them; a text is done when its last is answered, whatever their order.
void LeadTokenByToken(Asker& asker, const ServerFacts& facts, std::span<const ForcedText> texts, int64_t top,
                      const std::function<void(size_t, ForcedPredictions&&)>& done, Progress& progress) {
  std::vector<std::pair<size_t, size_t>> calls;  // text, tokens before the one that is asked for
  std::vector<ForcedPredictions> told(texts.size());
  std::vector<size_t> left(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t length = texts[i].first; length <= texts[i].ids.size(); ++length) calls.emplace_back(i, length);
    left[i] = texts[i].ids.size() + 1 - texts[i].first;
    told[i].steps.resize(left[i]);
  }
  asker.FetchAll(
      calls.size(), [&](size_t at) { return NextTokenCall(facts, texts[calls[at].first], calls[at].second, top); },
      [&](size_t at, std::optional<Json>&& said) {
        const auto [i, length] = calls[at];
        ForcedPredictions next = ReadNextToken(said, length);
        if (next.error.empty())
          told[i].steps[length - texts[i].first] = std::move(next.steps[0]);
        else
          told[i].error = std::move(next.error);
        if (--left[i] > 0) return;
        if (!told[i].error.empty()) told[i].steps.clear();
        progress.Advance(1);
        done(i, std::move(told[i]));
      },
      progress);
}

}  // namespace

bool IsLedTokenByToken(ServerKind kind) {
  return kind == ServerKind::kLlamaServer;
}

FetchRequest WholeTextCall(const ForcedText& text, int64_t top) {
  // At temperature 1 with nothing cut off: what is told after sampling's changes is the model's own, too.
  return {"/generate",
          {{"input_ids", text.ids},
           {"sampling_params", {{"max_new_tokens", 1}, {"temperature", 1}, {"top_p", 1}, {"top_k", -1}, {"min_p", 0}}},
           {"return_logprob", true},
           {"logprob_start_len", text.first - 1},
           {"top_logprobs_num", top},
           {"return_text_in_logprobs", false},
           {"stream", false}}};
}

ForcedPredictions ReadWholeText(const std::optional<Json>& said, const ForcedText& text) {
  const Json* about = said ? FindMember(*said, "meta_info") : nullptr;
  if (!about) return Fails("/generate: expected meta_info with log-probabilities, found none");
  if (const int64_t counted = CountAt(*about, "prompt_tokens"); counted != std::ssize(text.ids))
    return Fails(fmt::format("the server counts {} tokens of {} that it was given", counted, text.ids.size()));
  const Json *tokens = FindMember(*about, "input_token_logprobs"), *lists = FindMember(*about, "input_top_logprobs");
  const Json* behind = FindMember(*about, "output_top_logprobs");
  // From the token before the first that is asked for, whose own entry is empty.
  const size_t begin = text.first - 1, expected = text.ids.size() - begin;
  for (const auto& [list, name] : {std::pair(tokens, "input_token_logprobs"), std::pair(lists, "input_top_logprobs")})
    if (!list || !list->is_array() || list->size() != expected)
      return Fails(fmt::format("{}: expected {} tokens, found {}", name, expected,
                               list && list->is_array() ? std::to_string(list->size()) : "none"));
  ForcedPredictions told;
  for (size_t i = 1; i < expected; ++i) {
    const Json& there = (*tokens)[i];
    if (!there.is_array() || there.size() < 2 || there[1] != text.ids[begin + i])
      return Fails(fmt::format("input_token_logprobs[{}]: expected token {}, found {}", i, text.ids[begin + i],
                               QuoteJson(there, 80)));
    std::vector<TokenLogprob> step = ReadTriples((*lists)[i]);
    if (step.empty())
      return Fails(
          fmt::format("input_top_logprobs[{}]: expected [log-probability, token, …] of the most likely, found {}", i,
                      QuoteJson((*lists)[i], 80)));
    told.steps.push_back(std::move(step));
  }
  std::vector<TokenLogprob> last;
  if (behind && behind->is_array() && !behind->empty()) last = ReadTriples((*behind)[0]);
  if (last.empty()) return Fails("output_top_logprobs: expected those of the token behind the prompt, found none");
  told.steps.push_back(std::move(last));
  return told;
}

FetchRequest NextTokenCall(const ServerFacts& facts, const ForcedText& text, size_t length, int64_t top) {
  ASSAY_CHECK(length > 0 && length <= text.ids.size());
  Sampling plain;
  plain.temperature = 1;
  Json body = {{"model", facts.model}};
  body.update(SamplingWords(facts.kind, plain, facts.context));
  body.erase("max_tokens");
  body["prompt"] = std::vector<int32_t>(text.ids.begin(), text.ids.begin() + static_cast<std::ptrdiff_t>(length));
  body["n_predict"] = 1;
  body["n_probs"] = top;
  body["post_sampling_probs"] = false;
  body["cache_prompt"] = true;  // else every token would read the text anew
  body["stream"] = false;
  return {"/completion", std::move(body)};
}

ForcedPredictions ReadNextToken(const std::optional<Json>& said, size_t length) {
  if (!said)
    return Fails("/completion: expected a token with log-probabilities, found no answer: is the context full?");
  if (const Json* cut = FindMember(*said, "truncated"); cut && *cut == true)
    return Fails("the server cut the prompt: its context is full");
  // Those that it remembered are among them.
  if (const int64_t counted = CountAt(*said, "tokens_evaluated"); counted != static_cast<int64_t>(length))
    return Fails(fmt::format("the server counts {} tokens of {} that it was given", counted, length));
  const Json* list = FindMember(*said, "completion_probabilities");
  const Json* top = list && list->is_array() && !list->empty() ? FindMember((*list)[0], "top_logprobs") : nullptr;
  std::vector<TokenLogprob> step;
  if (top) step = ReadObjects(*top);
  if (step.empty())
    return Fails(fmt::format("completion_probabilities: expected top_logprobs with ids, found {}",
                             list ? QuoteJson(*list, 80) : "none"));
  return {{std::move(step)}, ""};
}

void LeadAlong(Asker& asker, const ServerFacts& facts, std::span<const ForcedText> texts, int64_t top,
               const std::function<void(size_t, ForcedPredictions&&)>& done, Progress& progress) {
  if (IsLedTokenByToken(facts.kind)) {
    LeadTokenByToken(asker, facts, texts, top, done, progress);
  } else if (facts.kind == ServerKind::kSglang) {
    asker.FetchAll(
        texts.size(), [&](size_t at) { return WholeTextCall(texts[at], top); },
        [&](size_t at, std::optional<Json>&& said) {
          progress.Advance(1);
          done(at, ReadWholeText(said, texts[at]));
        },
        progress);
  } else {
    asker.AskAll(
        texts.size(), [&](size_t at) { return ForcedRequest(facts, texts[at], top); },
        [&](size_t at, RemoteAnswer&& reading) {
          progress.Advance(1);
          done(at, ReadForced(reading, texts[at]));
        },
        progress);
  }
}

}  // namespace assay
