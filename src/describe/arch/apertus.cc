// Apertus: Llama with norms on each head's query and key, and xIELU of a layer's own parameters in place of a gate.

#include "describe/arch/spec.h"

namespace assay {

ArchitectureSpec ApertusSpec() {
  ArchitectureSpec spec;
  spec.name = "apertus";
  spec.classes = {"ApertusForCausalLM"};
  spec.model_types = {"apertus"};
  spec.hf = {{"attn_norm", "attention_layernorm"}, {"ffn_norm", "feedforward_layernorm"}};
  spec.rope_default = R"({"rope_type": "llama3", "rope_theta": 12000000.0, "factor": 8.0, "low_freq_factor": 1.0,
                          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})";
  spec.wire = [](ModelConfig& c) {
    c.gated = false;
    c.activation = Activation::kXielu;
    c.qk_norm = QkNorm::kHead;
    c.qkv_bias = c.o_bias = Presence::kOptional;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.feed_forward = in.Int("intermediate_size");
    if (in.Text("hidden_act", "xielu") != "xielu") c.activation = ReadActivation(in, "hidden_act", "xielu");
  };
  return spec;
}

}  // namespace assay
