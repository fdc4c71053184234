// Qwen3-Next and Qwen3.5: three layers of gated delta net to one of attention with an output gate, a part of each head
// rotated, norms stored less one. Qwen3-Next and Qwen3.5-MoE are mixtures with a gated shared expert.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

// Beside the squared length of queries and keys, whatever rms_norm_eps says.
constexpr double kLengthEpsilon = 1e-6;

void WireQwenNext(ModelConfig& c) {
  c.qk_norm = QkNorm::kHead;
  c.output_gate = true;
  c.qkv_bias = c.o_bias = Presence::kOptional;
}

void DeltaFromHf(const HfFields& in, ModelConfig& c) {
  c.delta = {in.Int("linear_num_key_heads", 16), in.Int("linear_num_value_heads", 32),
             in.Int("linear_key_head_dim", 128), in.Int("linear_value_head_dim", 128),
             in.Int("linear_conv_kernel_dim", 4)};
  c.delta.epsilon = kLengthEpsilon;
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
  ReadSparseLayers(in, c);
}

/// GGUF's readers have one size for keys and values.
void DeltaFromGguf(const GgufFields& in, ModelConfig& c) {
  DeltaConfig& d = c.delta;
  d.key_heads = in.Int("ssm.group_count");
  d.value_heads = in.Int("ssm.time_step_rank");
  d.key_dim = d.value_dim = in.Int("ssm.state_size");
  d.kernel = in.Int("ssm.conv_kernel");
  d.epsilon = c.rms_epsilon;
  for (int64_t size : {d.value_heads, d.value_dim})
    if (size < 1 || size > 65536)
      Fail(ErrorKind::kCorrupt, "{}: metadata {}ssm.time_step_rank and ssm.state_size: expected 1 to 65536, found {}",
           in.file.where, in.prefix, size);
  if (in.Int("ssm.inner_size") != d.value_heads * d.value_dim)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}ssm.inner_size: expected {} heads of {}, found {}", in.file.where,
         in.prefix, d.value_heads, d.value_dim, in.Int("ssm.inner_size"));
  SetAllLayers(c);
  const int64_t interval = std::max<int64_t>(1, in.Int("full_attention_interval", 4));
  const GgufValue* list = in.file.Find(in.prefix + "attention.recurrent_layers");
  const bool listed = list && list->type == GgufType::kArray;
  if (listed && (static_cast<int64_t>(list->count) < c.n_layers || GgufTypeBytes(list->element) == 0))
    Fail(ErrorKind::kCorrupt, "{}: metadata {}attention.recurrent_layers: expected {} items", in.file.where, in.prefix,
         c.n_layers);
  for (int64_t i = 0; i < c.n_layers; ++i)
    c.layers[static_cast<size_t>(i)].recurrent =
        listed ? list->ItemInteger(static_cast<uint64_t>(i)) != 0 : (i + 1) % interval != 0;
}

void DeltaAsMade(const GgufFields&, ModelConfig& c, std::vector<std::string>& differences) {
  if (std::abs(c.delta.epsilon - kLengthEpsilon) <= 1e-6 * kLengthEpsilon) return;
  differences.push_back(
      fmt::format("llama.cpp brings queries and keys of linear attention to unit length with epsilon {:.4g}; the "
                  "maker's class with {:.4g}",
                  c.delta.epsilon, kLengthEpsilon));
  c.delta.epsilon = kLengthEpsilon;
}

void ExpertsFromGguf(const GgufFields& in, ModelConfig& c) {
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count");
  e.used = in.Int("expert_used_count");
  e.feed_forward = in.Int("expert_feed_forward_length", c.feed_forward / std::max<int64_t>(1, e.used));
  e.shared_feed_forward = in.Int("expert_shared_feed_forward_length", c.feed_forward);
  e.shared_gate = e.renormalize = true;
  for (LayerConfig& layer : c.layers) layer.experts = true;
}

void MixtureFromHf(const HfFields& in, ModelConfig& c) {
  DeltaFromHf(in, c);
  ExpertsFromHf(in, c);
}

void MixtureFromGguf(const GgufFields& in, ModelConfig& c) {
  DeltaFromGguf(in, c);
  ExpertsFromGguf(in, c);
}

void DeltaToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const DeltaConfig& d = c.delta;
  if (d.key_dim != d.value_dim)
    Fail(ErrorKind::kUnsupported,
         "GGUF's readers of {} have one size for keys and values of linear attention; this model has {} and {}",
         c.architecture, d.key_dim, d.value_dim);
  auto number = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  number("ssm.conv_kernel", d.kernel);
  number("ssm.state_size", d.key_dim);
  number("ssm.group_count", d.key_heads);
  number("ssm.time_step_rank", d.value_heads);
  number("ssm.inner_size", d.value_heads * d.value_dim);
  std::vector<bool> recurrent;
  for (int64_t i = 0; i < c.n_layers; ++i) recurrent.push_back(c.Layer(i).recurrent);
  out.AddBools(p + "attention.recurrent_layers", recurrent);
}

void ExpertsToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  out.AddUint32(p + "expert_feed_forward_length", static_cast<uint64_t>(c.experts.feed_forward));
  out.AddUint32(p + "expert_shared_feed_forward_length", static_cast<uint64_t>(c.experts.shared_feed_forward));
}

/// How many of the rotated pairs follow time, height and width in images, in turns; readers ask for it in text too.
void PositionsToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const auto pairs = static_cast<int32_t>(c.rotary_dim / 2);
  out.AddInts(p + "rope.dimension_sections", {(pairs + 2) / 3, (pairs + 1) / 3, pairs / 3, 0});
}

void ToHf(const ModelConfig& c, Json& out) {
  const DeltaConfig& d = c.delta;
  out["linear_num_key_heads"] = d.key_heads;
  out["linear_num_value_heads"] = d.value_heads;
  out["linear_key_head_dim"] = d.key_dim;
  out["linear_value_head_dim"] = d.value_dim;
  out["linear_conv_kernel_dim"] = d.kernel;
  out["layer_types"] = LayerTypesJson(c);
  // Newer than the keys that hold these apart.
  out["rope_parameters"] = {
      {"rope_type", "default"},
      {"rope_theta", out["rope_theta"]},
      {"partial_rotary_factor", static_cast<double>(c.rotary_dim) / static_cast<double>(c.head_dim)}};
  const ExpertConfig& e = c.experts;
  if (e.count == 0) return;
  out["num_experts"] = e.count;
  out["num_experts_per_tok"] = e.used;
  out["moe_intermediate_size"] = e.feed_forward;
  out["shared_expert_intermediate_size"] = e.shared_feed_forward;
  out["norm_topk_prob"] = e.renormalize;
  out["decoder_sparse_step"] = 1;
  out["mlp_only_layers"] = Json::array();
}

ArchitectureSpec Common(std::string_view name, std::string_view hf_class, std::string_view model_type) {
  ArchitectureSpec spec;
  spec.name = name;
  spec.classes = {hf_class};
  spec.model_types = {model_type};
  spec.minus_one = true;
  spec.mtp = true;
  spec.partial_rotary = 0.25;
  spec.gguf = {
      {"ssm_q", "attn_qkv"},
      {"ssm_k", "attn_qkv"},
      {"ssm_v", "attn_qkv"},
      {"ssm_z", "attn_gate"},
      {"ffn_norm", "post_attention_norm"},
  };
  spec.wire = WireQwenNext;
  spec.as_made = DeltaAsMade;
  spec.to_hf = ToHf;
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
  spec.gguf.push_back({"ssm_beta", "ssm_ba", kPerKeyHead});
  spec.gguf.push_back({"ssm_alpha", "ssm_ba", kPerKeyHead});
  spec.from_hf = MixtureFromHf;
  spec.from_gguf = MixtureFromGguf;
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    DeltaToGguf(c, p, out);
    ExpertsToGguf(c, p, out);
  };
  return spec;
}

ArchitectureSpec Qwen35Spec() {
  ArchitectureSpec spec = Common("qwen35", "Qwen3_5ForCausalLM", "qwen3_5_text");
  spec.gguf_tiled_heads = true;
  spec.from_hf = DeltaFromHf;
  spec.from_gguf = DeltaFromGguf;
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    DeltaToGguf(c, p, out);
    PositionsToGguf(c, p, out);
  };
  return spec;
}

ArchitectureSpec Qwen35MoeSpec() {
  ArchitectureSpec spec = Common("qwen35moe", "Qwen3_5MoeForCausalLM", "qwen3_5_moe_text");
  spec.mixture = true;
  spec.gguf_tiled_heads = true;
  spec.from_hf = MixtureFromHf;
  spec.from_gguf = MixtureFromGguf;
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    DeltaToGguf(c, p, out);
    ExpertsToGguf(c, p, out);
    PositionsToGguf(c, p, out);
  };
  return spec;
}

}  // namespace assay
