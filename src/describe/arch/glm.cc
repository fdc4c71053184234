// GLM-4 (before 0414) and GLM-Edge: Llama with fused gate and up, and a half of each head rotated in neighbouring
// pairs.

#include "describe/arch/spec.h"

namespace assay {

ArchitectureSpec GlmSpec() {
  ArchitectureSpec spec;
  spec.name = "chatglm";
  spec.classes = {"GlmForCausalLM"};
  spec.model_types = {"glm"};
  spec.hf_interleaved = spec.gguf_interleaved = true;
  spec.hf = {{"ffn_gate", "mlp.gate_up_proj"}, {"ffn_up", "mlp.gate_up_proj"}};
  spec.gguf = {{"ffn_gate", "ffn_up"}, {"ffn_up", "ffn_up"}};
  spec.partial_rotary = 0.5;
  spec.wire = [](ModelConfig& c) { c.qkv_bias = Presence::kOptional; };
  return spec;
}

}  // namespace assay
