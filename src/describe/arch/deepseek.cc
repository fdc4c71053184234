// DeepSeek V2 and V3 (R1, V3.1) and Kimi K2: latent attention, a mixture of many small experts beside one that every
// token passes, dense layers first. V2 chooses by softmax, V3 by sigmoid with a correction and from the best groups.
// V3.2 and GLM-5 see only the positions that an indexer chooses.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

// The classes leave the norms of low ranks at their default, whatever rms_norm_eps says.
constexpr double kLatentEpsilon = 1e-6;

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
  l.epsilon = kLatentEpsilon;
  c.head_dim = l.nope_dim + l.rope_dim;
  c.rotary_dim = l.rope_dim;
}

void LatentRopeFromHf(const HfFields&, ModelConfig& c) {
  SetLatentScale(c, c.rope_scaling.factor, c.rope_scaling.mscale_all_dim);
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
  if (in.hf_class == "DeepseekV3ForCausalLM" || in.hf_class == "KimiK2ForCausalLM")
    c.rope_interleaved = in.Bool("rope_interleave", true);
  const bool v3 = in.hf_class != "DeepseekV2ForCausalLM";
  e.sigmoid = v3;
  e.renormalize = v3 && in.Bool("norm_topk_prob", true);  // V2's class does not read it
  if (e.sigmoid) e.correction = Presence::kAlways;
  e.group_top2 = v3;
  const std::string method = v3 ? "noaux_tc" : in.Text("topk_method", "greedy");  // V3's class has but one
  if (method == "group_limited_greedy" || v3) {
    e.groups = in.Int("n_group", 1);
    e.groups_used = in.Int("topk_group", e.groups);
  } else if (method != "greedy") {
    Fail(ErrorKind::kUnsupported, "{}: topk_method {} is not supported; supported: greedy, group_limited_greedy",
         in.where, method);
  }
  c.extra_layers = in.Int("num_nextn_predict_layers", 0);
  if (e.count > 0) ExpertsBehind(c, in.Int("first_k_dense_replace", 0));
}

void SparseFromHf(const HfFields& in, ModelConfig& c) {
  DeepSeekFromHf(in, c);
  c.experts.count = in.Int("num_experts", c.experts.count);  // an older name
  ReadMlpLayerTypes(in, c);
  c.indexer.heads = in.Int("index_n_heads");
  c.indexer.head_dim = in.Int("index_head_dim");
  c.indexer.top_k = in.Int("index_topk");
}

/// Which layers use what an earlier layer's indexer chose: a list, a text of F and S, or a rhythm.
void GlmDsaFromHf(const HfFields& in, ModelConfig& c) {
  SparseFromHf(in, c);
  SetAllLayers(c);
  const int64_t every = std::max<int64_t>(1, in.Int("index_topk_freq", 1)),
                offset = std::clamp<int64_t>(in.Int("index_skip_topk_offset", 2), 0, c.n_layers);
  const char* list = in.Has("indexer_types") ? "indexer_types" : "index_topk_pattern";
  for (int64_t i = 0; i < c.n_layers; ++i) {
    bool& shared = c.layers[static_cast<size_t>(i)].shared_index;
    if (!in.Has(list)) {
      shared = std::max<int64_t>(i - offset + 1, 0) % every != 0;
      continue;
    }
    const Json& types = in.json[list];
    std::string type;
    if (types.is_array() && static_cast<int64_t>(types.size()) == c.n_layers &&
        types[static_cast<size_t>(i)].is_string())
      type = types[static_cast<size_t>(i)].get<std::string>();
    else if (types.is_string() && static_cast<int64_t>(types.get<std::string>().size()) == c.n_layers)
      type = types.get<std::string>()[static_cast<size_t>(i)] == 'S' ? "shared" : "full";
    else
      Fail(ErrorKind::kCorrupt, "{}: {}: expected one of full and shared for each of {} layers", in.where, list,
           c.n_layers);
    if (type != "full" && type != "shared")
      Fail(ErrorKind::kUnsupported, "{}: {}: layer {} is \"{}\"; supported: full, shared", in.where, list, i, type);
    shared = type == "shared";
  }
}

