// BitNet b1.58 2B-4T: Llama with squared ReLU and a norm before each block's last projection.

#include "describe/arch/spec.h"

namespace assay {

ArchitectureSpec BitNetSpec() {
  ArchitectureSpec spec;
  spec.name = "bitnet-b1.58";
  spec.classes = {"BitNetForCausalLM", "BitnetForCausalLM"};
  spec.model_types = {"bitnet"};
  spec.in_llama_cpp = false;  // its bitnet is an older model with another activation
  spec.wire = [](ModelConfig& c) {
    c.sub_norms = true;
    c.qkv_bias = c.o_bias = Presence::kOptional;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) { c.activation = ReadActivation(in, "hidden_act", "relu2"); };
  return spec;
}

}  // namespace assay
