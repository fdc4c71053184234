// LFM2 and LFM2.5: most layers mix by a gated short convolution, the others by attention with norms on queries and
// keys. The mixtures have dense layers first, then experts chosen by sigmoid with a correction.

#include <algorithm>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

/// layer_types, or the numbers of the layers with attention in older files.
void ReadMixers(const HfFields& in, ModelConfig& c) {
  SetAllLayers(c);
  const bool listed = in.Has("layer_types");
  if (!listed && !in.Has("full_attn_idxs")) return;
  const Json& list = in.json[listed ? "layer_types" : "full_attn_idxs"];
  if (!list.is_array() || (listed && static_cast<int64_t>(list.size()) != c.n_layers))
    Fail(ErrorKind::kCorrupt, "{}: {}: expected a list for {} layers", in.where,
         listed ? "layer_types" : "full_attn_idxs", c.n_layers);
  for (size_t i = 0; i < c.layers.size(); ++i) {
    if (listed && list[i] != "conv" && list[i] != "full_attention")
      Fail(ErrorKind::kUnsupported, "{}: layer_types: layer {} is {}; supported: conv, full_attention", in.where, i,
           DumpJson(list[i]));
    c.layers[i].recurrent = listed ? list[i] == "conv" : std::find(list.begin(), list.end(), Json(i)) == list.end();
  }
}

void CommonFromHf(const HfFields& in, ModelConfig& c) {
  c.short_convolution = in.Int("conv_L_cache", 3);
  if (c.short_convolution < 1)
    Fail(ErrorKind::kCorrupt, "{}: conv_L_cache: expected at least 1, found {}", in.where, c.short_convolution);
  if (in.Bool("conv_bias", false)) Fail(ErrorKind::kUnsupported, "{}: conv_bias true is not supported", in.where);
  ReadMixers(in, c);
}

void CommonToHf(const ModelConfig& c, Json& out) {
  if (c.sliding_window > 0) Fail(ErrorKind::kUnsupported, "config.json of an LFM2 cannot state a window of attention");
  out["conv_L_cache"] = c.short_convolution;
  out["conv_bias"] = false;
  out["layer_types"] = Json::array();
  for (int64_t i = 0; i < c.n_layers; ++i)
    out["layer_types"].push_back(c.Layer(i).recurrent ? "conv" : "full_attention");
}

void CommonFromGguf(const GgufFields& in, ModelConfig& c) {
  c.short_convolution = in.Int("shortconv.l_cache");
  if (c.short_convolution < 2)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}shortconv.l_cache: expected at least 2, found {}", in.file.where,
         in.prefix, c.short_convolution);
  ReadRecurrentLayers(in, c);
}

void CommonToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  if (c.short_convolution < 2)
    Fail(ErrorKind::kUnsupported, "GGUF's readers expect convolutions over two positions at least");
  out.AddUint32(p + "shortconv.l_cache", static_cast<uint64_t>(c.short_convolution));
}

/// The class makes its own width of what the file states.
int64_t AdjustedWidth(const HfFields& in) {
  int64_t width = in.Int("intermediate_size");
  if (!in.Bool("block_auto_adjust_ff_dim", true)) return width;
  width = 2 * width / 3;
  if (!in.Has("block_ffn_dim_multiplier")) return width;
  const double scaled = in.Number("block_ffn_dim_multiplier", 1.0) * static_cast<double>(width);
  const int64_t multiple = in.Int("block_multiple_of", 256);
  if (multiple < 1 || !(scaled >= 0 && scaled < 1e9))
    Fail(ErrorKind::kCorrupt, "{}: a feed-forward size of {}, a multiple of {}", in.where, scaled, multiple);
  return (static_cast<int64_t>(scaled) + multiple - 1) / multiple * multiple;
}

void ExpertsBehind(ModelConfig& c, int64_t dense_layers) {
  for (int64_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].experts = i >= dense_layers;
}

void MoeFromHf(const HfFields& in, ModelConfig& c) {
  CommonFromHf(in, c);
  ExpertConfig& e = c.experts;
  e.count = in.Int("num_experts", 32);
  e.used = in.Int("num_experts_per_tok", 4);
  e.feed_forward = in.Int("moe_intermediate_size", 1792);
  e.scale = in.Number("routed_scaling_factor", 1.0);
  e.renormalize = in.Bool("norm_topk_prob", true);
  e.correction = in.Bool("use_expert_bias", true) ? Presence::kAlways : Presence::kNever;
  ExpertsBehind(c, in.Int("num_dense_layers", 2));
}

