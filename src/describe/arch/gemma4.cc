// Gemma 4 (text): Gemma's norms, not stored less one; layers with full attention have heads of their own size and
// number, whose values may be the keys, and turn a part of each; the last layers attend to what layers before them have
// kept. The small models give each layer an embedding of its own of every token; the mixture has its experts beside a
// dense block.

#include <algorithm>

#include "base/error.h"
#include "describe/arch/gemma.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

constexpr int64_t kPattern = 6;

void Wire(ModelConfig& c) {
  WireGemma(c);
  c.qk_norm = QkNorm::kHead;
  c.value_norm = true;
  c.attention_scale = 1.0;
  c.layer_scale = true;
  c.experts.beside_dense = true;
  c.experts.renormalize = true;
}

/// Heads of a layer: how large, and how many of keys and values.
struct HeadSizes {
  int64_t dim, kv_heads;
  bool operator==(const HeadSizes&) const = default;
};

/// The model's are those of layers that see all, as in GGUF; a layer with a window says how its differ.
void SetHeads(ModelConfig& c, HeadSizes full, HeadSizes windowed) {
  c.head_dim = full.dim;
  c.n_kv_heads = full.kv_heads;
  c.rope_local_dim = windowed.dim;
  for (LayerConfig& layer : c.layers) {
    if (layer.window == 0) continue;
    layer.head_dim = windowed.dim == full.dim ? 0 : windowed.dim;
    layer.kv_heads = windowed.kv_heads == full.kv_heads ? 0 : windowed.kv_heads;
  }
}

/// What per_layer_config has instead of `sizes` for a layer; other numbers of a layer's own are not supported.
HeadSizes Overridden(const HfFields& in, const Json& layers, int64_t i, HeadSizes sizes) {
  for (const auto& [key, own] : layers.items()) {
    if (std::atoll(key.c_str()) != i) continue;
    const std::string where = fmt::format("{}: per_layer_config: {}", in.where, key);
    if (!own.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", where, own.type_name());
    for (const auto& [name, value] : own.items())
      if (name != "head_dim" && name != "num_key_value_heads")
        Fail(ErrorKind::kUnsupported,
             "{}: {} of a single layer is not supported; supported: head_dim, "
             "num_key_value_heads",
             where, name);
    const HfFields fields{own, where};
    return {fields.Int("head_dim", sizes.dim), fields.Int("num_key_value_heads", sizes.kv_heads)};
  }
  return sizes;
}

/// Of layers with and without a window; they are the same in all layers of a kind.
void ReadHeads(const HfFields& in, ModelConfig& c) {
  const HeadSizes stated{c.head_dim, c.n_kv_heads};
  const bool by_layer = in.Stated("per_layer_config");
  const Json layers = in.Has("per_layer_config") ? in.json["per_layer_config"] : Json::object();
  if (!layers.is_object())
    Fail(ErrorKind::kCorrupt, "{}: per_layer_config: expected an object, found {}", in.where, layers.type_name());
  HeadSizes full = stated;
  if (!by_layer) {
    full.dim = in.Int("global_head_dim", 512);
    if (in.Bool("attention_k_eq_v", false)) full.kv_heads = in.Int("num_global_key_value_heads", full.kv_heads);
  }
  HeadSizes found[2] = {full, stated};
  bool seen[2] = {false, false};
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const size_t kind = c.Layer(i).window > 0;
    const HeadSizes own = Overridden(in, layers, i, kind == 0 ? full : stated);
    if (seen[kind] && !(own == found[kind]))
      Fail(ErrorKind::kUnsupported,
           "{}: per_layer_config: layer {} has {} heads of {} elements for keys and values, "
           "others of its kind {} of {}",
           in.where, i, own.kv_heads, own.dim, found[kind].kv_heads, found[kind].dim);
    found[kind] = own;
    seen[kind] = true;
  }
  for (const HeadSizes& sizes : found)
    if (sizes.dim < 1 || sizes.kv_heads < 1)
      Fail(ErrorKind::kCorrupt, "{}: {} heads of {} elements for keys and values", in.where, sizes.kv_heads, sizes.dim);
  SetHeads(c, found[0], found[1]);
}

void ReadExperts(const HfFields& in, ModelConfig& c) {
  if (!in.Bool("enable_moe_block", false)) return;
  ExpertConfig& e = c.experts;
  e.count = in.Int("num_experts");
  e.used = in.Int("top_k_experts");
  e.feed_forward = in.Int("moe_intermediate_size");
  SetAllExperts(c);
}

