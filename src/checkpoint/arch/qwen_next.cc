// Qwen3-Next and Qwen3.5: three layers of gated delta net to one of attention with an output gate, a part of each head
// rotated, norms stored less one. Qwen3-Next and Qwen3.5-MoE are mixtures with a gated shared expert.

#include <algorithm>

#include "base/error.h"
#include "checkpoint/arch/spec.h"

namespace assay {
namespace {

void WireQwenNext(ModelConfig& c) {
  c.qk_norm = QkNorm::kHead;
  c.output_gate = true;
  c.qkv_bias = c.o_bias = Presence::kOptional;
}

void DeltaFromHf(const HfFields& in, ModelConfig& c) {
  c.delta = {in.Int("linear_num_key_heads", 16), in.Int("linear_num_value_heads", 32),
             in.Int("linear_key_head_dim", 128), in.Int("linear_value_head_dim", 128),
             in.Int("linear_conv_kernel_dim", 4)};
  double partial = in.Number("partial_rotary_factor", 0.25);
  if (in.Has("rope_parameters") && in.json["rope_parameters"].is_object())
    partial = JsonNumber(in.json["rope_parameters"], "partial_rotary_factor", in.where, partial);
  if (!(partial > 0.0 && partial <= 1.0))
    Fail(ErrorKind::kCorrupt, "{}: partial_rotary_factor: expected 0 to 1, found {}", in.where, partial);
  c.rotary_dim = static_cast<int64_t>(static_cast<double>(c.head_dim) * partial);
  SetAllLayers(c);
  if (in.Has("layer_types")) return ReadLayerTypes(in, c, 0);
  const int64_t interval = std::max<int64_t>(1, in.Int("full_attention_interval", 4));
  for (int64_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].recurrent = (i + 1) % interval != 0;
}

void ExpertsFromHf(const HfFields& in, ModelConfig& c) {
  ExpertConfig& e = c.experts;
  e.count = in.Has("num_experts") ? in.Int("num_experts") : in.Int("num_local_experts", 512);
  e.used = in.Int("num_experts_per_tok", 10);
  e.feed_forward = in.Int("moe_intermediate_size", 512);
  e.shared_feed_forward = in.Int("shared_expert_intermediate_size", 512);
  e.shared_gate = true;
  e.renormalize = in.Bool("norm_topk_prob", true);
  const int64_t step = std::max<int64_t>(1, in.Int("decoder_sparse_step", 1));
  for (int64_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].experts = (i + 1) % step == 0;
  if (!in.Has("mlp_only_layers") || !in.json["mlp_only_layers"].is_array()) return;
  for (const Json& layer : in.json["mlp_only_layers"])
    if (layer.is_number_integer() && layer.get<int64_t>() >= 0 && layer.get<int64_t>() < c.n_layers)
      c.layers[layer.get<size_t>()].experts = false;
}

ArchitectureSpec Common(std::string_view name, std::string_view hf_class, std::string_view model_type) {
  ArchitectureSpec spec;
  spec.name = name;
  spec.classes = {hf_class};
  spec.model_types = {model_type};
  spec.in_llama_cpp = false;  // it is there; its order of value heads is not read or written yet
  spec.minus_one = true;
  spec.unread = {"mtp."};
  spec.wire = WireQwenNext;
  return spec;
}

}  // namespace

ArchitectureSpec Qwen3NextSpec() {
  ArchitectureSpec spec = Common("qwen3next", "Qwen3NextForCausalLM", "qwen3_next");
  spec.mixture = true;
  constexpr auto kPerKeyHead = StoredName::Order::kPerKeyHead;
  spec.hf = {
      {"ssm_q", "linear_attn.in_proj_qkvz", kPerKeyHead},  {"ssm_k", "linear_attn.in_proj_qkvz", kPerKeyHead},
      {"ssm_v", "linear_attn.in_proj_qkvz", kPerKeyHead},  {"ssm_z", "linear_attn.in_proj_qkvz", kPerKeyHead},
      {"ssm_beta", "linear_attn.in_proj_ba", kPerKeyHead}, {"ssm_alpha", "linear_attn.in_proj_ba", kPerKeyHead},
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    DeltaFromHf(in, c);
    ExpertsFromHf(in, c);
  };
  return spec;
}

ArchitectureSpec Qwen35Spec() {
  ArchitectureSpec spec = Common("qwen35", "Qwen3_5ForCausalLM", "qwen3_5_text");
  spec.from_hf = DeltaFromHf;
  return spec;
}

ArchitectureSpec Qwen35MoeSpec() {
  ArchitectureSpec spec = Common("qwen35moe", "Qwen3_5MoeForCausalLM", "qwen3_5_moe_text");
  spec.mixture = true;
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    DeltaFromHf(in, c);
    ExpertsFromHf(in, c);
  };
  return spec;
}

}  // namespace assay
