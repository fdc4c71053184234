// Seed-OSS: Llama with heads of a size of their own and biases on queries, keys and values, and apart from those on
// what attention gives back.

#include "describe/arch/spec.h"

namespace assay {

ArchitectureSpec SeedOssSpec() {
  ArchitectureSpec spec;
  spec.name = "seed_oss";
  spec.classes = {"SeedOssForCausalLM"};
  spec.model_types = {"seed_oss"};
  spec.gguf = {{"ffn_norm", "post_attention_norm"}};
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.mlp_bias = Presence::kOptional; };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    if (in.Bool("attention_out_bias", false)) c.o_bias = Presence::kAlways;
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) { out["attention_out_bias"] = c.o_bias == Presence::kAlways; };
  return spec;
}

}  // namespace assay
