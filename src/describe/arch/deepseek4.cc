// DeepSeek V4: several residual streams (hyper-connections), attention over a window and over compressed entries of
// all that came before, experts that a table of token ids chooses in the first layers. Source: transformers
// models/deepseek_v4; the tensors have the names of DeepSeek's release. GGUF: llama.cpp src/models/deepseek4.cpp.

#include <algorithm>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

const Json& PerLayer(const HfFields& in, const char* key, const ModelConfig& c) {
  const Json& list = in.json[key];
  if (!list.is_array() || static_cast<int64_t>(list.size()) < c.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: {}: expected a list of {}, one a layer", in.where, key, c.n_layers);
  return list;
}

[[noreturn]] void RefuseLayer(const HfFields& in, const char* key, int64_t layer, const Json& found) {
  Fail(ErrorKind::kUnsupported, "{}: {}: layer {} is {}", in.where, key, layer, DumpJson(found));
}

/// Positions to an entry of either kind: compress_rates, or one key for each.
int64_t Rate(const HfFields& in, const char* kind, const char* key, int64_t fallback) {
  if (in.Has(key)) return in.Int(key);
  if (!in.Has("compress_rates") || !in.json["compress_rates"].is_object()) return fallback;
  const Json& rates = in.json["compress_rates"];
  return rates.contains(kind) ? JsonInt(rates, kind, in.where) : fallback;
}

/// layer_types by name, else the release's compress_ratios (0, 4, 128), else its pattern.
void ReadAttention(const HfFields& in, ModelConfig& c) {
  const int64_t sparse = Rate(in, "compressed_sparse_attention", "compress_rate_csa", 4);
  const int64_t heavy = Rate(in, "heavily_compressed_attention", "compress_rate_hca", 128);
  for (int64_t i = 0; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    layer.window = c.sliding_window;
    layer.overlapped = i >= 2 && i % 2 == 1;
    layer.compress = layer.overlapped ? sparse : heavy;
    if (in.Has("layer_types")) {
      const Json& type = PerLayer(in, "layer_types", c)[static_cast<size_t>(i)];
      layer.overlapped = type == "compressed_sparse_attention";
      if (!layer.overlapped && type != "heavily_compressed_attention" && type != "sliding_attention")
        RefuseLayer(in, "layer_types", i, type);
      layer.compress = layer.overlapped ? sparse : type == "sliding_attention" ? 0 : heavy;
    } else if (in.Has("compress_ratios")) {
      const Json& ratio = PerLayer(in, "compress_ratios", c)[static_cast<size_t>(i)];
      if (ratio != 0 && ratio != 4 && ratio != 128) RefuseLayer(in, "compress_ratios", i, ratio);
      layer.overlapped = ratio == 4;
      layer.compress = ratio == 0 ? 0 : layer.overlapped ? sparse : heavy;
    }
    layer.local_rope = layer.compress == 0;
  }
}

void ReadExperts(const HfFields& in, ModelConfig& c) {
  ExpertConfig& e = c.experts;
  e.count = in.Int("n_routed_experts");
  e.used = in.Int("num_experts_per_tok");
  e.feed_forward = in.Int("moe_intermediate_size");
  // The library builds one shared expert of this width, whatever n_shared_experts says.
  e.shared_feed_forward = e.feed_forward;
  e.scale = in.Number("routed_scaling_factor", 1.5);
  e.renormalize = true;
  e.correction = Presence::kAlways;
  const std::string scores = in.Text("scoring_func", "sqrtsoftplus");
  e.sqrt_softplus = scores == "sqrtsoftplus";
  e.sigmoid = scores == "sigmoid";
  if (!e.sqrt_softplus && !e.sigmoid && scores != "softmax")
    Fail(ErrorKind::kUnsupported, "{}: scoring_func {}: supported are sqrtsoftplus, sigmoid, softmax", in.where,
         scores);
  const int64_t hashed = in.Int("num_hash_layers", 3);
  for (int64_t i = 0; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    layer.experts = true;
    layer.hashed = i < hashed;
    if (!in.Has("mlp_layer_types")) continue;
    const Json& type = PerLayer(in, "mlp_layer_types", c)[static_cast<size_t>(i)];
    layer.hashed = type == "hash_moe";
    if (!layer.hashed && type != "moe") RefuseLayer(in, "mlp_layer_types", i, type);
  }
}

void FromHf(const HfFields& in, ModelConfig& c) {
  CompressedConfig& x = c.compressed;
  c.n_kv_heads = 1;
  x.q_rank = in.Int("q_lora_rank");
  const double turned = static_cast<double>(c.head_dim) * in.Number("partial_rotary_factor", 0.125);
  x.rope_dim = in.Has("qk_rope_head_dim")      ? in.Int("qk_rope_head_dim")
               : turned > 0 && turned <= 65536 ? static_cast<int64_t>(turned)
                                               : 0;
  c.rotary_dim = x.rope_dim;
  x.groups = in.Int("o_groups");
  x.group_rank = in.Int("o_lora_rank");
  c.indexer.heads = in.Int("index_n_heads");
  c.indexer.head_dim = in.Int("index_head_dim");
  c.indexer.top_k = in.Int("index_topk");
  c.hyper.streams = in.Int("hc_mult");
  c.hyper.iterations = in.Int("hc_sinkhorn_iters", 20);
  c.hyper.epsilon = in.Number("hc_eps", 1e-6);
  c.sliding_window = in.Int("sliding_window");
  if (c.activation != Activation::kSilu)
    Fail(ErrorKind::kUnsupported, "{}: hidden_act {} is not supported; supported: silu", in.where,
         in.Text("hidden_act", ""));
  c.activation = Activation::kClampedSilu;
  c.swiglu_limit = in.Number("swiglu_limit", 10.0);
  c.extra_layers = in.Int("num_nextn_predict_layers", 0);
  SetAllLayers(c);
  ReadAttention(in, c);
  ReadExperts(in, c);
}

constexpr int64_t kSparseRate = 4, kHeavyRate = 128;  // those that GGUF's readers know
constexpr int64_t kSqrtSoftplus = 4;                  // expert_gating_func

const GgufValue& PerLayerNumbers(const GgufFields& in, const char* key, const ModelConfig& c) {
  const GgufValue* value = in.file.Find(in.prefix + key);
  if (!value || value->type != GgufType::kArray || GgufTypeBytes(value->element) == 0 ||
      static_cast<int64_t>(value->count) < c.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}{}: expected {} numbers, one a layer", in.file.where, in.prefix, key,
         c.n_layers);
  return *value;
}

