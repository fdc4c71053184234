// Nemotron-H and Nemotron 3 Nano: each layer is Mamba-2, attention without rotation, or a feed-forward block (squared
// ReLU without a gate, or a mixture of such), by a pattern of the model's own.

#include <algorithm>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

struct LayerKind {
  char letter;
  std::string_view name, other_name;
  bool recurrent;
  Parts parts;
  bool experts;
};
constexpr LayerKind kKinds[] = {
    {'M', "linear_attention", "mamba", true, Parts::kMixer, false},
    {'*', "full_attention", "attention", false, Parts::kMixer, false},
    {'-', "mlp", "mlp", false, Parts::kFeedForward, false},
    {'E', "moe", "moe", false, Parts::kFeedForward, true},
};

/// The pattern of older files becomes a list; there are as many layers as that has.
void Normalize(Json& config) {
  auto list = config.find("layers_block_type");
  if (list == config.end() || list->is_null()) {
    auto pattern = config.find("hybrid_override_pattern");
    if (pattern == config.end() || !pattern->is_string()) return;
    Json kinds = Json::array();
    for (const char letter : pattern->get<std::string>()) {
      const auto* kind =
          std::find_if(std::begin(kKinds), std::end(kKinds), [&](const LayerKind& k) { return k.letter == letter; });
      kinds.push_back(kind == std::end(kKinds) ? std::string(1, letter) : std::string(kind->name));
    }
    config["layers_block_type"] = kinds;
  }
  config["num_hidden_layers"] = config["layers_block_type"].size();
}

bool HasExperts(const HfFields& in) {
  Json config = in.json;
  if (in.Has("layer_types")) config["layers_block_type"] = Json(in.json["layer_types"]);
  Normalize(config);
  auto list = config.find("layers_block_type");
  return list != config.end() && list->is_array() && std::find(list->begin(), list->end(), Json("moe")) != list->end();
}

void ReadKinds(const HfFields& in, ModelConfig& c) {
  SetAllLayers(c);
  for (size_t i = 0; i < c.layers.size(); ++i) {
    const Json& name = in.json["layers_block_type"][i];
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](const LayerKind& k) { return name == k.name || name == k.other_name; });
    if (kind == std::end(kKinds))
      Fail(ErrorKind::kUnsupported, "{}: layers_block_type: layer {} is {}", in.where, i, DumpJson(name));
    LayerConfig& layer = c.layers[i];
    layer.recurrent = kind->recurrent;
    layer.parts = kind->parts;
    layer.experts = kind->experts;
    layer.rope = false;
  }
}

void FromHf(const HfFields& in, ModelConfig& c) {
  if (!in.Has("layers_block_type") || !in.json["layers_block_type"].is_array())
    Fail(ErrorKind::kCorrupt, "{}: layers_block_type: expected a list, one a layer", in.where);
  ReadKinds(in, c);
  c.tied_output = false;  // the class does not tie
  c.activation = ReadActivation(in, "mlp_hidden_act", "relu2");
  const bool dense = std::any_of(c.layers.begin(), c.layers.end(), [](const LayerConfig& layer) {
    return layer.parts == Parts::kFeedForward && !layer.experts;
  });
  if (dense) c.feed_forward = in.Int("intermediate_size");
  MambaConfig& m = c.mamba;
  m.heads = in.Int("mamba_num_heads", 128);
  m.head_dim = in.Int("mamba_head_dim", 64);
  m.groups = in.Int("n_groups", 8);
  m.state = in.Int("ssm_state_size", 128);
  m.kernel = in.Int("conv_kernel", 4);
  m.activation = ReadActivation(in, "mamba_hidden_act", "silu");
  m.step_min = in.Number("time_step_min", 0.001);
  if (!in.Bool("use_conv_bias", true) || in.Bool("use_bias", false))
    Fail(ErrorKind::kUnsupported, "{}: use_conv_bias false or use_bias true is not supported", in.where);
}

