// OLMo 2: no norm before a block but one behind it, and norms on all queries and on all keys of a token together. OLMo
// 3 puts windows on most layers, which keep to the plain rotation where the others' is scaled. GGUF has one name for
// both.

#include "describe/arch/spec.h"

namespace assay {
namespace {

void FromGguf(const GgufFields& in, ModelConfig& c) {
  ReadWindowPattern(in, c, 4);
  if (c.sliding_window > 0) SetLocalRope(c, c.rope_theta);
}

void ToHf(const ModelConfig& c, Json& out) {
  if (c.sliding_window == 0) return;
  out["architectures"] = {"Olmo3ForCausalLM"};
  out["model_type"] = "olmo3";
  out["sliding_window"] = c.sliding_window;
  out["layer_types"] = LayerTypesJson(c);
  Json full = out["rope_scaling"].is_object() ? out["rope_scaling"] : Json{{"rope_type", "default"}};
  full["rope_theta"] = out["rope_theta"];
  out["rope_parameters"] = {
      {"full_attention", full},
      {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", ShortFloat(c.rope_local_theta)}}}};
  out.erase("rope_scaling");
  out.erase("rope_theta");
}

}  // namespace

ArchitectureSpec Olmo2Spec() {
  ArchitectureSpec spec;
  spec.name = "olmo2";
  spec.classes = {"Olmo2ForCausalLM"};
  spec.model_types = {"olmo2"};
  spec.wire = [](ModelConfig& c) {
    c.pre_norms = false;
    c.post_norms = true;
    c.qk_norm = QkNorm::kWhole;
    c.qkv_bias = c.o_bias = Presence::kOptional;
  };
  spec.from_gguf = FromGguf;
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) { AddWindowPattern(c, p, 4, out); };
  spec.to_hf = ToHf;
  return spec;
}

ArchitectureSpec Olmo3Spec() {
  ArchitectureSpec spec = Olmo2Spec();
  spec.name = "olmo3";
  spec.gguf_name = "olmo2";
  spec.classes = {"Olmo3ForCausalLM"};
  spec.model_types = {"olmo3"};
  spec.rope_main = {"full_attention"};
  spec.rope_local = {"sliding_attention", ""};  // rope_theta goes to the other kind alone
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.sliding_window = ReadWindow(in, 4096);
    ReadLayerTypes(in, c, 4);
    SetLocalRope(c, 500000.0);
  };
  return spec;
}

}  // namespace assay
