#pragma once
// The smallest model that damaged and hand-made containers are read as.

#include "describe/model_config.h"

namespace assay {

/// One layer, every width 32, one head, two tokens.
inline ModelConfig OneLayerLlama() {
  ModelConfig config;
  config.architecture = "llama";
  config.n_layers = 1;
  config.hidden = config.head_dim = config.rotary_dim = config.feed_forward = 32;
  config.n_heads = config.n_kv_heads = 1;
  config.vocab = 2;
  return config;
}

}  // namespace assay
