// Granite 3: Llama with multipliers on embeddings, attention, what blocks add, and logits.

#include "base/error.h"
#include "checkpoint/arch/spec.h"

namespace assay {

ArchitectureSpec GraniteSpec() {
  ArchitectureSpec spec;
  spec.name = "granite";
  spec.classes = {"GraniteForCausalLM"};
  spec.model_types = {"granite"};
  spec.gguf_interleaved = true;
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kOptional; };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.embedding_scale = in.Number("embedding_multiplier", 1.0);
    c.residual_scale = in.Number("residual_multiplier", 1.0);
    c.attention_scale = in.Number("attention_multiplier", 1.0);
    c.logit_scale = 1.0 / in.Number("logits_scaling", 1.0);
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    c.embedding_scale = in.Number("embedding_scale", 1.0);
    c.residual_scale = in.Number("residual_scale", 1.0);
    c.attention_scale = in.Number("attention.scale", 0.0);
    c.logit_scale = 1.0 / in.Number("logit_scale", 1.0);
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    out.AddFloat32(p + "embedding_scale", c.embedding_scale);
    out.AddFloat32(p + "residual_scale", c.residual_scale);
    out.AddFloat32(p + "attention.scale", c.attention_scale);
    out.AddFloat32(p + "logit_scale", 1.0 / c.logit_scale);
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["embedding_multiplier"] = ShortFloat(c.embedding_scale);
    out["residual_multiplier"] = ShortFloat(c.residual_scale);
    out["attention_multiplier"] = ShortFloat(c.attention_scale);
    out["logits_scaling"] = ShortFloat(static_cast<float>(1.0 / c.logit_scale));
  };
  return spec;
}

/// Granite 4 without state-space layers and experts: the same model, whose feed-forward block is the expert that every
/// token would pass.
ArchitectureSpec Granite4Spec() {
  ArchitectureSpec spec = GraniteSpec();
  spec.name = "granite4";
  spec.gguf_name = "granite";
  spec.classes = {"GraniteMoeHybridForCausalLM"};
  spec.model_types = {"granitemoehybrid"};
  spec.hf = {
      {"ffn_gate", "shared_mlp.input_linear"},
      {"ffn_up", "shared_mlp.input_linear"},
      {"ffn_down", "shared_mlp.output_linear"},
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    GraniteSpec().from_hf(in, c);
    bool attention = in.Has("layer_types") && in.json["layer_types"].is_array();
    for (const Json& type : attention ? in.json["layer_types"] : Json::array())
      attention = attention && (type == "attention" || type == "full_attention");
    if (!attention || in.Int("num_local_experts", 8) != 0)
      Fail(ErrorKind::kUnsupported,
           "{}: Granite 4 with state-space layers or experts is not supported; supported: its dense models, "
           "all of whose layer_types are attention",
           in.where);
    c.feed_forward = in.Int("shared_intermediate_size");
    if (in.Text("position_embedding_type", "") == "rope") return;
    SetAllLayers(c);
    for (LayerConfig& layer : c.layers) layer.rope = false;
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    if (!c.Layer(0).rope)
      Fail(ErrorKind::kUnsupported, "GGUF's readers of granite rotate queries and keys; this model does not");
    GraniteSpec().to_gguf(c, p, out);
  };
  return spec;
}

}  // namespace assay