void FromHf(const HfFields& in, ModelConfig& c) {
  ScaleEmbedding(c);
  c.activation = ReadActivation(in, "hidden_activation", "gelu_pytorch_tanh");
  c.logit_softcap = in.Number("final_logit_softcapping", 0.0);
  c.sliding_window = ReadWindow(in, 512);
  ReadLayerTypes(in, c, kPattern);
  c.layers.back().window = 0;  // whatever the file says
  ReadHeads(in, c);
  SetLocalRope(c, 10000.0);
  if (in.Bool("attention_k_eq_v", false))
    for (LayerConfig& layer : c.layers) layer.keys_are_values = layer.window == 0;
  ShareKeys(c, in.Int("num_kv_shared_layers", 0), in.where);
  if (in.Bool("use_double_wide_mlp", false))
    for (LayerConfig& layer : c.layers)
      if (layer.kv_back > 0) layer.feed_forward = 2 * c.feed_forward;
  c.per_layer_input = in.Int("hidden_size_per_layer_input", 256);
  if (const int64_t rows = in.Int("vocab_size_per_layer_input", c.vocab); c.per_layer_input > 0 && rows != c.vocab)
    Fail(ErrorKind::kUnsupported, "{}: vocab_size_per_layer_input {} beside a vocabulary of {}", in.where, rows,
         c.vocab);
  ReadExperts(in, c);
}

Json RopeJson(double theta, const RopeScaling& rope, int64_t dim) {
  Json out = {{"rope_type", "default"}, {"rope_theta", ShortFloat(theta)}};
  using enum RopeScaling::Kind;
  if (rope.kind == kNone) return out;
  if (rope.kind != kLinear && rope.kind != kProportional)
    Fail(ErrorKind::kUnsupported,
         "config.json of a Gemma 4 is written with RoPE of the types default, linear and "
         "proportional");
  out["rope_type"] = rope.kind == kLinear ? "linear" : "proportional";
  if (rope.factor != 1.0 || rope.kind == kLinear) out["factor"] = ShortFloat(rope.factor);
  if (rope.kind == kProportional)
    out["partial_rotary_factor"] = static_cast<double>(2 * rope.turned) / static_cast<double>(dim);
  return out;
}

void ToHf(const ModelConfig& c, Json& out) {
  for (const char* key : {"hidden_act", "mlp_bias", "rope_scaling", "rope_theta", "partial_rotary_factor"})
    out.erase(key);
  LayerConfig windowed;
  bool equal_values = false;
  int64_t wide = 0;
  for (const LayerConfig& layer : c.layers) {
    if (layer.window > 0) windowed = layer;
    equal_values = equal_values || layer.keys_are_values;
    wide += layer.feed_forward > 0;
    const bool as_stated = (layer.feed_forward == 0) || (layer.kv_back > 0 && layer.feed_forward == 2 * c.feed_forward);
    if (!as_stated || (layer.keys_are_values && layer.window > 0))
      Fail(ErrorKind::kUnsupported,
           "config.json of a Gemma 4 cannot state layers of these feed-forward sizes, or a "
           "layer with a window whose values are its keys");
  }
  const int64_t shared = SharedLayers(c);
  if (wide > 0 && wide != shared)
    Fail(ErrorKind::kUnsupported, "config.json of a Gemma 4 cannot state feed-forward sizes of single layers");
  if (equal_values && std::any_of(c.layers.begin(), c.layers.end(), [](const LayerConfig& layer) {
        return layer.window == 0 && layer.kv_back == 0 && !layer.keys_are_values;
      }))
    Fail(ErrorKind::kUnsupported, "config.json of a Gemma 4 cannot state values that are keys in single layers");
  out["hidden_activation"] = ActivationName(c.activation);
  out["final_logit_softcapping"] = c.logit_softcap > 0 ? Json(ShortFloat(c.logit_softcap)) : Json(nullptr);
  out["sliding_window"] = c.sliding_window;
  out["layer_types"] = LayerTypesJson(c);
  out["head_dim"] = c.HeadDim(windowed);
  out["num_key_value_heads"] = c.KvHeads(windowed);
  out["global_head_dim"] = c.head_dim;
  out["attention_k_eq_v"] = equal_values;
  out["num_global_key_value_heads"] = equal_values ? Json(c.n_kv_heads) : Json(nullptr);
  if (!equal_values && windowed.kv_heads > 0)
    Fail(ErrorKind::kUnsupported,
         "config.json of a Gemma 4 whose values are not its keys has one number of key-value "
         "heads");
  out["num_kv_shared_layers"] = shared;
  out["use_double_wide_mlp"] = wide > 0;
  out["hidden_size_per_layer_input"] = c.per_layer_input;
  out["vocab_size_per_layer_input"] = c.vocab;
  out["rope_parameters"] = {
      {"full_attention", RopeJson(c.rope_theta, c.rope_scaling, c.rotary_dim)},
      {"sliding_attention", RopeJson(c.rope_local_theta, c.rope_local_scaling, c.LocalRotaryDim())}};
  const ExpertConfig& e = c.experts;
  out["enable_moe_block"] = e.count > 0;
  if (e.count == 0) return;
  out["num_experts"] = e.count;
  out["top_k_experts"] = e.used;
  out["moe_intermediate_size"] = e.feed_forward;
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  ScaleEmbedding(c);
  c.logit_softcap = in.Number("final_logit_softcapping", 0.0);
  c.sliding_window = in.Int("attention.sliding_window");
  ReadWindowPattern(in, c, 0);
  SetAllLayers(c);
  HeadSizes full{c.head_dim, c.n_kv_heads}, windowed{in.Int("attention.key_length_swa", c.head_dim), c.n_kv_heads};
  const int64_t width = in.OfLayer("feed_forward_length", 0, 0);
  for (int64_t i = 0; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    (layer.window > 0 ? windowed : full).kv_heads = in.OfLayer("attention.head_count_kv", i, c.n_heads);
    const int64_t own = in.OfLayer("feed_forward_length", i, 0);
    layer.feed_forward = own == width ? 0 : own;
  }
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const bool window = c.Layer(i).window > 0;
    const int64_t heads = in.OfLayer("attention.head_count_kv", i, c.n_heads);
    if (heads != (window ? windowed : full).kv_heads)
      Fail(ErrorKind::kUnsupported, "{}: metadata {}attention.head_count_kv: layer {} has {}, others of its kind {}",
           in.file.where, in.prefix, i, heads, (window ? windowed : full).kv_heads);
  }
  SetHeads(c, full, windowed);
  c.rope_local_dim = in.Int("rope.dimension_count_swa", c.rotary_dim);
  SetLocalRope(c, in.Number("rope.freq_base_swa", 10000.0));
  for (int64_t i = 0; i < c.n_layers; ++i)
    c.layers[static_cast<size_t>(i)].keys_are_values = !in.file.HasTensor(fmt::format("blk.{}.attn_v.weight", i));
  ShareKeys(c, in.Int("attention.shared_kv_layers", 0), in.file.where);
  c.per_layer_input = in.Int("embedding_length_per_layer_input");
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count", 0);
  if (e.count == 0) return;
  e.used = in.Int("expert_used_count");
  e.feed_forward = in.Int("expert_feed_forward_length");
  SetAllExperts(c);
  c.gguf_gate_up = in.file.HasTensor("blk.0.ffn_gate_up_exps.weight");
}

void ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  LayerConfig windowed;
  std::vector<bool> windows;
  for (const LayerConfig& layer : c.layers) {
    windows.push_back(layer.window > 0);
    if (layer.window > 0) windowed = layer;
  }
  out.AddBools(p + "attention.sliding_window_pattern", windows);
  auto add = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  add("attention.key_length_swa", c.HeadDim(windowed));
  add("attention.value_length_swa", c.HeadDim(windowed));
  add("rope.dimension_count_swa", c.LocalRotaryDim());
  out.AddFloat32(p + "rope.freq_base_swa", c.rope_local_theta);
  add("attention.shared_kv_layers", SharedLayers(c));
  add("embedding_length_per_layer_input", c.per_layer_input);
  if (c.logit_softcap > 0) out.AddFloat32(p + "final_logit_softcapping", c.logit_softcap);
  if (c.experts.count > 0) add("expert_feed_forward_length", c.experts.feed_forward);
}

}  // namespace

ArchitectureSpec Gemma4Spec() {
  ArchitectureSpec spec;
  spec.name = "gemma4";
  spec.classes = {"Gemma4ForCausalLM"};
  spec.model_types = {"gemma4_text"};
  spec.mixture = spec.dense_too = true;
  spec.gguf_layers_differ = spec.layer_overrides = spec.proportional_rope = true;
  spec.hf = {
      {"post_attention_norm", "post_attention_layernorm"},
      {"ffn_norm", "pre_feedforward_layernorm"},
      {"post_ffw_norm", "post_feedforward_layernorm"},
      {"post_ffw_norm_1", "post_feedforward_layernorm_1"},
      {"pre_ffw_norm_2", "pre_feedforward_layernorm_2"},
      {"post_ffw_norm_2", "post_feedforward_layernorm_2"},
      {"ffn_gate_inp", "router.proj"},
      {"ffn_gate_inp_scale", "=router.scale"},
      {"ffn_down_exps_scale", "=router.per_expert_scale"},
      {"expert_gate", "=experts.gate_up_proj"},
      {"expert_up", "=experts.gate_up_proj"},
      {"expert_down", "=experts.down_proj"},
  };
  spec.gguf = {{"ffn_gate_inp_scale", "=ffn_gate_inp.scale"}, {"ffn_down_exps_scale", "=ffn_down_exps.scale"}};
  spec.rope_main = {"full_attention"};
  spec.rope_local = {"sliding_attention"};
  spec.rope_default = R"({"full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25,
      "rope_theta": 1000000.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})";
  spec.normalize = [](Json& config) { config.erase("rope_scaling"); };  // the class has no old words for it
  spec.wire = Wire;
  spec.from_hf = FromHf;
  spec.to_hf = ToHf;
  spec.from_gguf = FromGguf;
  spec.to_gguf = ToGguf;
  return spec;
}

}  // namespace assay