int64_t DenseLayers(const ModelConfig& c) {
  int64_t dense = 0;
  while (dense < c.n_layers && !c.Layer(dense).experts) ++dense;
  return dense;
}

void MoeToHf(const ModelConfig& c, Json& out) {
  CommonToHf(c, out);
  const ExpertConfig& e = c.experts;
  out["num_experts"] = e.count;
  out["num_experts_per_tok"] = e.used;
  out["moe_intermediate_size"] = e.feed_forward;
  out["routed_scaling_factor"] = ShortFloat(e.scale);
  out["norm_topk_prob"] = e.renormalize;
  out["use_expert_bias"] = e.correction != Presence::kNever;
  out["num_dense_layers"] = DenseLayers(c);
}

void MoeFromGguf(const GgufFields& in, ModelConfig& c) {
  CommonFromGguf(in, c);
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count");
  e.used = in.Int("expert_used_count");
  e.feed_forward = in.Int("expert_feed_forward_length");
  if (const int64_t gating = in.Int("expert_gating_func"); gating != 2)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}expert_gating_func {}; supported: 2 (sigmoid)", in.file.where,
         in.prefix, gating);
  e.renormalize = true;
  e.correction = Presence::kAlways;
  ExpertsBehind(c, in.Int("leading_dense_block_count", 0));
}

void MoeToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  CommonToGguf(c, p, out);
  const ExpertConfig& e = c.experts;
  if (!e.renormalize || e.scale != 1.0 || e.correction == Presence::kNever)
    Fail(ErrorKind::kUnsupported,
         "GGUF's readers of lfm2moe expect weights of experts that add up to 1, and a correction of their choice");
  out.AddUint32(p + "expert_feed_forward_length", static_cast<uint64_t>(e.feed_forward));
  out.AddUint32(p + "leading_dense_block_count", static_cast<uint64_t>(DenseLayers(c)));
  out.AddUint32(p + "expert_gating_func", 2);
}

}  // namespace

ArchitectureSpec Lfm2Spec() {
  ArchitectureSpec spec;
  spec.name = "lfm2";
  spec.classes = {"Lfm2ForCausalLM"};
  spec.model_types = {"lfm2"};
  spec.gguf_zero_heads = true;
  spec.roots.output_norm = "model.embedding_norm";
  spec.hf = {
      {"attn_norm", "operator_norm"},           {"ffn_norm", "ffn_norm"},
      {"attn_q_norm", "self_attn.q_layernorm"}, {"attn_k_norm", "self_attn.k_layernorm"},
      {"attn_output", "self_attn.out_proj"},    {"shortconv.in_proj", "conv.in_proj"},
      {"shortconv.conv", "conv.conv"},          {"shortconv.out_proj", "conv.out_proj"},
      {"ffn_gate", "feed_forward.w1"},          {"ffn_up", "feed_forward.w3"},
      {"ffn_down", "feed_forward.w2"},
  };
  spec.gguf = {{"output_norm", "token_embd_norm"}};
  spec.hf_keys = {{"norm_eps", "rms_norm_eps"}};
  spec.wire = [](ModelConfig& c) { c.qk_norm = QkNorm::kHead; };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    CommonFromHf(in, c);
    c.feed_forward = AdjustedWidth(in);
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    CommonToHf(c, out);
    out["block_auto_adjust_ff_dim"] = false;
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    CommonFromGguf(in, c);
    c.sliding_window = in.Int("attention.sliding_window", 0);
    for (LayerConfig& layer : c.layers) layer.window = layer.recurrent ? 0 : c.sliding_window;
  };
  spec.to_gguf = CommonToGguf;
  return spec;
}

ArchitectureSpec Lfm2MoeSpec() {
  ArchitectureSpec spec = Lfm2Spec();
  spec.name = "lfm2moe";
  spec.classes = {"Lfm2MoeForCausalLM"};
  spec.model_types = {"lfm2_moe"};
  spec.mixture = true;
  spec.hf.insert(spec.hf.end(), {{"ffn_gate_inp", "feed_forward.gate"},
                                 {"exp_probs_b", "=feed_forward.expert"},
                                 {"expert_gate", "feed_forward.experts.{}.w1"},
                                 {"expert_up", "feed_forward.experts.{}.w3"},
                                 {"expert_down", "feed_forward.experts.{}.w2"}});
  spec.wire = [](ModelConfig& c) {
    c.qk_norm = QkNorm::kHead;
    c.experts.sigmoid = true;
  };
  spec.from_hf = MoeFromHf;
  spec.to_hf = MoeToHf;
  spec.from_gguf = MoeFromGguf;
  spec.to_gguf = MoeToGguf;
  return spec;
}

}  // namespace assay