/// One number a layer, which must be the same; null: the key states one for all.
const GgufValue* SameInAll(const GgufFields& in, const char* key, const ModelConfig& c) {
  const GgufValue* value = in.file.Find(in.prefix + key);
  if (!value || value->type != GgufType::kArray) return nullptr;
  const GgufValue& numbers = PerLayerNumbers(in, key, c);
  for (int64_t i = 1; i < c.n_layers; ++i)
    if (numbers.ItemNumber(static_cast<uint64_t>(i)) != numbers.ItemNumber(0))
      Fail(ErrorKind::kUnsupported, "{}: metadata {}{}: layers that differ", in.file.where, in.prefix, key);
  return &numbers;
}

double Limit(const GgufFields& in, const char* key, const ModelConfig& c) {
  const GgufValue* numbers = SameInAll(in, key, c);
  const double limit = numbers ? numbers->ItemNumber(0) : in.Number(key, 0.0);
  if (!(limit > 1e-6 && limit < 1e30))
    Fail(ErrorKind::kUnsupported, "{}: metadata {}{}: expected a limit, found {}", in.file.where, in.prefix, key,
         limit);
  return limit;
}

void LayersFromGguf(const GgufFields& in, ModelConfig& c) {
  const GgufValue& ratios = PerLayerNumbers(in, "attention.compress_ratios", c);
  const int64_t hashed = in.Int("hash_layer_count");
  SetAllLayers(c);
  for (int64_t i = 0; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    layer.compress = ratios.ItemInteger(static_cast<uint64_t>(i));
    if (layer.compress != 0 && layer.compress != kSparseRate && layer.compress != kHeavyRate)
      Fail(ErrorKind::kUnsupported, "{}: metadata {}attention.compress_ratios: layer {} is {}; supported: 0, {}, {}",
           in.file.where, in.prefix, i, layer.compress, kSparseRate, kHeavyRate);
    layer.overlapped = layer.compress == kSparseRate;
    layer.local_rope = layer.compress == 0;
    layer.experts = true;
    layer.hashed = i < hashed;
  }
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  CompressedConfig& x = c.compressed;
  x.q_rank = in.Int("attention.q_lora_rank");
  x.rope_dim = c.rotary_dim;
  x.groups = in.Int("attention.output_group_count");
  x.group_rank = in.Int("attention.output_lora_rank");
  c.indexer.heads = in.Int("attention.indexer.head_count");
  c.indexer.head_dim = in.Int("attention.indexer.key_length");
  c.indexer.top_k = in.Int("attention.indexer.top_k");
  c.hyper.streams = in.Int("hyper_connection.count");
  c.hyper.iterations = in.Int("hyper_connection.sinkhorn_iterations");
  c.hyper.epsilon = in.Number("hyper_connection.epsilon", 0.0);
  c.sliding_window = in.Int("attention.sliding_window");
  c.activation = Activation::kClampedSilu;
  c.swiglu_limit = Limit(in, "swiglu_clamp_exp", c);
  if (in.Has("swiglu_clamp_shexp") && Limit(in, "swiglu_clamp_shexp", c) != c.swiglu_limit)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}swiglu_clamp_shexp: differs from swiglu_clamp_exp", in.file.where,
         in.prefix);
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count");
  e.used = in.Int("expert_used_count");
  const GgufValue* widths = SameInAll(in, "expert_feed_forward_length", c);
  e.shared_feed_forward = e.feed_forward = widths ? widths->ItemInteger(0) : in.Int("expert_feed_forward_length");
  if (const int64_t shared = in.Int("expert_shared_count"); shared != 1)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}expert_shared_count {}: supported is 1", in.file.where, in.prefix,
         shared);
  e.scale = in.Number("expert_weights_scale", 1.0);
  e.renormalize = in.Bool("expert_weights_norm", false);
  e.correction = Presence::kAlways;
  e.sqrt_softplus = true;
  if (const int64_t scores = in.Int("expert_gating_func"); scores != kSqrtSoftplus)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}expert_gating_func {}: supported is {}, sqrtsoftplus", in.file.where,
         in.prefix, scores, kSqrtSoftplus);
  if (c.feed_forward == 0) c.feed_forward = e.feed_forward;
  c.rope_local_theta = c.rope_theta;
  c.rope_theta = in.Number("attention.compress_rope_freq_base", 160000.0);
  if (c.rope_scaling.kind == RopeScaling::Kind::kYarn) c.rope_scaling.attention_factor = 1.0;
  LayersFromGguf(in, c);
}

