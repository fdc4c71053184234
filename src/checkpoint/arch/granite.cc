// Granite 3: Llama with multipliers on embeddings, attention, what blocks add, and logits.

#include "checkpoint/arch/spec.h"

namespace assay {

ArchitectureSpec GraniteSpec() {
  ArchitectureSpec spec;
  spec.name = "granite";
  spec.classes = {"GraniteForCausalLM"};
  spec.model_types = {"granite"};
  spec.gguf_interleaved = true;
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kOptional; };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.embedding_scale = in.Number("embedding_multiplier", 1.0);
    c.residual_scale = in.Number("residual_multiplier", 1.0);
    c.attention_scale = in.Number("attention_multiplier", 1.0);
    c.logit_scale = 1.0 / in.Number("logits_scaling", 1.0);
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    c.embedding_scale = in.Number("embedding_scale", 1.0);
    c.residual_scale = in.Number("residual_scale", 1.0);
    c.attention_scale = in.Number("attention.scale", 0.0);
    c.logit_scale = 1.0 / in.Number("logit_scale", 1.0);
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    out.AddFloat32(p + "embedding_scale", c.embedding_scale);
    out.AddFloat32(p + "residual_scale", c.residual_scale);
    out.AddFloat32(p + "attention.scale", c.attention_scale);
    out.AddFloat32(p + "logit_scale", 1.0 / c.logit_scale);
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["embedding_multiplier"] = ShortFloat(c.embedding_scale);
    out["residual_multiplier"] = ShortFloat(c.residual_scale);
    out["attention_multiplier"] = ShortFloat(c.attention_scale);
    out["logits_scaling"] = ShortFloat(static_cast<float>(1.0 / c.logit_scale));
  };
  return spec;
}

}  // namespace assay
