// Gemma 3n (text): several residual streams (AltUp), of which a layer computes one; a projection of low rank beside
// attention (Laurel); an embedding of each layer's own of every token, but for those of images and sound; gates of the
// first layers of which few elements pass; the last layers attend to what layers before them have kept.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "describe/arch/gemma.h"
#include "describe/arch/spec.h"
#include "statistics/interval.h"

namespace assay {
namespace {

constexpr int64_t kPattern = 5;
constexpr const char* kWidths = "intermediate_sizes";  // ours, for the list that intermediate_size may be

// What llama.cpp's gemma3n has whatever the file says.
constexpr int64_t kStreams = 4, kLaurelRank = 64, kOwnInput = 256, kLayersWithKeys = 20, kSparseLayers = 10;
constexpr double kCap = 30.0;
constexpr float kBound = 1.6448533535003662f;  // 95 % of a normal distribution lie below

void Wire(ModelConfig& c) {
  WireGemma(c);
  c.qk_norm = QkNorm::kHead;
  c.value_norm = true;
  c.attention_scale = 1.0;
  c.rope_theta = 1000000.0;
}

/// As both containers' readers have it: of float32.
double BoundOf(double part) {
  return static_cast<double>(static_cast<float>(NormalQuantile(static_cast<double>(static_cast<float>(part)))));
}

/// The shortest number of which BoundOf makes the same, as far as quantile functions agree.
double PartOf(double bound) {
  const double part = NormalCdf(bound);
  for (int digits = 1; digits < 17; ++digits) {
    const double rounded = std::stod(fmt::format("{:.{}g}", part, digits));
    if (rounded > 0.0 && rounded < 1.0 && std::abs(BoundOf(rounded) - bound) < 1e-6) return rounded;
  }
  return part;
}

void SetBound(LayerConfig& layer, bool sparse, double bound) {
  layer.sparse_gate = sparse;
  layer.gate_bound = sparse ? bound : 0.0;
}

void ReadSparsity(const HfFields& in, ModelConfig& c) {
  const Json* pattern = in.Has("activation_sparsity_pattern") ? &in.json["activation_sparsity_pattern"] : nullptr;
  if (pattern && (!pattern->is_array() || static_cast<int64_t>(pattern->size()) != c.n_layers))
    Fail(ErrorKind::kCorrupt, "{}: activation_sparsity_pattern: expected a list of {}, one a layer", in.where,
         c.n_layers);
  for (int64_t i = 0; i < c.n_layers; ++i) {
    double part = c.n_layers > 10 && i < 10 ? 0.95 : 0.0;  // the class's
    if (pattern) {
      const Json& stated = (*pattern)[static_cast<size_t>(i)];
      part = stated.is_number() ? stated.get<double>() : -1.0;
      if (!(part >= 0.0 && part < 1.0))
        Fail(ErrorKind::kCorrupt, "{}: activation_sparsity_pattern: layer {}: expected 0 to less than 1, found {}",
             in.where, i, DumpJson(stated));
    }
    SetBound(c.layers[static_cast<size_t>(i)], part > 0.0, part > 0.0 ? BoundOf(part) : 0.0);
  }
}

/// intermediate_size may be a list, one a layer.
void SplitWidths(Json& config) {
  auto width = config.find("intermediate_size");
  if (width == config.end() || !width->is_array()) return;
  const Json all = *width;
  config["intermediate_size"] = all.empty() ? Json(nullptr) : all[0];
  config[kWidths] = all;
}

void ReadWidths(const HfFields& in, ModelConfig& c) {
  if (!in.Has(kWidths)) return;
  const Json& widths = in.json[kWidths];
  if (static_cast<int64_t>(widths.size()) != c.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: intermediate_size: expected a number or a list of {}, one a layer", in.where,
         c.n_layers);
  for (size_t i = 0; i < widths.size(); ++i) {
    if (!widths[i].is_number_integer())
      Fail(ErrorKind::kCorrupt, "{}: intermediate_size: layer {}: expected a whole number, found {}", in.where, i,
           DumpJson(widths[i]));
    const auto own = widths[i].get<int64_t>();
    if (own < 1) Fail(ErrorKind::kCorrupt, "{}: intermediate_size: layer {}: found {}", in.where, i, own);
    c.layers[i].feed_forward = own == c.feed_forward ? 0 : own;
  }
}

void FromHf(const HfFields& in, ModelConfig& c) {
  ScaleEmbedding(c);
  c.activation = ReadActivation(in, "hidden_activation", "gelu_pytorch_tanh");
  c.logit_softcap = in.Number("final_logit_softcapping", 0.0);
  c.sliding_window = ReadWindow(in, 512);
  ReadLayerTypes(in, c, kPattern);
  SetAllLayers(c);
  SetLocalRope(c, 10000.0);
  ReadWidths(in, c);
  ReadSparsity(in, c);
  ShareKeys(c, in.Int("num_kv_shared_layers", 15), in.where);
  c.per_layer_input = in.Int("hidden_size_per_layer_input", kOwnInput);
  c.per_layer_rows = in.Int("vocab_size_per_layer_input", c.vocab);
  if (c.per_layer_rows < 1 || c.per_layer_rows > c.vocab)
    Fail(ErrorKind::kUnsupported, "{}: vocab_size_per_layer_input {} beside a vocabulary of {}", in.where,
         c.per_layer_rows, c.vocab);
  if (c.per_layer_rows == c.vocab) c.per_layer_rows = 0;
  c.laurel_rank = in.Int("laurel_rank", kLaurelRank);
  c.alt_up.streams = in.Int("altup_num_inputs", kStreams);
  c.alt_up.active = in.Int("altup_active_idx", 0);
  c.alt_up.scaled = in.Bool("altup_correct_scale", true);
  if (c.alt_up.streams < 1)
    Fail(ErrorKind::kCorrupt, "{}: altup_num_inputs: expected at least 1, found {}", in.where, c.alt_up.streams);
}

Json RopeJson(double theta, const RopeScaling& rope) {
  Json out = {{"rope_type", "default"}, {"rope_theta", ShortFloat(theta)}};
  if (rope.kind == RopeScaling::Kind::kNone) return out;
  if (rope.kind != RopeScaling::Kind::kLinear)
    Fail(ErrorKind::kUnsupported, "config.json of a Gemma 3n is written with RoPE of the types default and linear");
  out["rope_type"] = "linear";
  out["factor"] = ShortFloat(rope.factor);
  return out;
}

void ToHf(const ModelConfig& c, Json& out) {
  for (const char* key : {"hidden_act", "mlp_bias", "rope_scaling", "rope_theta"}) out.erase(key);
  Json widths = Json::array(), parts = Json::array();
  for (const LayerConfig& layer : c.layers) {
    widths.push_back(c.FeedForward(layer));
    parts.push_back(layer.sparse_gate ? PartOf(layer.gate_bound) : 0.0);
  }
  out["intermediate_size"] = widths;
  out["activation_sparsity_pattern"] = parts;
  out["hidden_activation"] = ActivationName(c.activation);
  out["final_logit_softcapping"] = c.logit_softcap > 0 ? Json(ShortFloat(c.logit_softcap)) : Json(nullptr);
  out["sliding_window"] = c.sliding_window;
  out["layer_types"] = LayerTypesJson(c);
  out["num_kv_shared_layers"] = SharedLayers(c);
  out["hidden_size_per_layer_input"] = c.per_layer_input;
  out["vocab_size_per_layer_input"] = c.PerLayerRows();
  out["laurel_rank"] = c.laurel_rank;
  out["altup_num_inputs"] = c.alt_up.streams;
  out["altup_active_idx"] = c.alt_up.active;
  out["altup_correct_scale"] = c.alt_up.scaled;
  out["rope_parameters"] = {{"full_attention", RopeJson(c.rope_theta, c.rope_scaling)},
                            {"sliding_attention", RopeJson(c.rope_local_theta, c.rope_local_scaling)}};
}

/// Layers behind the first `own` attend to the last of those: with a window, to the last but one.
void ShareFrom(ModelConfig& c, int64_t own, const std::string& where) {
  for (int64_t i = own; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    const int64_t owner = own - (layer.window > 0 ? 2 : 1);
    if (c.Layer(owner).window != layer.window)
      Fail(ErrorKind::kUnsupported, "{}: llama.cpp takes the keys and values of layer {} for layer {}, of another kind",
           where, owner, i);
    layer.kv_back = i - owner;
  }
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  ScaleEmbedding(c);
  for (auto [key, taken] : {std::pair{"altup.num_inputs", kStreams},
                            {"altup.active_idx", int64_t{0}},
                            {"embedding_length_per_layer_input", kOwnInput}})
    if (in.Int(key, taken) != taken)
      Fail(ErrorKind::kUnsupported, "{}: metadata {}{} {}; supported is {}, as in llama.cpp", in.file.where, in.prefix,
           key, in.Int(key), taken);
  c.alt_up.streams = kStreams;
  c.laurel_rank = kLaurelRank;
  c.per_layer_input = kOwnInput;
  c.logit_softcap = kCap;
  c.sliding_window = in.Int("attention.sliding_window");
  ReadWindowPattern(in, c, kPattern);
  SetAllLayers(c);
  SetLocalRope(c, in.Number("rope.freq_base_swa", 10000.0));
  const int64_t width = in.OfLayer("feed_forward_length", 0, 0);
  for (int64_t i = 0; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    const int64_t own = in.OfLayer("feed_forward_length", i, 0);
    layer.feed_forward = own == width ? 0 : own;
    SetBound(layer, i < kSparseLayers, static_cast<double>(kBound));
  }
  ShareFrom(c, kLayersWithKeys, in.file.where);
  c.sample_deviation = true;
}

/// The file's numbers where llama.cpp has its own.
void AsMade(const GgufFields& in, ModelConfig& c, std::vector<std::string>& differences) {
  if (std::any_of(c.layers.begin(), c.layers.end(), [](const LayerConfig& layer) { return layer.sparse_gate; }))
    differences.push_back(
        "llama.cpp takes the deviation of a gate over one element less than its maker: a little less of it passes");
  c.sample_deviation = false;
  if (const double cap = in.Number("final_logit_softcapping", kCap); cap != kCap) {
    differences.push_back(
        fmt::format("the file caps logits at {}, llama.cpp's gemma3n at {} whatever it says", cap, kCap));
    c.logit_softcap = cap;
  }
  if (const int64_t shared = in.Int("attention.shared_kv_layers", SharedLayers(c)); shared != SharedLayers(c)) {
    differences.push_back(
        fmt::format("the file says that {} layers attend to the keys and values of others, which in llama.cpp all "
                    "behind the first {} do",
                    shared, kLayersWithKeys));
    for (LayerConfig& layer : c.layers) layer.kv_back = 0;
    ShareKeys(c, shared, in.file.where);
  }
  const std::string key = in.prefix + "activation_sparsity_scale";
  const GgufValue* bounds = in.file.Find(key);
  if (!bounds) return;
  if (bounds->type != GgufType::kArray || bounds->element != GgufType::kFloat32 ||
      static_cast<int64_t>(bounds->count) != c.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}: expected {} numbers of float32, one a layer", in.file.where, key,
         c.n_layers);
  bool same = true;
  for (int64_t i = 0; i < c.n_layers; ++i) {
    LayerConfig& layer = c.layers[static_cast<size_t>(i)];
    const double bound = bounds->ItemNumber(static_cast<uint64_t>(i));
    const bool sparse = !(std::isinf(bound) && bound < 0);
    same = same && sparse == layer.sparse_gate && (!sparse || std::abs(bound - layer.gate_bound) < 1e-6);
    SetBound(layer, sparse, bound);
  }
  if (same) return;
  differences.push_back(
      fmt::format("the file's activation_sparsity_scale is not read by llama.cpp, whose gates of the first {} layers "
                  "have the bound {}",
                  kSparseLayers, kBound));
}

void ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  std::vector<bool> windows;
  std::vector<float> bounds;
  for (const LayerConfig& layer : c.layers) {
    windows.push_back(layer.window > 0);
    bounds.push_back(layer.sparse_gate ? static_cast<float>(layer.gate_bound) : -HUGE_VALF);
  }
  auto add = [&](const char* key, int64_t value) { out.AddUint32(p + key, static_cast<uint64_t>(value)); };
  add("altup.active_idx", c.alt_up.active);
  add("altup.num_inputs", c.alt_up.streams);
  add("embedding_length_per_layer_input", c.per_layer_input);
  add("attention.shared_kv_layers", SharedLayers(c));
  out.AddFloats(p + "activation_sparsity_scale", bounds);
  out.AddBools(p + "attention.sliding_window_pattern", windows);
  out.AddFloat32(p + "rope.freq_base_swa", c.rope_local_theta);
  out.AddFloat32(p + "final_logit_softcapping", c.logit_softcap);
}

}  // namespace

ArchitectureSpec Gemma3nSpec() {
  ArchitectureSpec spec;
  spec.name = "gemma3n";
  spec.classes = {"Gemma3nForCausalLM"};
  spec.model_types = {"gemma3n_text"};
  spec.gguf_layers_differ = true;
  spec.hf = {
      {"post_attention_norm", "post_attention_layernorm"},
      {"ffn_norm", "pre_feedforward_layernorm"},
      {"post_ffw_norm", "post_feedforward_layernorm"},
  };
  spec.rope_main = {"full_attention"};
  spec.rope_local = {"sliding_attention", "rope_local_base_freq"};
  spec.normalize = SplitWidths;
  spec.wire = Wire;
  spec.from_hf = FromHf;
  spec.to_hf = ToHf;
  spec.from_gguf = FromGguf;
  spec.to_gguf = ToGguf;
  spec.as_made = AsMade;
  return spec;
}

}  // namespace assay
