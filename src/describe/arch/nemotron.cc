// Nemotron and Minitron: LayerNorm whose weights are stored less one, squared ReLU without a gate, half of each head
// rotated.

#include "describe/arch/spec.h"

namespace assay {

ArchitectureSpec NemotronSpec() {
  ArchitectureSpec spec;
  spec.name = "nemotron";
  spec.classes = {"NemotronForCausalLM"};
  spec.model_types = {"nemotron"};
  spec.hf_keys = {{"norm_eps", "layer_norm_eps"}};
  spec.minus_one = true;
  spec.partial_rotary = 0.5;
  spec.wire = [](ModelConfig& c) {
    c.norm = Norm::kLayer;
    c.norm_bias = true;
    c.gated = false;
    c.activation = Activation::kRelu2;
    c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kOptional;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.feed_forward = in.Int("intermediate_size");
    c.activation = ReadActivation(in, "hidden_act", "relu2");
  };
  return spec;
}

}  // namespace assay
