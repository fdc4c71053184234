#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "describe/arch/spec.h"
#include "describe/hf_wrapper.h"

namespace assay {

std::span<const ArchitectureSpec> ArchitectureSpecs() {
  static const std::vector<ArchitectureSpec> kTable = {
      LlamaSpec(),         Mistral3Spec(),   SmolLm3Spec(),      Qwen2Spec(),       Qwen3Spec(),     Gemma2Spec(),
      Gemma3Spec(),        Gemma3nSpec(),    Gemma4Spec(),       Phi3Spec(),        GraniteSpec(),   Granite4Spec(),
      GraniteHybridSpec(), Glm4Spec(),       CommandRSpec(),     Cohere2Spec(),     Gpt2Spec(),      GptNeoXSpec(),
      MixtralSpec(),       Qwen2MoeSpec(),   Qwen3MoeSpec(),     GptOssSpec(),      Llama4Spec(),    DeepSeek2Spec(),
      DeepSeek32Spec(),    GlmDsaSpec(),     DeepSeek4Spec(),    BitNetSpec(),      Qwen3NextSpec(), Qwen35Spec(),
      Qwen35MoeSpec(),     SeedOssSpec(),    GlmSpec(),          Glm4MoeSpec(),     Ernie45Spec(),   Ernie45MoeSpec(),
      Starcoder2Spec(),    GraniteMoeSpec(), Olmo2Spec(),        Olmo3Spec(),       Exaone4Spec(),   ApertusSpec(),
      HunyuanDenseSpec(),  HunyuanMoeSpec(), MiniMaxM2Spec(),    Glm4MoeLiteSpec(), Lfm2Spec(),      Lfm2MoeSpec(),
      FalconH1Spec(),      NemotronHSpec(),  NemotronHMoeSpec(), NemotronSpec(),    DeciSpec(),
  };
  return kTable;
}

const ArchitectureSpec* FindArchitecture(std::string_view name) {
  for (const ArchitectureSpec& spec : ArchitectureSpecs())
    if (spec.name == name) return &spec;
  return nullptr;
}

std::string_view GgufName(const ArchitectureSpec& spec) {
  return spec.gguf_name.empty() ? spec.name : spec.gguf_name;
}

const ArchitectureSpec* FindArchitectureOfGguf(std::string_view name, bool experts) {
  for (const ArchitectureSpec& spec : ArchitectureSpecs())
    if (spec.in_llama_cpp && GgufName(spec) == name && (spec.mixture == experts || spec.dense_too)) return &spec;
  return nullptr;
}

void RefuseArchitecture(std::string_view where, std::string_view name, bool hugging_face) {
  std::vector<std::string> known;
  for (const ArchitectureSpec& spec : ArchitectureSpecs()) {
    if (hugging_face)
      known.insert(known.end(), spec.classes.begin(), spec.classes.end());
    else if (spec.in_llama_cpp)
      known.emplace_back(spec.name);
  }
  if (hugging_face)
    for (std::string& wrapper : WrapperClasses()) known.push_back(std::move(wrapper));
  if (const ArchitectureSpec* spec = FindArchitecture(name); spec && !hugging_face && !spec->in_llama_cpp)
    Fail(ErrorKind::kUnsupported, "{}: GGUF of architecture {} is not supported; a Hugging Face folder of {} is", where,
         name, spec->classes.front());
  Fail(ErrorKind::kUnsupported, "{}: architecture {} is not supported; supported: {}", where, name, Join(known, ", "));
}

bool HfFields::Has(const char* key) const {
  auto it = json.find(key);
  return it != json.end() && !it->is_null();
}

int64_t ReadWindow(const HfFields& in, int64_t fallback) {
  return in.Stated("sliding_window") ? in.Int("sliding_window", 0) : fallback;
}

int64_t GgufFields::OfLayer(std::string_view key, int64_t layer, int64_t fallback) const {
  const std::string whole = prefix + std::string(key);
  const GgufValue* value = file.Find(whole);
  if (!value || value->type != GgufType::kArray) return file.Int(whole, fallback);
  if (GgufTypeBytes(value->element) == 0 || static_cast<int64_t>(value->count) <= layer)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}: expected an item for each layer, found {}", file.where, whole,
         value->count);
  return value->ItemInteger(static_cast<uint64_t>(layer));
}

