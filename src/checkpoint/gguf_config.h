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

/// Reads general.* and llama.*. Throws Error{kUnsupported} for another architecture. `rope_freqs` is the tensor of that
/// name, empty when there is none; tied_output is left to the caller.
ModelConfig GgufModelConfig(const GgufFile& file, const std::vector<float>& rope_freqs);

/// Reads tokenizer.ggml.* and completes the spec; works for vocabulary-only files too.
TokenizerSpec GgufTokenizer(const GgufFile& file);

/// tokenizer.chat_template, and those of other names.
std::string GgufChatTemplate(const GgufFile& file);
std::map<std::string, std::string> GgufExtraChatTemplates(const GgufFile& file);

}  // namespace assay
