// Qwen2 and 2.5: Llama with biases on queries, keys and values. Qwen3: norms on each head's query and key instead.

#include "describe/arch/spec.h"

namespace assay {
namespace {

void ReadQwenWindow(const HfFields& in, ModelConfig& c) {
  if (!in.Bool("use_sliding_window", false)) return;
  c.sliding_window = ReadWindow(in, 4096);
  if (in.Has("layer_types")) return ReadLayerTypes(in, c, 0);
  SetAllLayers(c);
  for (int64_t i = 0; i < in.Int("max_window_layers", 28) && i < c.n_layers; ++i)
    c.layers[static_cast<size_t>(i)].window = 0;
}

void WindowToHf(const ModelConfig& c, Json& out) {
  out["use_sliding_window"] = c.sliding_window > 0;
  if (c.sliding_window == 0) return;
  out["sliding_window"] = c.sliding_window;
  out["layer_types"] = LayerTypesJson(c);
}

}  // namespace

ArchitectureSpec Qwen2Spec() {
  ArchitectureSpec spec;
  spec.name = "qwen2";
  spec.classes = {"Qwen2ForCausalLM"};
  spec.model_types = {"qwen2"};
  spec.wire = [](ModelConfig& c) { c.qkv_bias = Presence::kAlways; };
  spec.from_hf = ReadQwenWindow;
  spec.to_hf = WindowToHf;
  return spec;
}

ArchitectureSpec Qwen3Spec() {
  ArchitectureSpec spec;
  spec.name = "qwen3";
  spec.classes = {"Qwen3ForCausalLM"};
  spec.model_types = {"qwen3"};
  spec.wire = [](ModelConfig& c) {
    c.qk_norm = QkNorm::kHead;
    c.qkv_bias = c.o_bias = Presence::kOptional;
  };
  spec.from_hf = ReadQwenWindow;
  spec.to_hf = WindowToHf;
  return spec;
}

}  // namespace assay
