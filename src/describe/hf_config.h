#pragma once
// config.json and generation_config.json ↔ model configuration.

#include <string>
#include <string_view>

#include "base/json.h"
#include "describe/model_config.h"

namespace assay {

/// `generation` is null when there is no generation_config.json. Throws Error{kUnsupported} for another architecture,
/// naming it and what is supported; Error{kCorrupt|kInvalid} for contradictions.
ModelConfig HfModelConfig(const Json& config, const Json& generation, std::string_view where);

/// A config.json for the architecture's class in transformers; `dtype` "bfloat16"…; `attention_bias` and `mlp_bias`
/// tell which biases there are of those that a model may have.
Json HfConfigJson(const ModelConfig& config, std::string_view dtype, bool attention_bias, bool mlp_bias, int64_t bos,
                  int64_t pad);
Json HfGenerationJson(const ModelConfig& config, int64_t bos, int64_t pad);

}  // namespace assay
