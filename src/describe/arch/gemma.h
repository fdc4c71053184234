#pragma once
// What the Gemma family has in common, from its second generation on.

#include <cmath>

#include "describe/model_config.h"

namespace assay {

inline void WireGemma(ModelConfig& c) {
  c.post_norms = true;
  c.qkv_bias = c.o_bias = Presence::kOptional;
  c.activation = Activation::kGeluTanh;
  c.tied_output = true;
}

inline void ScaleEmbedding(ModelConfig& c) {
  c.embedding_scale = std::sqrt(static_cast<float>(c.hidden));
}

}  // namespace assay