/// What llama.cpp makes of YaRN: rotated elements times `turned`, scores times what they and yarn_log_multiplier (a
/// tenth of mscale_all_dim) say together. It takes mscale for 1 unless this is deepseek2 with another mscale_all_dim.
void ScaleOfGguf(const GgufFields& in, ModelConfig& c) {
  RopeScaling& rope = c.rope_scaling;
  const bool yarn = rope.kind == RopeScaling::Kind::kYarn;
  const double factor = rope.factor, log = 0.1 * std::log(factor);
  const double stated = in.prefix == "glm-dsa." ? 0.0 : in.Number("rope.scaling.yarn_log_multiplier", 0.0) * 10.0;
  auto sharpness = [&](double mscale) { return factor <= 1.0 ? 1.0 : log * mscale + 1.0; };
  double turned = 1.0;
  if (yarn) {
    const double mscale = in.prefix == "deepseek2." && std::abs(stated - 1.0) > 1e-6 ? stated : 1.0;
    turned = stated != 0.0 ? sharpness(mscale) / sharpness(stated) : sharpness(1.0);
    turned *= in.Number("rope.scaling.attn_factor", 1.0);
    rope.attention_factor = turned;
    rope.mscale_all_dim = stated;
  }
  c.head_dim = c.latent.nope_dim + c.latent.rope_dim;
  c.rotary_dim = c.latent.rope_dim;
  const double all = (yarn ? turned : 1.0 + log) * (1.0 + stated * log);
  c.attention_scale = all * all / std::sqrt(static_cast<double>(c.head_dim));
}

void DeepSeekFromGguf(const GgufFields& in, ModelConfig& c) {
  LatentConfig& l = c.latent;
  l.q_rank = in.Int("attention.q_lora_rank", 0);
  l.kv_rank = in.Int("attention.kv_lora_rank");
  l.rope_dim = in.Int("rope.dimension_count");
  // Older converters stated the sizes of the heads, and kept both projections in one tensor (gguf_checkpoint.cc).
  const bool old = !in.Has("attention.key_length_mla");
  l.nope_dim = in.Int(old ? "attention.key_length" : "attention.key_length_mla") - l.rope_dim;
  l.value_dim = in.Int(old ? "attention.value_length" : "attention.value_length_mla");
  l.epsilon = c.rms_epsilon;
  c.n_kv_heads = c.n_heads;
  ScaleOfGguf(in, c);
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count", 0);
  e.used = in.Int("expert_used_count", 0);
  e.feed_forward = in.Int("expert_feed_forward_length", 0);
  e.shared_feed_forward = e.feed_forward * in.Int("expert_shared_count", 0);
  e.scale = in.Number("expert_weights_scale", 1.0);
  e.renormalize = in.Bool("expert_weights_norm", false);
  // Files of GLM-4.7-Flash from before the key are known by their size.
  const bool glm = (c.n_layers == 47 || c.n_layers == 48) && c.vocab == 154880;
  const int64_t gating = in.Int("expert_gating_func", 0);
  e.sigmoid = gating == 2 || (gating == 0 && (glm || in.prefix == "glm-dsa."));
  if (gating < 0 || gating > 2)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}expert_gating_func {}; supported: 1 (softmax), 2 (sigmoid)",
         in.file.where, in.prefix, gating);
  if (in.Number("attention.temperature_scale", 0.0) != 0.0)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}attention.temperature_scale: queries that grow with the position",
         in.file.where, in.prefix);
  e.groups = std::max<int64_t>(1, in.Int("expert_group_count", 1));
  e.groups_used = std::max<int64_t>(1, in.Int("expert_group_used_count", e.groups));
  e.group_top2 = true;
  e.correction = Presence::kOptional;
  if (e.count > 0) ExpertsBehind(c, in.Int("leading_dense_block_count", 0));
}

