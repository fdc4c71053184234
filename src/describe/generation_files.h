#pragma once
// GenerationConfig of files, and back.

#include <cstdint>
#include <string>

#include "base/json.h"
#include "describe/generation_config.h"

namespace assay {

struct GgufKeys;

/// `json`: generation_config.json, null for none. `vocab` and `context` of the model. As transformers has it,
/// `do_sample` decides whether temperature, top_k and the like count. Throws Error{kCorrupt|kInvalid} naming the key,
/// what was expected and what was found.
GenerationConfig ReadGenerationConfig(const Json& json, int64_t vocab, int64_t context);
/// The keys general.sampling.*, as llama.cpp takes them for defaults.
GenerationConfig ReadGenerationConfig(const GgufKeys& file, int64_t context);

/// Adds what the format can state to a generation_config.json.
void AddToJson(const GenerationConfig& generation, Json& out);

/// What a GGUF, and a generation_config.json, have no key for and lose, for people; empty: nothing.
std::string GgufLosses(const GenerationConfig& generation);
std::string FolderLosses(const GenerationConfig& generation);

}  // namespace assay
