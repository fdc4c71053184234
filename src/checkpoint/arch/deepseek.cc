// DeepSeek V2 and V3 (R1, V3.1) and Kimi K2: latent attention, a mixture of many small experts beside one that every
// token passes, dense layers first. V2 chooses by softmax, V3 by sigmoid with a correction and from the best groups.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "checkpoint/arch/spec.h"

namespace assay {
namespace {

void ExpertsBehind(ModelConfig& c, int64_t dense_layers) {
  SetAllLayers(c);
  for (int64_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].experts = i >= dense_layers;
}

/// YaRN also sharpens the scores of DeepSeek: (0.1 m ln(factor) + 1)² on top of 1 / sqrt(head size).
void SetLatentScale(ModelConfig& c, double factor, double mscale_all_dim) {
  c.head_dim = c.latent.nope_dim + c.latent.rope_dim;
  c.rotary_dim = c.latent.rope_dim;
  double sharpness = factor > 1.0 ? 0.1 * mscale_all_dim * std::log(factor) + 1.0 : 1.0;
  c.attention_scale = sharpness * sharpness / std::sqrt(static_cast<double>(c.head_dim));
}

void ReadLatent(const HfFields& in, ModelConfig& c) {
  LatentConfig& l = c.latent;
  l.q_rank = in.Int("q_lora_rank", 0);
  l.kv_rank = in.Int("kv_lora_rank", 512);
  l.nope_dim = in.Int("qk_nope_head_dim", 128);
  l.rope_dim = in.Int("qk_rope_head_dim", 64);
  l.value_dim = in.Int("v_head_dim", 128);
  double factor = 1.0, mscale = 0.0;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!in.Has(key) || !in.json[key].is_object()) continue;
    factor = JsonNumber(in.json[key], "factor", in.where, 1.0);
    mscale = JsonNumber(in.json[key], "mscale_all_dim", in.where, 0.0);
  }
  SetLatentScale(c, factor, mscale);
}

void DeepSeekFromHf(const HfFields& in, ModelConfig& c) {
  ReadLatent(in, c);
  c.n_kv_heads = c.n_heads;  // one latent vector for all
  ExpertConfig& e = c.experts;
  e.count = in.Int("n_routed_experts", 0);
  e.used = in.Int("num_experts_per_tok", 8);
  e.feed_forward = in.Int("moe_intermediate_size", 0);
  e.shared_feed_forward = e.feed_forward * in.Int("n_shared_experts", 0);
  e.scale = in.Number("routed_scaling_factor", 1.0);
  const bool v3 = in.Text("model_type", "") != "deepseek_v2";
  e.sigmoid = in.Text("scoring_func", v3 ? "sigmoid" : "softmax") == "sigmoid";
  e.renormalize = in.Bool("norm_topk_prob", v3);
  if (e.sigmoid) e.correction = Presence::kAlways;
  std::string method = in.Text("topk_method", v3 ? "noaux_tc" : "greedy");
  if (method == "greedy") {
    e.groups = e.groups_used = 1;
  } else if (method == "group_limited_greedy" || method == "noaux_tc") {
    e.groups = in.Int("n_group", 1);
    e.groups_used = in.Int("topk_group", e.groups);
    e.group_top2 = method == "noaux_tc";
  } else {
    Fail(ErrorKind::kUnsupported,
         "{}: topk_method {} is not supported; supported: greedy, group_limited_greedy, "
         "noaux_tc",
         in.where, method);
  }
  c.extra_layers = in.Int("num_nextn_predict_layers", 0);
  if (e.count > 0) ExpertsBehind(c, in.Int("first_k_dense_replace", 0));
}