/// DeepSeek V2 takes a group for as good as its best expert; low ranks have an epsilon of their own; YaRN sharpens
/// scores by mscale_all_dim and leaves rotated elements alone where mscale is the same, as it is in what was released.
void DeepSeekAsMade(const GgufFields& in, ModelConfig& c, std::vector<std::string>& differences) {
  if (c.experts.groups > 1 && !c.experts.sigmoid) {
    c.experts.group_top2 = false;
    differences.push_back("llama.cpp ranks groups of experts by their two best; DeepSeek V2 by the best");
  }
  if (std::abs(c.latent.epsilon - kLatentEpsilon) > 1e-6 * kLatentEpsilon) {
    differences.push_back(fmt::format("llama.cpp norms low ranks with epsilon {:.4g}; the maker's class with {:.4g}",
                                      c.latent.epsilon, kLatentEpsilon));
    c.latent.epsilon = kLatentEpsilon;
  }
  const double mscale = 10.0 * in.Number("rope.scaling.yarn_log_multiplier", 0.0);
  if (c.rope_scaling.kind != RopeScaling::Kind::kYarn || mscale == 0.0) return;
  const ModelConfig before = c;
  c.rope_scaling.mscale_all_dim = mscale;
  c.rope_scaling.attention_factor = 1.0;
  SetLatentScale(c, c.rope_scaling.factor, mscale);
  if (std::abs(c.attention_scale - before.attention_scale) > 1e-6 * c.attention_scale ||
      std::abs(before.rope_scaling.attention_factor - 1.0) > 1e-6)
    differences.push_back(fmt::format("llama.cpp's {} scales YaRN's rotation otherwise than by mscale_all_dim {:.4g}",
                                      c.architecture, mscale));
}

void SparseFromGguf(const GgufFields& in, ModelConfig& c) {
  DeepSeekFromGguf(in, c);
  c.indexer.heads = in.Int("attention.indexer.head_count");
  c.indexer.head_dim = in.Int("attention.indexer.key_length");
  c.indexer.top_k = in.Int("attention.indexer.top_k");
}

void GlmDsaFromGguf(const GgufFields& in, ModelConfig& c) {
  SparseFromGguf(in, c);
  SetAllLayers(c);
  const GgufValue* types = in.file.Find(in.prefix + "attention.indexer.types");
  if (!types) {
    // Files of GLM-5.2 from before the key; GLM-5 and 5.1 have an indexer everywhere.
    for (int64_t i = 2; i < c.n_layers && c.context >= 1048576; ++i)
      c.layers[static_cast<size_t>(i)].shared_index = (i - 2) % 4 != 0;
    return;
  }
  if (types->type != GgufType::kArray || GgufTypeBytes(types->element) == 0 ||
      static_cast<int64_t>(types->count) < c.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}attention.indexer.types: expected {} items", in.file.where, in.prefix,
         c.n_layers);
  for (int64_t i = 0; i < c.n_layers; ++i)
    c.layers[static_cast<size_t>(i)].shared_index = types->ItemInteger(static_cast<uint64_t>(i)) == 0;
}

void DeepSeekToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const LatentConfig& l = c.latent;
  const ExpertConfig& e = c.experts;
  if (!c.rope_interleaved)
    Fail(ErrorKind::kUnsupported, "GGUF's readers of {} turn neighbouring pairs; this model turns halves",
         c.architecture);
  auto number = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  number("attention.q_lora_rank", l.q_rank);  // 0: none
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
  if (e.groups > 1 && e.groups_used < e.groups) {
    number("expert_group_count", e.groups);
    number("expert_group_used_count", e.groups_used);
  }
  if (c.rope_scaling.mscale_all_dim > 0)
    out.AddFloat32(p + "rope.scaling.yarn_log_multiplier", 0.1 * c.rope_scaling.mscale_all_dim);
}

void SparseToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  DeepSeekToGguf(c, p, out);
  out.AddUint32(p + "attention.indexer.head_count", static_cast<uint64_t>(c.indexer.heads));
  out.AddUint32(p + "attention.indexer.key_length", static_cast<uint64_t>(c.indexer.head_dim));
  out.AddUint32(p + "attention.indexer.top_k", static_cast<uint64_t>(c.indexer.top_k));
}

void GlmDsaToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  SparseToGguf(c, p, out);
  std::vector<bool> own;
  for (int64_t i = 0; i < c.n_layers; ++i) own.push_back(!c.Layer(i).shared_index);
  out.AddBools(p + "attention.indexer.types", own);
}

