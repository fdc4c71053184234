#pragma once
// The loaders behind the architecture table: one file each beside this one.

#include <memory>

#include "model/model.h"

namespace assay {

/// Llama 1-3.x, Mistral, Yi, SmolLM2, TinyLlama: pre-norm, grouped-query attention with RoPE, SwiGLU, RMSNorm.
std::shared_ptr<const Model> LoadLlama(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options);

}  // namespace assay
