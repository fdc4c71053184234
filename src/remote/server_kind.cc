#include "remote/server_kind.h"

namespace assay {

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
  }
  return "";
}

Json SamplingWords(ServerKind kind, const Sampling& sampling) {
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
      words["repeat_last_n"] = sampling.repetition_window > 0 ? sampling.repetition_window : -1;
      words["typical_p"] = 1;
      words["dry_multiplier"] = 0;
      words["xtc_probability"] = 0;
      words["dynatemp_range"] = 0;
      words["mirostat"] = 0;
      words["top_n_sigma"] = -1;
      [[fallthrough]];
    case ServerKind::kLlamaCppPython:
      words["top_k"] = sampling.top_k;
      words["min_p"] = sampling.min_p;
      words["repeat_penalty"] = sampling.repetition_penalty;
      break;
    case ServerKind::kOllama:
    case ServerKind::kUnknown:
      break;
  }
  return words;
}

std::string Inexpressible(ServerKind kind, const Sampling& sampling) {
  const bool more = kind != ServerKind::kUnknown && kind != ServerKind::kOllama;
  const bool greedy = sampling.temperature <= 0;
  std::string what;
  auto add = [&](bool missing, const char* name) {
    if (missing) what += (what.empty() ? "" : ", ") + std::string(name);
  };
  add(!more && !greedy && sampling.top_k > 0, "top_k");
  add(!more && !greedy && sampling.min_p > 0, "min_p");
  add(!more && sampling.repetition_penalty != 1, "repetition_penalty");
  add(kind != ServerKind::kLlamaServer && sampling.repetition_penalty != 1 && sampling.repetition_window > 0,
      "repetition_window");
  return what;
}

bool TakesTemplateVariables(ServerKind kind) {
  return kind == ServerKind::kVllm || kind == ServerKind::kSglang || kind == ServerKind::kLlamaServer;
}

bool TakesDocuments(ServerKind kind) {
  return kind == ServerKind::kVllm;
}

bool TakesIds(ServerKind kind) {
  return kind == ServerKind::kVllm || kind == ServerKind::kSglang || kind == ServerKind::kLlamaServer;
}

}  // namespace assay
