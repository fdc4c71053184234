// GLM-4 (0414): norms before and after each block, fused gate and up, half of each head rotated in neighbouring pairs.

#include "checkpoint/arch/spec.h"

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
  return spec;
}

}  // namespace assay
