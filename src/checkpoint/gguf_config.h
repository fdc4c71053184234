#pragma once
// GGUF metadata ↔ model configuration, tokenizer and chat templates.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/gguf_file.h"
#include "checkpoint/model_config.h"
#include "text/tokenizer.h"

namespace assay {

/// Tensors that say how to rotate: rope_freqs.weight, rope_factors_short.weight, rope_factors_long.weight; empty when
/// there is none.
struct RopeTables {
  std::vector<float> freqs, short_factors, long_factors;
};

/// Reads general.* and the architecture's keys. Throws Error{kUnsupported} for an unknown architecture. tied_output is
/// left to the caller.
ModelConfig GgufModelConfig(const GgufFile& file, const RopeTables& tables);

/// Reads tokenizer.ggml.* and completes the spec; works for vocabulary-only files too.
TokenizerSpec GgufTokenizer(const GgufFile& file);

/// tokenizer.chat_template, and those of other names.
std::string GgufChatTemplate(const GgufFile& file);
std::map<std::string, std::string> GgufExtraChatTemplates(const GgufFile& file);

}  // namespace assay