int64_t HfFields::Int(const char* key) const {
  constexpr int64_t kLimit = 3'037'000'499;
  const int64_t value = JsonInt(json, key, where);
  if (value < -kLimit || value > kLimit)
    Fail(ErrorKind::kCorrupt, "{}: {}: expected at most {}, found {}", where, key, kLimit, value);
  return value;
}

void SetAllLayers(ModelConfig& config) {
  if (!config.layers.empty()) return;
  LayerConfig layer;
  layer.window = config.sliding_window;
  config.layers.assign(static_cast<size_t>(config.n_layers), layer);
}

void SetAllExperts(ModelConfig& config) {
  SetAllLayers(config);
  for (LayerConfig& layer : config.layers) layer.experts = true;
}

void SetLocalRope(ModelConfig& config, double theta) {
  config.rope_local_theta = theta;
  SetAllLayers(config);
  for (LayerConfig& layer : config.layers) layer.local_rope = layer.window > 0;
}

void ShareKeys(ModelConfig& config, int64_t shared, const std::string& where) {
  if (shared < 0 || shared >= config.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: {} of {} layers share keys and values", where, shared, config.n_layers);
  for (int64_t i = config.n_layers - shared; i < config.n_layers; ++i) {
    LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    int64_t owner = config.n_layers - shared - 1;
    while (owner >= 0 && config.Layer(owner).window != layer.window) --owner;
    if (owner < 0)
      Fail(ErrorKind::kCorrupt, "{}: layer {} shares keys and values, but none of its kind has any", where, i);
    layer.kv_back = i - owner;
    layer.keys_are_values = false;
  }
}

int64_t SharedLayers(const ModelConfig& config) {
  return std::count_if(config.layers.begin(), config.layers.end(),
                       [](const LayerConfig& layer) { return layer.kv_back > 0; });
}

void SetWindowPattern(ModelConfig& config, int64_t pattern) {
  SetAllLayers(config);
  for (int64_t i = 0; i < config.n_layers; ++i)
    config.layers[static_cast<size_t>(i)].window = pattern > 0 && (i + 1) % pattern == 0 ? 0 : config.sliding_window;
}

void ReadSparseLayers(const HfFields& in, ModelConfig& config) {
  SetAllLayers(config);
  const int64_t step = std::max<int64_t>(1, in.Int("decoder_sparse_step", 1));
  for (int64_t i = 0; i < config.n_layers; ++i) config.layers[static_cast<size_t>(i)].experts = (i + 1) % step == 0;
  if (!in.Has("mlp_only_layers") || !in.json["mlp_only_layers"].is_array()) return;
  for (const Json& layer : in.json["mlp_only_layers"])
    if (layer.is_number_integer() && layer.get<int64_t>() >= 0 && layer.get<int64_t>() < config.n_layers)
      config.layers[layer.get<size_t>()].experts = false;
}

bool ReadMlpLayerTypes(const HfFields& in, ModelConfig& config) {
  if (!in.Has("mlp_layer_types")) return false;
  const Json& types = in.json["mlp_layer_types"];
  if (!types.is_array() || static_cast<int64_t>(types.size()) != config.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: mlp_layer_types: expected a list of {}, one a layer", in.where, config.n_layers);
  SetAllLayers(config);
  for (size_t i = 0; i < types.size(); ++i) config.layers[i].experts = types[i] == "sparse";
  return true;
}

void ReadLayerTypes(const HfFields& in, ModelConfig& config, int64_t pattern) {
  if (!in.Has("layer_types")) {
    if (pattern > 0) SetWindowPattern(config, pattern);
    return;
  }
  const Json& types = in.json["layer_types"];
  if (!types.is_array() || static_cast<int64_t>(types.size()) != config.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: layer_types: expected a list of {}, one a layer", in.where, config.n_layers);
  SetAllLayers(config);
  for (size_t i = 0; i < types.size(); ++i) {
    std::string type = types[i].is_string() ? types[i].get<std::string>() : "";
    LayerConfig& layer = config.layers[i];
    layer.chunked = type == "chunked_attention";
    layer.recurrent = type == "linear_attention" || type == "mamba";
    if (type == "full_attention" || type == "attention" || layer.recurrent)
      layer.window = 0;
    else if (type == "sliding_attention" || layer.chunked)
      layer.window = config.sliding_window;
    else
      Fail(ErrorKind::kUnsupported, "{}: layer_types: layer {} is \"{}\"", in.where, i, type);
    if (type == "sliding_attention" && layer.window == 0)  // its class fails, or sees nothing
      Fail(ErrorKind::kUnsupported, "{}: layer_types: layer {} is \"{}\", but there is no window", in.where, i, type);
  }
}

void ReadWindowPattern(const GgufFields& in, ModelConfig& config, int64_t pattern) {
  config.sliding_window = in.Int("attention.sliding_window", config.sliding_window);
  if (config.sliding_window == 0) return;
  const GgufValue* value = in.file.Find(in.prefix + "attention.sliding_window_pattern");
  if (!value || value->type != GgufType::kArray)
    return SetWindowPattern(config, in.Int("attention.sliding_window_pattern", pattern));
  if (static_cast<int64_t>(value->count) < config.n_layers || GgufTypeBytes(value->element) == 0)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}attention.sliding_window_pattern: expected {} items", in.file.where,
         in.prefix, config.n_layers);
  SetAllLayers(config);
  for (int64_t i = 0; i < config.n_layers; ++i)
    config.layers[static_cast<size_t>(i)].window =
        value->ItemInteger(static_cast<uint64_t>(i)) ? config.sliding_window : 0;
}

void ReadRecurrentLayers(const GgufFields& in, ModelConfig& config) {
  SetAllLayers(config);
  const GgufValue* heads = in.file.Find(in.prefix + "attention.head_count_kv");
  if (!heads || heads->type != GgufType::kArray) return;
  if (static_cast<int64_t>(heads->count) < config.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}attention.head_count_kv: expected {} items", in.file.where, in.prefix,
         config.n_layers);
  for (int64_t i = 0; i < config.n_layers; ++i)
    config.layers[static_cast<size_t>(i)].recurrent = heads->ItemInteger(static_cast<uint64_t>(i)) == 0;
}

