// GLM-4.7-Flash: the blocks of DeepSeek V3, under whose name GGUF has it.

#include "describe/arch/spec.h"

namespace assay {
namespace {

void FromHf(const HfFields& in, ModelConfig& c) {
  DeepSeek2Spec().from_hf(in, c);
  c.rope_interleaved = in.Bool("rope_interleave", true);
  if (ReadMlpLayerTypes(in, c)) return;
  SetAllExperts(c);
  c.layers.front().experts = false;
}

}  // namespace

ArchitectureSpec Glm4MoeLiteSpec() {
  ArchitectureSpec spec = DeepSeek2Spec();
  spec.name = "glm4_moe_lite";
  spec.gguf_name = "deepseek2";
  spec.classes = {"Glm4MoeLiteForCausalLM"};
  spec.model_types = {"glm4_moe_lite"};
  spec.from_hf = FromHf;
  return spec;
}

}  // namespace assay
