// Granite 3: Llama with multipliers on embeddings, attention, what blocks add, and logits.

#include "base/error.h"
#include "describe/arch/spec.h"

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
    if (in.Bool("rope.scaling.finetuned", true)) return;
    SetAllLayers(c);
    for (LayerConfig& layer : c.layers) layer.rope = false;
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    out.AddFloat32(p + "embedding_scale", c.embedding_scale);
    out.AddFloat32(p + "residual_scale", c.residual_scale);
    out.AddFloat32(p + "attention.scale", c.attention_scale);
    out.AddFloat32(p + "logit_scale", 1.0 / c.logit_scale);
    if (!c.Layer(0).rope) out.AddBool(p + "rope.scaling.finetuned", false);  // how readers know that none rotates
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["embedding_multiplier"] = ShortFloat(c.embedding_scale);
    out["residual_multiplier"] = ShortFloat(c.residual_scale);
    out["attention_multiplier"] = ShortFloat(c.attention_scale);
    out["logits_scaling"] = ShortFloat(static_cast<float>(1.0 / c.logit_scale));
  };
  return spec;
}

/// Granite 4 without state-space layers and experts: the same model as before, whose feed-forward block is the expert
/// that every token would pass.
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
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.o_bias = Presence::kOptional; };
  spec.fits = [](const HfFields& in) {
    const char* key = in.Has("layers_block_type") ? "layers_block_type" : "layer_types";
    const bool listed = in.Has(key) && in.json[key].is_array();
    for (const Json& type : listed ? in.json[key] : Json::array())
      if (type != "attention" && type != "full_attention") return false;
    return listed && in.Int("num_local_experts", 8) == 0;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    GraniteSpec().from_hf(in, c);
    c.feed_forward = in.Int("shared_intermediate_size");
    if (in.Text("position_embedding_type", "") == "rope") return;
    SetAllLayers(c);
    for (LayerConfig& layer : c.layers) layer.rope = false;
  };
  return spec;
}

namespace {

void HybridFromHf(const HfFields& in, ModelConfig& c) {
  GraniteSpec().from_hf(in, c);
  ReadMamba(in, c);
  c.mamba.activation = c.activation;
  SetAllLayers(c);
  if (in.Has("layer_types"))
    ReadLayerTypes(in, c, 0);
  else
    for (LayerConfig& layer : c.layers) layer.recurrent = true;
  const int64_t shared = in.Int("shared_intermediate_size", 1024);
  c.experts.count = in.Int("num_local_experts", 8);
  for (LayerConfig& layer : c.layers) {
    layer.rope = in.Text("position_embedding_type", "") == "rope";
    layer.experts = c.experts.count > 0;
  }
  if (c.experts.count == 0) {
    c.feed_forward = shared;
    return;
  }
  c.experts.used = in.Int("num_experts_per_tok", 2);
  c.experts.feed_forward = c.feed_forward;
  c.experts.shared_feed_forward = shared;
  c.experts.renormalize = true;
}

void HybridFromGguf(const GgufFields& in, ModelConfig& c) {
  GraniteSpec().from_gguf(in, c);
  ReadMamba(in, c);
  ReadRecurrentLayers(in, c);
  c.experts.count = in.Int("expert_count", 0);
  for (LayerConfig& layer : c.layers) layer.experts = c.experts.count > 0;
  if (c.experts.count == 0) return;
  c.experts.used = in.Int("expert_used_count");
  c.experts.feed_forward = c.feed_forward;
  c.experts.shared_feed_forward = in.Int("expert_shared_feed_forward_length", 0);
  c.experts.renormalize = true;
}

void HybridToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const MambaConfig& m = c.mamba;
  bool recurrent = false;
  for (const LayerConfig& layer : c.layers) recurrent = recurrent || layer.recurrent;
  if (!recurrent || m.heads * m.head_dim != 2 * c.hidden)
    Fail(ErrorKind::kUnsupported,
         "GGUF's readers of granitehybrid expect state-space layers of twice the hidden size; this model has {} of {}",
         recurrent ? "channels" : "none", m.heads * m.head_dim);
  GraniteSpec().to_gguf(c, p, out);
  AddMamba(c, p, out);
  if (c.experts.count > 0)
    out.AddUint32(p + "expert_shared_feed_forward_length", static_cast<uint64_t>(c.experts.shared_feed_forward));
}

void HybridToHf(const ModelConfig& c, Json& out) {
  GraniteSpec().to_hf(c, out);
  const MambaConfig& m = c.mamba;
  const ExpertConfig& e = c.experts;
  if (m.heads * m.head_dim % c.hidden != 0)
    Fail(ErrorKind::kUnsupported, "config.json cannot state {} channels of Mamba for a hidden size of {}",
         m.heads * m.head_dim, c.hidden);
  out["num_local_experts"] = e.count;
  out["num_experts_per_tok"] = e.used;
  out["shared_intermediate_size"] = e.count > 0 ? e.shared_feed_forward : c.feed_forward;
  AddMamba(c, out);
  out["mamba_expand"] = m.heads * m.head_dim / c.hidden;
  out["position_embedding_type"] = c.Layer(0).rope ? "rope" : "nope";
  out["layer_types"] = Json::array();
  for (int64_t i = 0; i < c.n_layers; ++i) out["layer_types"].push_back(c.Layer(i).recurrent ? "mamba" : "attention");
}

}  // namespace

/// Granite 4 with state-space layers, with or without experts beside the one that every token passes.
ArchitectureSpec GraniteHybridSpec() {
  ArchitectureSpec spec = GraniteSpec();
  spec.name = "granitehybrid";
  spec.classes = {"GraniteMoeHybridForCausalLM"};
  spec.model_types = {"granitemoehybrid"};
  spec.mixture = spec.dense_too = true;
  spec.gguf_zero_heads = true;
  spec.hf = {
      {"ffn_gate", "shared_mlp.input_linear"},
      {"ffn_up", "shared_mlp.input_linear"},
      {"ffn_down", "shared_mlp.output_linear"},
      {"ffn_gate_shexp", "shared_mlp.input_linear"},
      {"ffn_up_shexp", "shared_mlp.input_linear"},
      {"ffn_down_shexp", "shared_mlp.output_linear"},
      {"ffn_gate_inp", "block_sparse_moe.router.layer"},
      {"expert_gate", "block_sparse_moe.input_linear"},
      {"expert_up", "block_sparse_moe.input_linear"},
      {"expert_down", "block_sparse_moe.output_linear"},
      {"ssm_conv1d", "mamba.conv1d"},
      {"ssm_dt", "=mamba.dt"},
      {"ssm_a", "=mamba.A_log"},
      {"ssm_norm", "mamba.norm"},
      {"ssm_out", "mamba.out_proj"},
  };
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.o_bias = Presence::kOptional; };
  spec.from_hf = HybridFromHf;
  spec.from_gguf = HybridFromGguf;
  spec.to_gguf = HybridToGguf;
  spec.to_hf = HybridToHf;
  return spec;
}

}  // namespace assay
