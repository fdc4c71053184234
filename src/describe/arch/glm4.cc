// GLM-4 (0414): norms before and after each block, fused gate and up, half of each head rotated in neighbouring pairs.

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {

ArchitectureSpec Glm4Spec() {
  ArchitectureSpec spec;
  spec.name = "glm4";
  spec.classes = {"Glm4ForCausalLM"};
  spec.model_types = {"glm4"};
  spec.hf_interleaved = spec.gguf_interleaved = true;
  spec.hf = {
      {"post_attention_norm", "post_self_attn_layernorm"},
      {"ffn_norm", "post_attention_layernorm"},
      {"post_ffw_norm", "post_mlp_layernorm"},
      {"ffn_gate", "mlp.gate_up_proj"},
      {"ffn_up", "mlp.gate_up_proj"},
  };
  spec.gguf = {{"ffn_gate", "ffn_up"}, {"ffn_up", "ffn_up"}};
  spec.partial_rotary = 0.5;
  spec.wire = [](ModelConfig& c) {
    c.post_norms = true;
    c.qkv_bias = Presence::kOptional;
  };
  // Files of GLM-4.1V keep halves of a head apart, and are known by this key.
  spec.from_gguf = [](const GgufFields& in, ModelConfig&) {
    const GgufValue* sections = in.file.Find(in.prefix + "rope.dimension_sections");
    if (!sections || sections->type != GgufType::kArray || GgufTypeBytes(sections->element) == 0) return;
    for (uint64_t i = 0; i < sections->count; ++i)
      if (sections->ItemInteger(i) != 0)
        Fail(ErrorKind::kUnsupported, "{}: metadata {}rope.dimension_sections: a glm4 that sees images", in.file.where,
             in.prefix);
  };
  return spec;
}

}  // namespace assay
