#pragma once
// GGUF metadata ↔ model configuration, tokenizer and chat templates.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/gguf/gguf_file.h"
#include "describe/model_config.h"
#include "text/tokenizer.h"

namespace assay {

/// Tensors that say how to rotate: rope_freqs.weight, rope_factors_short.weight, rope_factors_long.weight; empty when
/// there is none.
struct RopeTables {
  std::vector<float> freqs, short_factors, long_factors;
};

/// What a file describes: as llama.cpp runs it and, where that differs, as its maker means it (Checkpoint::as_made).
struct GgufModel {
  ModelConfig config;
  std::optional<ModelConfig> as_made;
  std::vector<std::string> differences;
};
/// Reads general.* and the architecture's keys. Throws Error{kUnsupported} for an unknown architecture. `tied` says
/// whether there is no output.weight.
GgufModel ReadGgufModel(const GgufFile& file, const RopeTables& tables, bool tied);
/// Why llama.cpp does not load a model of this configuration with these tables (arch/llama_cpp.h).
std::vector<std::string> WhyLlamaCppRefuses(const ModelConfig& config, const RopeTables& tables);

/// Reads tokenizer.ggml.* and completes the spec; works for vocabulary-only files too.
TokenizerSpec GgufTokenizer(const GgufFile& file);

/// tokenizer.chat_template, and those of other names.
std::string GgufChatTemplate(const GgufFile& file);
std::map<std::string, std::string> GgufExtraChatTemplates(const GgufFile& file);

}  // namespace assay