/// What GGUF's readers take for granted, and where they give up.
void RequireGguf(const ModelConfig& c) {
  if (!c.experts.sqrt_softplus || !c.experts.renormalize)
    Fail(ErrorKind::kUnsupported, "GGUF's readers of deepseek4 score experts by sqrtsoftplus, and make scores add up");
  if (c.hyper.streams != 4)
    Fail(ErrorKind::kUnsupported, "GGUF's readers of deepseek4 know 4 residual streams; this model has {}",
         c.hyper.streams);
  bool hashed = true;
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const LayerConfig layer = c.Layer(i);
    if (layer.compress != 0 && layer.compress != (layer.overlapped ? kSparseRate : kHeavyRate))
      Fail(ErrorKind::kUnsupported,
           "GGUF's readers of deepseek4 know entries of {} positions with an indexer and of {} without; layer {} has "
           "entries of {}",
           kSparseRate, kHeavyRate, i, layer.compress);
    if (layer.hashed && !hashed)
      Fail(ErrorKind::kUnsupported, "GGUF cannot state a layer with a table of experts ({}) behind one without", i);
    hashed = layer.hashed;
  }
}

void ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  RequireGguf(c);
  const ExpertConfig& e = c.experts;
  auto number = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  std::vector<int32_t> ratios;
  int64_t hashed = 0;
  for (int64_t i = 0; i < c.n_layers; ++i) {
    ratios.push_back(static_cast<int32_t>(c.Layer(i).compress));
    if (c.Layer(i).hashed) ++hashed;
  }
  number("attention.q_lora_rank", c.compressed.q_rank);
  number("attention.output_group_count", c.compressed.groups);
  number("attention.output_lora_rank", c.compressed.group_rank);
  number("attention.indexer.head_count", c.indexer.heads);
  number("attention.indexer.key_length", c.indexer.head_dim);
  number("attention.indexer.top_k", c.indexer.top_k);
  out.AddInts(p + "attention.compress_ratios", ratios);
  out.AddFloat32(p + "attention.compress_rope_freq_base", c.rope_theta);
  number("hyper_connection.count", c.hyper.streams);
  number("hyper_connection.sinkhorn_iterations", c.hyper.iterations);
  out.AddFloat32(p + "hyper_connection.epsilon", c.hyper.epsilon);
  number("hash_layer_count", hashed);
  number("embedding_length_out", c.hidden * c.hyper.streams);
  number("expert_feed_forward_length", e.feed_forward);
  number("expert_shared_count", 1);
  out.AddFloat32(p + "expert_weights_scale", e.scale);
  out.AddBool(p + "expert_weights_norm", e.renormalize);
  number("expert_gating_func", kSqrtSoftplus);
  const std::vector<float> limits(static_cast<size_t>(c.n_layers), static_cast<float>(c.swiglu_limit));
  out.AddFloats(p + "swiglu_clamp_exp", limits);
  out.AddFloats(p + "swiglu_clamp_shexp", limits);
}

