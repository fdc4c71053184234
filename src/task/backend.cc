#include "task/backend.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

constexpr std::string_view kMembers[] = {"temperature",       "top_k", "top_p",      "min_p", "repetition_penalty",
                                         "repetition_window", "seed",  "max_tokens", "stop"};
constexpr int64_t kMaxTokensLimit = int64_t{1} << 24;
constexpr size_t kMaxStops = 64;

void InRange(bool ok, std::string_view key, std::string_view expected, const Json& json, std::string_view where) {
  if (!ok)
    Fail(ErrorKind::kInvalid, "{}: \"{}\" should be {}, found {}", where, key, expected,
         DumpJson(json[std::string(key)]));
}

std::vector<std::string> ReadStops(const Json& value, std::string_view where) {
  std::vector<std::string> stops;
  auto add = [&](const Json& stop) {
    if (!stop.is_string() || stop.get_ref<const std::string&>().empty())
      Fail(ErrorKind::kInvalid, "{}: \"stop\" should be a string or a list of strings, none of them empty, found {}",
           where, DumpJson(stop).substr(0, 60));
    stops.push_back(stop.get<std::string>());
  };
  if (!value.is_array()) {
    add(value);
    return stops;
  }
  if (value.size() > kMaxStops)
    Fail(ErrorKind::kInvalid, "{}: \"stop\" should be at most {} strings, found {}", where, kMaxStops, value.size());
  for (const Json& stop : value) add(stop);
  return stops;
}

Json ToJson(const Chat& chat) {
  Json json = Json::object();
  auto add = [&](const char* name, const Json& value) {
    if (!value.is_null()) json[name] = value;
  };
  add("messages", chat.messages);
  add("tools", chat.tools);
  add("tool_choice", chat.tool_choice);
  add("documents", chat.documents);
  add("template_variables", chat.template_variables);
  add("response_schema", chat.response_schema);
  return json;
}

}  // namespace

Json ToJson(const Question& question) {
  if (const auto* chat = std::get_if<Chat>(&question)) return ToJson(*chat);
  if (const auto* text = std::get_if<std::string>(&question)) return {{"prompt", *text}};
  return {{"ids", std::get<std::vector<int32_t>>(question)}};
}

std::span<const std::string_view> SamplingMembers() {
  return kMembers;
}

Json ToJson(const Sampling& sampling) {
  Json json = Json::object();
  json["temperature"] = sampling.temperature;
  json["top_k"] = sampling.top_k;
  json["top_p"] = sampling.top_p;
  json["min_p"] = sampling.min_p;
  json["repetition_penalty"] = sampling.repetition_penalty;
  if (sampling.repetition_window != 0) json["repetition_window"] = sampling.repetition_window;
  json["seed"] = sampling.seed;
  json["max_tokens"] = sampling.max_tokens;
  json["stop"] = sampling.stop;
  return json;
}

Sampling SamplingFromJson(const Json& json, const Sampling& defaults, std::string_view where) {
  if (json.is_null()) return defaults;
  if (!json.is_object()) Fail(ErrorKind::kInvalid, "{}: expected an object, found {}", where, json.type_name());
  for (const auto& [key, value] : json.items()) {
    if (std::find(std::begin(kMembers), std::end(kMembers), key) != std::end(kMembers)) continue;
    std::string near = Nearest(key, {std::begin(kMembers), std::end(kMembers)});
    Fail(ErrorKind::kInvalid, "{}: unknown member \"{}\"{}", where, key.substr(0, 100),
         near.empty() ? ": remove it" : fmt::format("; did you mean \"{}\"?", near));
  }
  Sampling out = defaults;
  out.temperature = JsonNumber(json, "temperature", where, defaults.temperature);
  out.top_k = JsonInt(json, "top_k", where, defaults.top_k);
  out.top_p = JsonNumber(json, "top_p", where, defaults.top_p);
  out.min_p = JsonNumber(json, "min_p", where, defaults.min_p);
  out.repetition_penalty = JsonNumber(json, "repetition_penalty", where, defaults.repetition_penalty);
  out.repetition_window = JsonInt(json, "repetition_window", where, defaults.repetition_window);
  out.max_tokens = JsonInt(json, "max_tokens", where, defaults.max_tokens);
  if (auto seed = json.find("seed"); seed != json.end() && !seed->is_null()) {
    // All 64 bits are allowed, which JsonInt's range does not cover.
    InRange(seed->is_number_unsigned() || (seed->is_number_integer() && seed->get<int64_t>() >= 0), "seed",
            "an integer from 0", json, where);
    out.seed = seed->get<uint64_t>();
  }
  if (auto stop = json.find("stop"); stop != json.end() && !stop->is_null()) out.stop = ReadStops(*stop, where);
  InRange(out.temperature >= 0 && out.temperature <= 100, "temperature", "from 0 to 100", json, where);
  InRange(out.top_k >= 0, "top_k", "at least 0", json, where);
  InRange(out.top_p > 0 && out.top_p <= 1, "top_p", "above 0 and at most 1", json, where);
  InRange(out.min_p >= 0 && out.min_p <= 1, "min_p", "from 0 to 1", json, where);
  InRange(out.repetition_penalty > 0 && out.repetition_penalty <= 100, "repetition_penalty", "above 0 and at most 100",
          json, where);
  InRange(out.repetition_window >= 0, "repetition_window", "at least 0", json, where);
  InRange(out.max_tokens >= 1 && out.max_tokens <= kMaxTokensLimit, "max_tokens", "from 1 to 16777216", json, where);
  return out;
}

}  // namespace assay