void DeepSeekToHf(const ModelConfig& c, Json& out) {
  const LatentConfig& l = c.latent;
  const ExpertConfig& e = c.experts;
  if (!e.sigmoid && c.indexer.heads == 0) {
    out["architectures"] = {"DeepseekV2ForCausalLM"};
    out["model_type"] = "deepseek_v2";
  } else if (c.indexer.heads == 0) {
    out["architectures"] = {"DeepseekV3ForCausalLM"};
    out["model_type"] = "deepseek_v3";
  }
  out.erase("head_dim");
  if (!c.rope_interleaved) out["rope_interleave"] = false;
  out["num_nextn_predict_layers"] = 0;  // the class's default is 1
  out["q_lora_rank"] = l.q_rank > 0 ? Json(l.q_rank) : Json(nullptr);
  out["kv_lora_rank"] = l.kv_rank;
  out["qk_nope_head_dim"] = l.nope_dim;
  out["qk_rope_head_dim"] = l.rope_dim;
  out["v_head_dim"] = l.value_dim;
  if (out["rope_scaling"].is_object() && c.rope_scaling.mscale_all_dim > 0) {
    const double mscale = ShortFloat(static_cast<float>(c.rope_scaling.mscale_all_dim));
    out["rope_scaling"]["mscale"] = out["rope_scaling"]["mscale_all_dim"] = mscale;
    out["rope_scaling"].erase("attention_factor");  // follows from the two
  }
  if (e.count == 0) return;
  int64_t dense = 0;
  while (dense < c.n_layers && !c.Layer(dense).experts) ++dense;
  out["first_k_dense_replace"] = dense;
  out["n_routed_experts"] = e.count;
  out["num_experts_per_tok"] = e.used;
  out["moe_intermediate_size"] = e.feed_forward;
  out["n_shared_experts"] = e.feed_forward > 0 ? e.shared_feed_forward / e.feed_forward : 0;
  out["routed_scaling_factor"] = ShortFloat(e.scale);
  out["scoring_func"] = e.sigmoid ? "sigmoid" : "softmax";
  out["norm_topk_prob"] = e.renormalize;
  out["topk_method"] = e.sigmoid ? "noaux_tc" : e.groups > 1 ? "group_limited_greedy" : "greedy";
  out["n_group"] = e.groups;
  out["topk_group"] = e.groups_used;
}

void SparseToHf(const ModelConfig& c, Json& out) {
  DeepSeekToHf(c, out);
  out["index_n_heads"] = c.indexer.heads;
  out["index_head_dim"] = c.indexer.head_dim;
  out["index_topk"] = c.indexer.top_k;
  if (c.architecture != "glm-dsa") return;
  out["indexer_types"] = Json::array();
  for (int64_t i = 0; i < c.n_layers; ++i) out["indexer_types"].push_back(c.Layer(i).shared_index ? "shared" : "full");
}

}  // namespace

ArchitectureSpec DeepSeek2Spec() {
  ArchitectureSpec spec;
  spec.name = "deepseek2";
  spec.classes = {"DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM", "KimiK2ForCausalLM"};
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
  spec.rope_from_hf = LatentRopeFromHf;
  spec.from_gguf = DeepSeekFromGguf;
  spec.as_made = DeepSeekAsMade;
  spec.to_gguf = DeepSeekToGguf;
  spec.to_hf = DeepSeekToHf;
  return spec;
}

ArchitectureSpec DeepSeek32Spec() {
  ArchitectureSpec spec = DeepSeek2Spec();
  spec.name = "deepseek32";
  spec.classes = {"DeepseekV32ForCausalLM"};
  spec.model_types = {"deepseek_v32"};
  spec.from_hf = SparseFromHf;
  spec.from_gguf = SparseFromGguf;
  spec.to_gguf = SparseToGguf;
  spec.to_hf = SparseToHf;
  return spec;
}

ArchitectureSpec GlmDsaSpec() {
  ArchitectureSpec spec = DeepSeek32Spec();
  spec.name = "glm-dsa";
  spec.classes = {"GlmMoeDsaForCausalLM"};
  spec.model_types = {"glm_moe_dsa"};
  spec.wire = [](ModelConfig& c) { c.indexer.interleaved = true; };
  spec.from_hf = GlmDsaFromHf;
  spec.from_gguf = GlmDsaFromGguf;
  spec.to_gguf = GlmDsaToGguf;
  return spec;
}

}  // namespace assay
