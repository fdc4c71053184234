// Phi-3, Phi-3.5 and Phi-4: Llama with fused projections; the long-context ones switch between two sets of rotation
// factors (longrope).

#include "checkpoint/arch/spec.h"

namespace assay {

ArchitectureSpec Phi3Spec() {
  ArchitectureSpec spec;
  spec.name = "phi3";
  spec.classes = {"Phi3ForCausalLM"};
  spec.model_types = {"phi3"};
  spec.hf = {
      {"attn_q", "self_attn.qkv_proj"}, {"attn_k", "self_attn.qkv_proj"}, {"attn_v", "self_attn.qkv_proj"},
      {"ffn_gate", "mlp.gate_up_proj"}, {"ffn_up", "mlp.gate_up_proj"},
  };
  spec.gguf = {
      {"attn_q", "attn_qkv"}, {"attn_k", "attn_qkv"}, {"attn_v", "attn_qkv"},
      {"ffn_gate", "ffn_up"}, {"ffn_up", "ffn_up"},
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) { c.sliding_window = in.Int("sliding_window", 0); };
  // Engines run phi3 without its window; files of Phi-3-mini-4k state one that is as long as the context, less one.
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    if (c.sliding_window == 0) out.AddUint32(p + "attention.sliding_window", 0);
  };
  return spec;
}

}  // namespace assay
