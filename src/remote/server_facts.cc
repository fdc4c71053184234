#include "remote/server_facts.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/json_member.h"
#include "dialect/answer_text.h"

namespace assay {

std::string TextAt(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  return value && value->is_string() ? CutAt(ValidUtf8(value->get<std::string>()), 500) : "";
}

int64_t CountAt(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  return value && value->is_number_integer() ? std::max<int64_t>(0, value->get<int64_t>()) : 0;
}

std::string ServerFacts::title() const {
  return fmt::format("{}{} at {}", ServerKindName(kind), version.empty() ? "" : " " + version, url);
}

Capabilities ServerFacts::can() const {
  // One request after another gave the same: beside others, in a batch, it may not.
  return {.tokenize = (tells_chat_tokens || !chats) && (tells_text_tokens || !completes),
          .render = tells_chat_tokens && !template_hash.empty(),
          .score = false,
          .seeds = seeds == true,
          .same_bits = false,
          .reads_calls = true};
}

Json ToJson(const ServerFacts& facts) {
  Json json = {{"url", facts.url}, {"model", facts.model}, {"kind", ServerKindName(facts.kind)}};
  auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  auto maybe = [&](const char* name, std::optional<bool> value) {
    if (value) json[name] = *value;
  };
  text("version", facts.version);
  json["offered"] = facts.offered;
  text("answers_as", facts.answers_as);
  text("weights", facts.weights);
  if (facts.weight_bytes) json["weight_bytes"] = facts.weight_bytes;
  if (facts.parameters) json["parameters"] = facts.parameters;
  if (facts.context) json["context"] = facts.context;
  text("template_hash", facts.template_hash);
  text("tokenizer_probe", facts.tokenizer_probe);
  if (!facts.settings.empty()) json["settings"] = facts.settings;
  json["chats"] = facts.chats;
  json["completes"] = facts.completes;
  json["tells_chat_tokens"] = facts.tells_chat_tokens;
  json["tells_text_tokens"] = facts.tells_text_tokens;
  json["counts_tokens"] = facts.counts;
  json["reasons"] = facts.reasons;
  maybe("takes_tools", facts.takes_tools);
  maybe("sees_tools", facts.sees_tools);
  maybe("sees_system", facts.sees_system);
  json["calls"] = facts.calls;
  maybe("holds_schema", facts.holds_schema);
  json["logprobs"] = facts.logprobs;
  json["prompt_logprobs"] = facts.prompt_logprobs;
  if (facts.led_token_by_token) json["led_token_by_token"] = true;
  maybe("seeds", facts.seeds);
  json["same_twice"] = facts.same_twice;
  json["drew"] = facts.drew;
  if (!facts.remarks.empty()) json["remarks"] = facts.remarks;
  return json;
}

}  // namespace assay
