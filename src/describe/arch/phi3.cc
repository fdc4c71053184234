// Phi-3, Phi-3.5 and Phi-4: Llama with fused projections; the long-context ones switch between two sets of rotation
// factors (longrope).

#include "describe/arch/spec.h"

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
  spec.partial_rotary = 1.0;
  spec.from_hf = [](const HfFields& in, ModelConfig& c) { c.sliding_window = ReadWindow(in, 0); };
  // Older llama.cpp asks for the key.
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    if (c.sliding_window == 0) out.AddUint32(p + "attention.sliding_window", 0);
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["sliding_window"] = c.sliding_window > 0 ? Json(c.sliding_window) : Json(nullptr);
    const RopeScaling& rope = c.rope_scaling;
    out["original_max_position_embeddings"] = c.context;
    if (rope.kind != RopeScaling::Kind::kLong) return;
    out["original_max_position_embeddings"] = rope.original_context;
    out["rope_scaling"]["type"] = "longrope";  // what its own code asks for
  };
  return spec;
}

}  // namespace assay
