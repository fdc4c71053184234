#include "remote/server_kind.h"

namespace assay {
namespace {

constexpr int64_t kSomeContext = 1 << 16;  // where a server does not tell its own

}  // namespace

std::string_view ServerKindName(ServerKind kind) {
  switch (kind) {
    case ServerKind::kUnknown:
      return "server";
    case ServerKind::kLlamaServer:
      return "llama-server";
    case ServerKind::kLlamaCppPython:
      return "llama-cpp-python";
    case ServerKind::kVllm:
      return "vLLM";
    case ServerKind::kSglang:
      return "SGLang";
    case ServerKind::kOllama:
      return "Ollama";
    case ServerKind::kTgi:
      return "TGI";
  }
  return "";
}

std::string_view PromptsBy(ServerKind kind) {
  switch (kind) {
    case ServerKind::kLlamaServer:
      return "llama.cpp";
    case ServerKind::kVllm:
    case ServerKind::kSglang:
      return "transformers";
    case ServerKind::kLlamaCppPython:
      return "llama-cpp-python";
    case ServerKind::kOllama:
      return "Ollama";
    case ServerKind::kTgi:
      return "TGI";
    case ServerKind::kUnknown:
      break;
  }
  return "";
}

Json SamplingWords(ServerKind kind, const Sampling& sampling, int64_t context) {
  Json words = {{"temperature", sampling.temperature},
                {"top_p", sampling.top_p},
                {"presence_penalty", 0},
                {"frequency_penalty", 0},
                {"seed", sampling.seed},
                {"max_tokens", sampling.max_tokens}};
  if (!sampling.stop.empty()) words["stop"] = sampling.stop;
  switch (kind) {
    case ServerKind::kVllm:
    case ServerKind::kSglang:
      words["top_k"] = sampling.top_k > 0 ? sampling.top_k : -1;  // 0 is no value to older ones
      words["min_p"] = sampling.min_p;
      words["repetition_penalty"] = sampling.repetition_penalty;
      break;
    case ServerKind::kLlamaServer:
      // A prompt that was read for another request gives other last bits than one that is read now.
      words["cache_prompt"] = false;
      // It has no word for "all" (-1 was one), and sets memory aside for as many as it is told.
      words["repeat_last_n"] = sampling.repetition_penalty == 1 ? 0
                               : sampling.repetition_window > 0 ? sampling.repetition_window
                               : context > 0                    ? context
                                                                : kSomeContext;
      words["typical_p"] = 1;
      words["dry_multiplier"] = 0;
      words["xtc_probability"] = 0;
      words["dynatemp_range"] = 0;
      words["mirostat"] = 0;
      words["top_n_sigma"] = -1;
      words["adaptive_target"] = -1;
      words["ignore_eos"] = false;
      // Without "temperature" among them answers are drawn, whatever it is.
      words["samplers"] = {"penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"};
      [[fallthrough]];
    case ServerKind::kLlamaCppPython:
      if (kind == ServerKind::kLlamaCppPython) words["mirostat_mode"] = 0;
      words["top_k"] = sampling.top_k;
      words["min_p"] = sampling.min_p;
      words["repeat_penalty"] = sampling.repetition_penalty;
      break;
    case ServerKind::kTgi:
      // It refuses a top_p of 1, which is what it takes where there is none.
      if (sampling.top_p >= 1) words.erase("top_p");
      // In chats it makes a repetition penalty of it, by adding 2: its 0 would be one of 2.
      words.erase("presence_penalty");
      break;
    case ServerKind::kOllama:
    case ServerKind::kUnknown:
      break;
  }
  return words;
}

Json StreamWords(ServerKind kind) {
  if (kind == ServerKind::kLlamaCppPython) return {{"stream", false}};
  return {{"stream", true}, {"stream_options", {{"include_usage", true}}}};
}

Json ResponseFormat(const Json& schema) {
  return {{"type", "json_schema"}, {"json_schema", {{"name", "answer"}, {"strict", true}, {"schema", schema}}}};
}

std::string Inexpressible(ServerKind kind, const Sampling& sampling) {
  const bool more = kind != ServerKind::kUnknown && kind != ServerKind::kOllama && kind != ServerKind::kTgi;
  const bool greedy = sampling.temperature <= 0;
  std::string what;
  auto add = [&](bool missing, const char* name) {
    if (missing) what += (what.empty() ? "" : ", ") + std::string(name);
  };
  add(!more && !greedy && sampling.top_k > 0, "top_k");
  add(!more && !greedy && sampling.min_p > 0, "min_p");
  add(!more && sampling.repetition_penalty != 1, "repetition_penalty");
  const bool own_window = kind == ServerKind::kLlamaCppPython;  // 64 tokens, or as it was started
  add(kind != ServerKind::kLlamaServer && sampling.repetition_penalty != 1 &&
          (own_window || sampling.repetition_window > 0),
      own_window ? "repetition_penalty (over which tokens it goes is the server's own)" : "repetition_window");
  return what;
}

bool TakesTemplateVariables(ServerKind kind) {
  return kind == ServerKind::kVllm || kind == ServerKind::kSglang || kind == ServerKind::kLlamaServer;
}

bool TakesDocuments(ServerKind kind) {
  return kind == ServerKind::kVllm;
}

bool TakesToolChoice(ServerKind kind) {
  return kind != ServerKind::kOllama;
}

bool TakesIds(ServerKind kind) {
  return kind == ServerKind::kVllm || kind == ServerKind::kSglang || kind == ServerKind::kLlamaServer;
}

}  // namespace assay