void AddWindowPattern(const ModelConfig& config, const std::string& prefix, int64_t pattern, GgufMetadata& out) {
  ModelConfig usual = config;
  usual.layers.clear();
  SetWindowPattern(usual, pattern);
  std::vector<bool> windows;
  bool same = true;
  for (int64_t i = 0; i < config.n_layers; ++i) {
    windows.push_back(config.Layer(i).window > 0);
    same = same && config.Layer(i).window == usual.Layer(i).window;
  }
  if (!same) out.AddBools(prefix + "attention.sliding_window_pattern", windows);
}

const char* ActivationName(Activation activation) {
  switch (activation) {
    case Activation::kSilu:
    case Activation::kClampedSilu:
    case Activation::kClampedSwiglu:
      return "silu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kGeluTanh:
      return "gelu_pytorch_tanh";
    case Activation::kRelu:
      return "relu";
    case Activation::kRelu2:
      return "relu2";
    case Activation::kQuickGelu:
      return "quick_gelu";
    case Activation::kTanh:
      return "tanh";
    case Activation::kXielu:
      return "xielu";
  }
  return "silu";
}

Json LayerTypesJson(const ModelConfig& config) {
  Json out = Json::array();
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const LayerConfig layer = config.Layer(i);
    out.push_back(layer.recurrent     ? "linear_attention"
                  : layer.chunked     ? "chunked_attention"
                  : layer.window != 0 ? "sliding_attention"
                                      : "full_attention");
  }
  return out;
}

double ShortFloat(double value) {
  float narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) != value) return value;
  return std::stod(fmt::format("{}", narrow));
}

Activation ReadActivation(const HfFields& in, const char* key, const char* fallback) {
  std::string name = in.Text(key, fallback);
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast") return Activation::kGeluTanh;
  if (name == "relu") return Activation::kRelu;
  if (name == "relu2" || name == "relu_squared") return Activation::kRelu2;
  if (name == "quick_gelu") return Activation::kQuickGelu;
  if (name == "tanh") return Activation::kTanh;
  Fail(ErrorKind::kUnsupported,
       "{}: {} {} is not supported; supported: silu, gelu, gelu_new, gelu_pytorch_tanh, relu, relu2, quick_gelu, tanh",
       in.where, key, name);
}

}  // namespace assay