/// As DeepSeek's release says it; transformers takes these names too.
void ToHf(const ModelConfig& c, Json& out) {
  const ExpertConfig& e = c.experts;
  out["rope_theta"] = ShortFloat(c.rope_local_theta);
  out["compress_rope_theta"] = ShortFloat(c.rope_theta);
  if (out["rope_scaling"].is_object()) out["rope_scaling"].erase("attention_factor");
  out.erase("partial_rotary_factor");
  out["qk_rope_head_dim"] = c.compressed.rope_dim;
  out["q_lora_rank"] = c.compressed.q_rank;
  out["o_groups"] = c.compressed.groups;
  out["o_lora_rank"] = c.compressed.group_rank;
  out["index_n_heads"] = c.indexer.heads;
  out["index_head_dim"] = c.indexer.head_dim;
  out["index_topk"] = c.indexer.top_k;
  out["hc_mult"] = c.hyper.streams;
  out["hc_sinkhorn_iters"] = c.hyper.iterations;
  out["hc_eps"] = ShortFloat(c.hyper.epsilon);
  out["sliding_window"] = c.sliding_window;
  out["swiglu_limit"] = ShortFloat(c.swiglu_limit);
  out["n_routed_experts"] = e.count;
  out["num_experts_per_tok"] = e.used;
  out["n_shared_experts"] = 1;
  out["routed_scaling_factor"] = ShortFloat(e.scale);
  out["scoring_func"] = "sqrtsoftplus";
  out["norm_topk_prob"] = true;
  out["num_nextn_predict_layers"] = 0;
  out["compress_ratios"] = Json::array();
  int64_t hashed = 0;
  for (int64_t i = 0; i < c.n_layers; ++i) {
    out["compress_ratios"].push_back(c.Layer(i).compress);
    if (c.Layer(i).hashed) ++hashed;
  }
  out["num_hash_layers"] = hashed;
}

}  // namespace

ArchitectureSpec DeepSeek4Spec() {
  ArchitectureSpec spec;
  spec.name = "deepseek4";
  spec.classes = {"DeepseekV4ForCausalLM"};
  spec.model_types = {"deepseek_v4"};
  spec.hf_interleaved = spec.gguf_interleaved = true;
  spec.mixture = true;
  spec.roots = {"embed", "layers", "norm", "head", ""};
  spec.hf_keys = {{"moe_intermediate_size", "intermediate_size"}};
  spec.hf = {
      {"attn_norm", "attn_norm"},
      {"ffn_norm", "ffn_norm"},
      {"attn_q_a", "attn.wq_a"},
      {"attn_q_a_norm", "attn.q_norm"},
      {"attn_q_b", "attn.wq_b"},
      {"attn_kv", "attn.wkv"},
      {"attn_kv_a_norm", "attn.kv_norm"},
      {"attn_sinks", "=attn.attn_sink"},
      {"attn_output_a", "attn.wo_a"},
      {"attn_output_b", "attn.wo_b"},
      {"attn_compressor_kv", "attn.compressor.wkv"},
      {"attn_compressor_gate", "attn.compressor.wgate"},
      {"attn_compressor_ape", "=attn.compressor.ape"},
      {"attn_compressor_norm", "attn.compressor.norm"},
      {"indexer.attn_q_b", "attn.indexer.wq_b"},
      {"indexer.proj", "attn.indexer.weights_proj"},
      {"indexer_compressor_kv", "attn.indexer.compressor.wkv"},
      {"indexer_compressor_gate", "attn.indexer.compressor.wgate"},
      {"indexer_compressor_ape", "=attn.indexer.compressor.ape"},
      {"indexer_compressor_norm", "attn.indexer.compressor.norm"},
      {"hc_attn_fn", "=hc_attn_fn"},
      {"hc_attn_base", "=hc_attn_base"},
      {"hc_attn_scale", "=hc_attn_scale"},
      {"hc_ffn_fn", "=hc_ffn_fn"},
      {"hc_ffn_base", "=hc_ffn_base"},
      {"hc_ffn_scale", "=hc_ffn_scale"},
      {"ffn_gate_inp", "ffn.gate"},
      {"ffn_gate_tid2eid", "=ffn.gate.tid2eid"},
      {"exp_probs_b", "ffn.gate"},
      {"expert_gate", "ffn.experts.{}.w1"},
      {"expert_down", "ffn.experts.{}.w2"},
      {"expert_up", "ffn.experts.{}.w3"},
      {"ffn_gate_shexp", "ffn.shared_experts.w1"},
      {"ffn_down_shexp", "ffn.shared_experts.w2"},
      {"ffn_up_shexp", "ffn.shared_experts.w3"},
  };
  spec.from_hf = FromHf;
  spec.partial_rotary = 0.125;
  spec.rope_main = {"compress", "compress_rope_theta"};
  spec.rope_local = {"main"};
  spec.rope_flat = true;
  spec.from_gguf = FromGguf;
  spec.to_gguf = ToGguf;
  spec.to_hf = ToHf;
  return spec;
}

}  // namespace assay
