// Granite 3: Llama with multipliers on embeddings, attention, what blocks add, and logits.

#include <limits>

#include "base/error.h"
#include "base/python_json.h"
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

void MambaFromHf(const HfFields& in, ModelConfig& c) {
  MambaConfig& m = c.mamba;
  m.heads = in.Int("mamba_n_heads", 128);
  m.groups = in.Int("mamba_n_groups", 1);
  m.state = in.Int("mamba_d_state", 256);
  m.kernel = in.Int("mamba_d_conv", 4);
  const int64_t inner = in.Int("mamba_expand", 2) * c.hidden;
  const bool stated = in.Has("mamba_d_head") && in.json["mamba_d_head"].is_number_integer();  // else "auto"
  if (m.heads < 1 || inner < 1 || inner % m.heads != 0 || (stated && in.Int("mamba_d_head") * m.heads != inner))
    Fail(ErrorKind::kCorrupt, "{}: {} heads of Mamba do not make {} channels", in.where, m.heads, inner);
  m.head_dim = inner / m.heads;
  if (!in.Bool("mamba_conv_bias", true) || in.Bool("mamba_proj_bias", false))
    Fail(ErrorKind::kUnsupported, "{}: Mamba with mamba_conv_bias false or mamba_proj_bias true is not supported",
         in.where);
  if (!in.Has("time_step_limit")) return;
  // The upper limit is infinite, which older files write as null or text.
  const Json& limit = in.json["time_step_limit"];
  if (!limit.is_array() || limit.size() != 2 || limit[0] != 0.0 ||
      (limit[1].is_number() && !(limit[1].get<double>() > std::numeric_limits<double>::max())))
    Fail(ErrorKind::kUnsupported, "{}: time_step_limit {} is not supported; supported: 0 to infinity", in.where,
         DumpPythonJson(limit));
}

void HybridFromHf(const HfFields& in, ModelConfig& c) {
  GraniteSpec().from_hf(in, c);
  MambaFromHf(in, c);
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
  MambaConfig& m = c.mamba;
  m.heads = in.Int("ssm.time_step_rank");
  m.groups = in.Int("ssm.group_count");
  m.state = in.Int("ssm.state_size");
  m.kernel = in.Int("ssm.conv_kernel");
  const int64_t inner = in.Int("ssm.inner_size");
  if (m.heads < 1 || m.heads > 65536 || inner < 1 || inner % m.heads != 0)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}ssm.time_step_rank: {} heads do not make {} channels", in.file.where,
         in.prefix, m.heads, inner);
  m.head_dim = inner / m.heads;
  const GgufValue* heads = in.file.Find(in.prefix + "attention.head_count_kv");
  const bool listed = heads && heads->type == GgufType::kArray;
  if (listed && static_cast<int64_t>(heads->count) < c.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}attention.head_count_kv: expected {} items", in.file.where, in.prefix,
         c.n_layers);
  c.experts.count = in.Int("expert_count", 0);
  SetAllLayers(c);
  for (int64_t i = 0; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    layer.recurrent = listed && heads->ItemInteger(static_cast<uint64_t>(i)) == 0;
    layer.experts = c.experts.count > 0;
  }
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
  auto number = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  number("ssm.conv_kernel", m.kernel);
  number("ssm.inner_size", m.heads * m.head_dim);
  number("ssm.state_size", m.state);
  number("ssm.time_step_rank", m.heads);
  number("ssm.group_count", m.groups);
  if (c.experts.count > 0) number("expert_shared_feed_forward_length", c.experts.shared_feed_forward);
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
  out["mamba_n_heads"] = m.heads;
  out["mamba_n_groups"] = m.groups;
  out["mamba_d_state"] = m.state;
  out["mamba_d_head"] = m.head_dim;
  out["mamba_d_conv"] = m.kernel;
  out["mamba_expand"] = m.heads * m.head_dim / c.hidden;
  out["mamba_conv_bias"] = true;
  out["mamba_proj_bias"] = false;
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