void MoeFromHf(const HfFields& in, ModelConfig& c) {
  FromHf(in, c);
  if (in.Has("moe_latent_size"))
    Fail(ErrorKind::kUnsupported, "{}: moe_latent_size {} is not supported; supported: null", in.where,
         in.Int("moe_latent_size"));
  ExpertConfig& e = c.experts;
  e.count = in.Int("n_routed_experts", 8);
  e.used = in.Int("num_experts_per_tok", 2);
  e.feed_forward = in.Int("moe_intermediate_size", 7688);
  e.shared_feed_forward = in.Int("moe_shared_expert_intermediate_size", 7688);
  e.scale = in.Number("routed_scaling_factor", 1.0);
  e.renormalize = in.Bool("norm_topk_prob", true);
  e.groups = in.Int("n_group", 1);
  e.groups_used = in.Int("topk_group", 1);
}

void ToHf(const ModelConfig& c, Json& out) {
  const MambaConfig& m = c.mamba;
  out["layers_block_type"] = Json::array();
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const LayerConfig layer = c.Layer(i);
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const LayerKind& k) {
      return k.recurrent == layer.recurrent && k.parts == layer.parts && k.experts == layer.experts;
    });
    out["layers_block_type"].push_back(kind->name);
  }
  out["mlp_hidden_act"] = ActivationName(c.activation);
  out["mamba_hidden_act"] = ActivationName(m.activation);
  out["mamba_num_heads"] = m.heads;
  out["mamba_head_dim"] = m.head_dim;
  out["n_groups"] = m.groups;
  out["ssm_state_size"] = m.state;
  out["conv_kernel"] = m.kernel;
  out["time_step_min"] = m.step_min;
  out["use_conv_bias"] = true;
  out["use_bias"] = false;
}

void MoeToHf(const ModelConfig& c, Json& out) {
  ToHf(c, out);
  const ExpertConfig& e = c.experts;
  out["n_routed_experts"] = e.count;
  out["num_experts_per_tok"] = e.used;
  out["moe_intermediate_size"] = e.feed_forward;
  out["moe_shared_expert_intermediate_size"] = e.shared_feed_forward;
  out["routed_scaling_factor"] = ShortFloat(e.scale);
  out["norm_topk_prob"] = e.renormalize;
  out["n_group"] = e.groups;
  out["topk_group"] = e.groups_used;
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  ReadMamba(in, c);
  ReadRecurrentLayers(in, c);
  const GgufValue* widths = in.file.Find(in.prefix + "feed_forward_length");
  if (!widths || widths->type != GgufType::kArray || static_cast<int64_t>(widths->count) < c.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}feed_forward_length: expected a list of {}", in.file.where, in.prefix,
         c.n_layers);
  const bool experts = in.Int("expert_count", 0) > 0;
  for (int64_t i = 0; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    const bool mixer = widths->ItemInteger(static_cast<uint64_t>(i)) == 0;
    layer.parts = mixer ? Parts::kMixer : Parts::kFeedForward;
    layer.recurrent = layer.recurrent && mixer;
    layer.experts = experts && !mixer;
    layer.rope = false;
  }
}

void MoeFromGguf(const GgufFields& in, ModelConfig& c) {
  FromGguf(in, c);
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count");
  e.used = in.Int("expert_used_count");
  e.feed_forward = in.Int("expert_feed_forward_length", c.feed_forward);
  e.shared_feed_forward = in.Int("expert_shared_feed_forward_length", 0);
  e.scale = in.Number("expert_weights_scale", 1.0);
  e.renormalize = in.Bool("expert_weights_norm", false);
  e.groups = std::max<int64_t>(1, in.Int("expert_group_count", 1));
  e.groups_used = std::max<int64_t>(1, in.Int("expert_group_used_count", e.groups));
  if (in.Int("moe_latent_size", 0) != 0)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}moe_latent_size {} is not supported", in.file.where, in.prefix,
         in.Int("moe_latent_size", 0));
}

void ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  AddMamba(c, p, out);
  out.AddFloat32(p + "attention.layer_norm_epsilon", c.rms_epsilon);  // which readers ask for as well
}

void MoeToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const ExpertConfig& e = c.experts;
  for (const LayerConfig& layer : c.layers)
    if (layer.parts == Parts::kFeedForward && !layer.experts)
      Fail(ErrorKind::kUnsupported, "GGUF's readers of nemotron_h_moe expect experts in every feed-forward layer");
  ToGguf(c, p, out);
  auto number = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  number("expert_feed_forward_length", e.feed_forward);
  number("expert_shared_feed_forward_length", e.shared_feed_forward);
  number("expert_shared_count", 1);
  out.AddFloat32(p + "expert_weights_scale", e.scale);
  out.AddBool(p + "expert_weights_norm", e.renormalize);
  if (e.groups == 1 || e.groups_used == e.groups) return;
  number("expert_group_count", e.groups);
  number("expert_group_used_count", e.groups_used);
}

}  // namespace

ArchitectureSpec NemotronHSpec() {
  ArchitectureSpec spec;
  spec.name = "nemotron_h";
  spec.classes = {"NemotronHForCausalLM"};
  spec.model_types = {"nemotron_h"};
  spec.gguf_zero_heads = true;
  spec.mtp = true;
  spec.roots = {"backbone.embeddings", "backbone.layers", "backbone.norm_f", "lm_head", ""};
  spec.hf = {
      {"attn_norm", "norm"},
      {"attn_q", "mixer.q_proj"},
      {"attn_k", "mixer.k_proj"},
      {"attn_v", "mixer.v_proj"},
      {"attn_output", "mixer.o_proj"},
      {"ssm_in", "mixer.in_proj"},
      {"ssm_conv1d", "mixer.conv1d"},
      {"ssm_dt", "=mixer.dt"},
      {"ssm_a", "=mixer.A_log"},
      {"ssm_d", "=mixer.D"},
      {"ssm_norm", "mixer.norm"},
      {"ssm_out", "mixer.out_proj"},
      {"ffn_norm", "norm"},
      {"ffn_up", "mixer.up_proj"},
      {"ffn_down", "mixer.down_proj"},
      {"ffn_gate_inp", "mixer.gate"},
      {"exp_probs_b", "=mixer.gate.e_score_correction"},
      {"expert_up", "mixer.experts.{}.up_proj"},
      {"expert_down", "mixer.experts.{}.down_proj"},
      {"ffn_up_shexp", "mixer.shared_experts.up_proj"},
      {"ffn_down_shexp", "mixer.shared_experts.down_proj"},
  };
  spec.gguf = {{"ffn_norm", "attn_norm"}};
  spec.hf_keys = {{"layer_norm_epsilon", "rms_norm_eps"}};
  spec.normalize = Normalize;
  spec.fits = [](const HfFields& in) { return !HasExperts(in); };
  spec.wire = [](ModelConfig& c) {
    c.gated = false;
    c.activation = Activation::kRelu2;
    c.mlp_bias = Presence::kOptional;
  };
  spec.from_hf = FromHf;
  spec.to_hf = ToHf;
  spec.from_gguf = FromGguf;
  spec.to_gguf = ToGguf;
  spec.as_made = [](const GgufFields&, ModelConfig& c, std::vector<std::string>& differences) {
    c.mamba.step_min = 0.001;
    differences.emplace_back("llama.cpp takes the steps of Mamba as they come; the maker's are 0.001 at least");
  };
  return spec;
}

ArchitectureSpec NemotronHMoeSpec() {
  ArchitectureSpec spec = NemotronHSpec();
  spec.name = "nemotron_h_moe";
  spec.mixture = true;
  spec.fits = HasExperts;
  spec.wire = [](ModelConfig& c) {
    c.gated = false;
    c.activation = Activation::kRelu2;
    c.experts.sigmoid = c.experts.group_top2 = true;
    c.experts.correction = Presence::kAlways;
  };
  spec.from_hf = MoeFromHf;
  spec.to_hf = MoeToHf;
  spec.from_gguf = MoeFromGguf;
  spec.to_gguf = MoeToGguf;
  return spec;
}

}  // namespace assay