void DeepSeekFromGguf(const GgufFields& in, ModelConfig& c) {
  LatentConfig& l = c.latent;
  l.q_rank = in.Int("attention.q_lora_rank", 0);
  l.kv_rank = in.Int("attention.kv_lora_rank");
  l.rope_dim = in.Int("rope.dimension_count");
  l.nope_dim = in.Int("attention.key_length_mla", 0) - l.rope_dim;
  l.value_dim = in.Int("attention.value_length_mla", 0);
  if (l.nope_dim < 1 || l.value_dim < 1)
    Fail(ErrorKind::kUnsupported,
         "{}: a deepseek2 file without attention.key_length_mla and value_length_mla, as "
         "older converters wrote it; convert the model anew",
         in.file.where);
  c.n_kv_heads = c.n_heads;
  // Written as a tenth of mscale_all_dim.
  const double mscale = in.Number("rope.scaling.yarn_log_multiplier", 0.0) * 10.0;
  SetLatentScale(c, c.rope_scaling.factor, mscale);
  c.rope_scaling.mscale_all_dim = mscale;
  if (mscale > 0) c.rope_scaling.attention_factor = 1.0;
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count", 0);
  e.used = in.Int("expert_used_count", 0);
  e.feed_forward = in.Int("expert_feed_forward_length", 0);
  e.shared_feed_forward = e.feed_forward * in.Int("expert_shared_count", 0);
  e.scale = in.Number("expert_weights_scale", 1.0);
  e.renormalize = in.Bool("expert_weights_norm", false);
  e.sigmoid = in.Int("expert_gating_func", 1) == 2;
  e.groups = std::max<int64_t>(1, in.Int("expert_group_count", 1));
  e.groups_used = std::max<int64_t>(1, in.Int("expert_group_used_count", e.groups));
  e.group_top2 = e.sigmoid;
  if (e.sigmoid) e.correction = Presence::kOptional;
  if (e.count > 0) ExpertsBehind(c, in.Int("leading_dense_block_count", 0));
}

void DeepSeekToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const LatentConfig& l = c.latent;
  const ExpertConfig& e = c.experts;
  auto number = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  if (l.q_rank > 0) number("attention.q_lora_rank", l.q_rank);
  number("attention.kv_lora_rank", l.kv_rank);
  number("attention.key_length", l.kv_rank + l.rope_dim);
  number("attention.value_length", l.kv_rank);
  number("attention.key_length_mla", l.nope_dim + l.rope_dim);
  number("attention.value_length_mla", l.value_dim);
  int64_t dense = 0;
  while (dense < c.n_layers && !c.Layer(dense).experts) ++dense;
  number("leading_dense_block_count", dense);
  number("expert_feed_forward_length", e.feed_forward);
  number("expert_shared_count", e.feed_forward > 0 ? e.shared_feed_forward / e.feed_forward : 0);
  out.AddFloat32(p + "expert_weights_scale", e.scale);
  out.AddBool(p + "expert_weights_norm", e.renormalize);
  number("expert_gating_func", e.sigmoid ? 2 : 1);
  if (e.groups > 1) {
    number("expert_group_count", e.groups);
    number("expert_group_used_count", e.groups_used);
  }
  if (c.rope_scaling.mscale_all_dim > 0)
    out.AddFloat32(p + "rope.scaling.yarn_log_multiplier", 0.1 * c.rope_scaling.mscale_all_dim);
}

}  // namespace

ArchitectureSpec DeepSeek2Spec() {
  ArchitectureSpec spec;
  spec.name = "deepseek2";
  spec.classes = {"DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM"};
  spec.model_types = {"deepseek_v2", "deepseek_v3", "kimi_k2"};
  spec.hf_interleaved = spec.gguf_interleaved = true;
  spec.mixture = true;
  spec.dense_too = true;
  spec.hf = {
      {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
      {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
      {"ffn_down_shexp", "mlp.shared_experts.down_proj"},
  };
  spec.from_hf = DeepSeekFromHf;
  spec.from_gguf = DeepSeekFromGguf;
  spec.to_gguf = DeepSeekToGguf;
  return spec;
}

}  // namespace assay
