// GLM-4.5, 4.6 and 4.7: half of each head rotated, norms on queries and keys in the larger ones, a mixture of many
// small experts chosen by sigmoid with a correction, beside one that every token passes; dense layers first.

#include <algorithm>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

void ExpertsBehind(ModelConfig& c, int64_t dense_layers) {
  SetAllLayers(c);
  for (int64_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].experts = i >= dense_layers;
}

int64_t DenseLayers(const ModelConfig& c) {
  int64_t dense = 0;
  while (dense < c.n_layers && !c.Layer(dense).experts) ++dense;
  return dense;
}

int64_t SharedExperts(const ExpertConfig& e) {
  return e.feed_forward > 0 ? e.shared_feed_forward / e.feed_forward : 0;
}

void FromHf(const HfFields& in, ModelConfig& c) {
  if (in.Bool("use_qk_norm", false)) c.qk_norm = QkNorm::kHead;
  ExpertConfig& e = c.experts;
  e.count = in.Int("n_routed_experts", 128);
  e.used = in.Int("num_experts_per_tok", 8);
  e.feed_forward = in.Int("moe_intermediate_size", 1408);
  e.shared_feed_forward = e.feed_forward * in.Int("n_shared_experts", 1);
  e.scale = in.Number("routed_scaling_factor", 1.0);
  e.renormalize = in.Bool("norm_topk_prob", true);
  e.groups = in.Int("n_group", 1);
  e.groups_used = in.Int("topk_group", 1);
  c.extra_layers = in.Int("num_nextn_predict_layers", 0);
  ExpertsBehind(c, in.Int("first_k_dense_replace", 1));
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  if (in.file.HasTensor("blk.0.attn_q_norm.weight")) c.qk_norm = QkNorm::kHead;
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count");
  e.used = in.Int("expert_used_count");
  e.feed_forward = in.Int("expert_feed_forward_length", c.feed_forward / std::max<int64_t>(1, e.used));
  e.shared_feed_forward = e.feed_forward * in.Int("expert_shared_count");
  e.scale = in.Number("expert_weights_scale", 1.0);
  e.renormalize = in.Bool("expert_weights_norm", false);
  e.groups = std::max<int64_t>(1, in.Int("expert_group_count", 1));
  e.groups_used = std::max<int64_t>(1, in.Int("expert_group_used_count", e.groups));
  if (const int64_t gating = in.Int("expert_gating_func", 2); gating != 2 && gating != 0)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}expert_gating_func {}; supported: 2 (sigmoid)", in.file.where,
         in.prefix, gating);
  ExpertsBehind(c, in.Int("leading_dense_block_count", 0));
}

void ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const ExpertConfig& e = c.experts;
  auto number = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  number("leading_dense_block_count", DenseLayers(c));
  number("expert_feed_forward_length", e.feed_forward);
  number("expert_shared_count", SharedExperts(e));
  number("expert_gating_func", 2);
  out.AddFloat32(p + "expert_weights_scale", e.scale);
  out.AddBool(p + "expert_weights_norm", e.renormalize);
  if (e.groups == 1 || e.groups_used == e.groups) return;
  number("expert_group_count", e.groups);
  number("expert_group_used_count", e.groups_used);
}

void ToHf(const ModelConfig& c, Json& out) {
  const ExpertConfig& e = c.experts;
  out["use_qk_norm"] = c.qk_norm == QkNorm::kHead;
  out["first_k_dense_replace"] = DenseLayers(c);
  out["n_routed_experts"] = e.count;
  out["num_experts_per_tok"] = e.used;
  out["moe_intermediate_size"] = e.feed_forward;
  out["n_shared_experts"] = SharedExperts(e);
  out["routed_scaling_factor"] = ShortFloat(e.scale);
  out["norm_topk_prob"] = e.renormalize;
  out["n_group"] = e.groups;
  out["topk_group"] = e.groups_used;
  out["num_nextn_predict_layers"] = 0;  // the class's default is 1
}

}  // namespace

ArchitectureSpec Glm4MoeSpec() {
  ArchitectureSpec spec;
  spec.name = "glm4moe";
  spec.classes = {"Glm4MoeForCausalLM"};
  spec.model_types = {"glm4_moe"};
  spec.mixture = true;
  spec.hf = {
      {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
      {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
      {"ffn_down_shexp", "mlp.shared_experts.down_proj"},
  };
  spec.gguf = {{"ffn_norm", "post_attention_norm"}};
  spec.partial_rotary = 0.5;
  spec.wire = [](ModelConfig& c) {
    c.qkv_bias = Presence::kOptional;
    c.experts.sigmoid = c.experts.group_top2 = true;
    c.experts.correction = Presence::kAlways;
  };
  spec.from_hf = FromHf;
  spec.from_gguf = FromGguf;
  spec.to_gguf = ToGguf;
  spec.to_hf = ToHf;
  return spec;
}

}  // namespace assay
