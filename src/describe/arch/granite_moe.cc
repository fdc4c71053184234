// Granite 3 MoE: Granite's multipliers around a mixture of experts in every layer.

#include "describe/arch/spec.h"

namespace assay {
ArchitectureSpec GraniteMoeSpec() {
  ArchitectureSpec spec = GraniteSpec();
  spec.name = "granitemoe";
  spec.classes = {"GraniteMoeForCausalLM"};
  spec.model_types = {"granitemoe"};
  spec.mixture = true;
  spec.hf = {
      {"ffn_gate_inp", "block_sparse_moe.router.layer"},
      {"expert_gate", "block_sparse_moe.input_linear"},
      {"expert_up", "block_sparse_moe.input_linear"},
      {"expert_down", "block_sparse_moe.output_linear"},
  };
  spec.wire = [](ModelConfig& c) {
    c.qkv_bias = c.o_bias = Presence::kOptional;
    c.experts.renormalize = true;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    GraniteSpec().from_hf(in, c);
    c.experts.count = in.Int("num_local_experts", 8);
    c.experts.used = in.Int("num_experts_per_tok", 2);
    c.experts.feed_forward = c.feed_forward;
    SetAllExperts(c);
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    GraniteSpec().from_gguf(in, c);
    c.experts.count = in.Int("expert_count");
    c.experts.used = in.Int("expert_used_count");
    c.experts.shared_feed_forward = in.Int("expert_shared_feed_forward_length", 0);
    c.experts.feed_forward = c.feed_forward;
    SetAllExperts(c);
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    GraniteSpec().to_hf(c, out);
    out["num_local_experts"] = c.experts.count;
    out["num_experts_per_tok"] = c.experts.used;
  };
  return spec;
}

}  // namespace assay
