// EXAONE 4: no norm before a block but one behind it, norms on each head's query and key. The larger one sees windows,
// and rotates only where it does.

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

// llama.cpp knows the one with windows by its number of layers.
constexpr int64_t kLayersWithWindows = 64;

void NoRopeWithoutWindow(ModelConfig& c) {
  SetAllLayers(c);
  for (LayerConfig& layer : c.layers) layer.rope = layer.window > 0;
}

void FromHf(const HfFields& in, ModelConfig& c) {
  c.sliding_window = ReadWindow(in, 4096);
  const bool windows = in.Has("sliding_window");
  // With layer_types the pattern, which may be letters, acts on nothing.
  ReadLayerTypes(in, c, windows && !in.Has("layer_types") ? in.Int("sliding_window_pattern", 4) : 0);
  if (windows) NoRopeWithoutWindow(c);
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  if (c.n_layers != kLayersWithWindows) return;
  c.sliding_window = 4096;
  ReadWindowPattern(in, c, 4);
  NoRopeWithoutWindow(c);
}

void AsMade(const GgufFields& in, ModelConfig& c, std::vector<std::string>& differences) {
  const int64_t window = in.Int("attention.sliding_window", 0);
  if (c.n_layers == kLayersWithWindows || window == 0) return;
  ReadWindowPattern(in, c, 4);
  NoRopeWithoutWindow(c);
  differences.push_back(
      fmt::format("the file states a window of {} positions; llama.cpp runs an exaone4 of {} layers without windows, "
                  "and rotates in all of them",
                  window, c.n_layers));
}

void ToHf(const ModelConfig& c, Json& out) {
  out["sliding_window"] = c.sliding_window > 0 ? Json(c.sliding_window) : Json(nullptr);
  out["layer_types"] = LayerTypesJson(c);
}

}  // namespace

ArchitectureSpec Exaone4Spec() {
  ArchitectureSpec spec;
  spec.name = "exaone4";
  spec.classes = {"Exaone4ForCausalLM"};
  spec.model_types = {"exaone4"};
  spec.wire = [](ModelConfig& c) {
    c.pre_norms = false;
    c.post_norms = true;
    c.qk_norm = QkNorm::kHead;
    c.qkv_bias = Presence::kOptional;
  };
  spec.from_hf = FromHf;
  spec.from_gguf = FromGguf;
  spec.as_made = AsMade;
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) { AddWindowPattern(c, p, 0, out); };
  spec.to_hf = ToHf;
  return spec;
}

}  // namespace assay
