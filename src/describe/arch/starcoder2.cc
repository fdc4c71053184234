// StarCoder2: LayerNorm and biases everywhere, no gate, rotation, fewer heads of keys than of queries, a window.

#include "describe/arch/spec.h"

namespace assay {

ArchitectureSpec Starcoder2Spec() {
  ArchitectureSpec spec;
  spec.name = "starcoder2";
  spec.classes = {"Starcoder2ForCausalLM"};
  spec.model_types = {"starcoder2"};
  spec.hf = {{"ffn_up", "mlp.c_fc"}, {"ffn_down", "mlp.c_proj"}};
  spec.hf_keys = {{"norm_epsilon", "layer_norm_eps"}};
  spec.wire = [](ModelConfig& c) {
    c.norm = Norm::kLayer;
    c.norm_bias = true;
    c.gated = false;
    c.activation = Activation::kGeluTanh;
    c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kAlways;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.feed_forward = in.Int("intermediate_size");
    c.activation = ReadActivation(in, "hidden_act", "gelu_pytorch_tanh");
    c.sliding_window = ReadWindow(in, 0);
    if (!in.Bool("use_bias", true)) c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kNever;
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["use_bias"] = c.o_bias != Presence::kNever;
    out["sliding_window"] = c.sliding_window > 0 ? Json(c.sliding_window) : Json(nullptr);
  };
  return spec;
}

}  // namespace assay
