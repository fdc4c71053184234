// DeciLM (Nemotron-NAS: Nemotron 51B, Super and Ultra; DeciLM-7B): Llama whose layers were searched one by one.
// Attention has key-value heads of the layer's own, is a single matrix, or is left out; so may the feed-forward block,
// which has a width of its own.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/strings.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

constexpr int64_t kWidthStep = 256;

/// A block of a layer as config.json has it.
struct BlockFields {
  HfFields in;
  bool none, linear;
};

/// `size` is its key beside these; any other (windows, sinks, sparsity) is null or false.
BlockFields ReadBlock(const Json& layer, const char* name, std::string_view size, const std::string& where) {
  auto found = layer.find(name);
  const std::string place = fmt::format("{}: {}", where, name);
  if (found == layer.end() || !found->is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object", place);
  const HfFields in{*found, place};
  for (const auto& [key, value] : found->items())
    if (key != size && key != "no_op" && key != "replace_with_linear" && !value.is_null() && value != false)
      Fail(ErrorKind::kUnsupported, "{}: {} {} is not supported; supported: null", place, key,
           DumpJson(value).substr(0, 60));
  const BlockFields block{in, in.Bool("no_op", false), in.Bool("replace_with_linear", false)};
  if (block.none && block.linear)
    Fail(ErrorKind::kCorrupt, "{}: no_op and replace_with_linear, of which one is expected at most", place);
  return block;
}

/// What a layer has. Sizes 0: it has no such block.
struct LayerSizes {
  bool linear = false;
  int64_t kv_heads = 0, feed_forward = 0;
};

int64_t WidthOf(double multiplier, int64_t hidden, const std::string& where) {
  const double width = 2 * std::round(multiplier * 1e6) / 1e6 * static_cast<double>(hidden) / 3;
  if (!(width >= 1 && width < 1e9))
    Fail(ErrorKind::kCorrupt, "{}: ffn_mult {} makes a width of {}", where, multiplier, width);
  return (static_cast<int64_t>(width) + kWidthStep - 1) / kWidthStep * kWidthStep;
}

LayerSizes ReadLayer(const Json& layer, const ModelConfig& c, const std::string& where) {
  if (!layer.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", where, layer.type_name());
  const BlockFields attention = ReadBlock(layer, "attention", "n_heads_in_group", where),
                    ffn = ReadBlock(layer, "ffn", "ffn_mult", where);
  if (ffn.linear)
    Fail(ErrorKind::kUnsupported, "{}: replace_with_linear true is not supported; supported: false", ffn.in.where);
  LayerSizes sizes;
  sizes.linear = attention.linear;
  if (!attention.none && !attention.linear) {
    const int64_t together = attention.in.Int("n_heads_in_group");
    if (together < 1 || c.n_heads % together != 0)
      Fail(ErrorKind::kCorrupt, "{}: n_heads_in_group: {} heads are not a multiple of {}", attention.in.where,
           c.n_heads, together);
    sizes.kv_heads = c.n_heads / together;
  }
  if (!ffn.none) {
    if (!ffn.in.Has("ffn_mult")) Fail(ErrorKind::kInvalid, "{}: \"ffn_mult\" is missing", ffn.in.where);
    sizes.feed_forward = WidthOf(ffn.in.Number("ffn_mult", 0.0), c.hidden, ffn.in.where);
  }
  return sizes;
}

/// The model's sizes are those of the first layer that has some.
void SetLayers(ModelConfig& c, const std::vector<LayerSizes>& layers) {
  auto first = [&](int64_t LayerSizes::*size, int64_t none) {
    auto found = std::find_if(layers.begin(), layers.end(), [&](const LayerSizes& layer) { return layer.*size > 0; });
    return found == layers.end() ? none : (*found).*size;
  };
  c.n_kv_heads = first(&LayerSizes::kv_heads, c.n_heads);
  c.feed_forward = first(&LayerSizes::feed_forward, 1);
  SetAllLayers(c);
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerSizes& from = layers[i];
    LayerConfig& to = c.layers[i];
    const bool mixer = from.linear || from.kv_heads > 0, feed_forward = from.feed_forward > 0;
    to.linear = from.linear;
    to.parts = mixer ? feed_forward ? Parts::kBoth : Parts::kMixer : feed_forward ? Parts::kFeedForward : Parts::kNone;
    to.kv_heads = from.kv_heads == c.n_kv_heads ? 0 : from.kv_heads;
    to.feed_forward = from.feed_forward == c.feed_forward ? 0 : from.feed_forward;
  }
}

const Json& ListOfLayers(const HfFields& in, const char* key, const ModelConfig& c) {
  const Json& list = in.json[key];
  if (!list.is_array() || static_cast<int64_t>(list.size()) != c.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: {}: expected a list of {}, one a layer", in.where, key, c.n_layers);
  return list;
}

void FromHf(const HfFields& in, ModelConfig& c) {
  if (c.head_dim * c.n_heads != c.hidden)
    Fail(ErrorKind::kUnsupported, "{}: head_dim {}: {} heads of a {} have the hidden size {} together", in.where,
         c.head_dim, c.n_heads, in.hf_class, c.hidden);
  std::vector<LayerSizes> layers;
  if (in.Has("block_configs")) {
    const Json& blocks = ListOfLayers(in, "block_configs", c);
    for (size_t i = 0; i < blocks.size(); ++i)
      layers.push_back(ReadLayer(blocks[i], c, fmt::format("{}: block_configs: layer {}", in.where, i)));
  } else if (in.Has("num_key_value_heads_per_layer")) {  // DeciLM-7B
    for (const Json& heads : ListOfLayers(in, "num_key_value_heads_per_layer", c)) {
      if (!heads.is_number_integer() || heads.get<int64_t>() < 1 || heads.get<int64_t>() > c.n_heads)
        Fail(ErrorKind::kCorrupt, "{}: num_key_value_heads_per_layer: expected 1 to {}, found {}", in.where, c.n_heads,
             DumpJson(heads));
      layers.push_back({false, heads.get<int64_t>(), in.Int("intermediate_size")});
    }
  } else {
    Fail(ErrorKind::kInvalid, "{}: \"block_configs\" is missing", in.where);
  }
  SetLayers(c, layers);
}

void ToHf(const ModelConfig& c, Json& out) {
  out["block_configs"] = Json::array();
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const LayerConfig layer = c.Layer(i);
    const int64_t width = c.FeedForward(layer);
    if (layer.HasFeedForward() && width % kWidthStep != 0)
      Fail(ErrorKind::kUnsupported, "config.json of a DeciLM cannot state a feed-forward block of {} elements", width);
    const double multiplier = 1.5 * static_cast<double>(width) / static_cast<double>(c.hidden);
    Json attention = {{"n_heads_in_group", layer.Attends() ? Json(c.n_heads / c.KvHeads(layer)) : Json(nullptr)},
                      {"no_op", !layer.HasMixer()},
                      {"replace_with_linear", layer.linear}};
    Json ffn = {{"ffn_mult", layer.HasFeedForward() ? Json(std::round(multiplier * 1e6) / 1e6) : Json(nullptr)},
                {"no_op", !layer.HasFeedForward()},
                {"replace_with_linear", false}};
    out["block_configs"].push_back({{"attention", attention}, {"ffn", ffn}});
  }
  for (const char* key : {"intermediate_size", "num_key_value_heads"}) out[key] = nullptr;
  out.erase("head_dim");
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  std::vector<LayerSizes> layers;
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const int64_t heads = in.OfLayer("attention.head_count", i, 0);
    const int64_t kv_heads = in.OfLayer("attention.head_count_kv", i, heads);
    layers.push_back({heads > 0 && kv_heads == 0, heads > 0 ? kv_heads : 0, in.OfLayer("feed_forward_length", i, 0)});
  }
  SetLayers(c, layers);
}

}  // namespace

ArchitectureSpec DeciSpec() {
  ArchitectureSpec spec;
  spec.name = "deci";
  spec.classes = {"DeciLMForCausalLM"};
  spec.model_types = {"nemotron-nas"};
  spec.gguf_interleaved = true;
  spec.gguf_head_counts = spec.gguf_layers_differ = true;
  spec.hf = {{"attn_linear", "self_attn.linear_attn"}};
  spec.gguf = {{"attn_linear", "attn_output"}};
  spec.normalize = [](Json& config) {  // null: layers have their own
    for (const char* key : {"intermediate_size", "num_key_value_heads"})
      if (auto it = config.find(key); config.contains("block_configs") || it == config.end() || it->is_null())
        config[key] = 1;
  };
  spec.from_hf = FromHf;
  spec.to_hf = ToHf;
  spec.from_gguf = FromGguf;
  return spec;
}

}  // namespace assay
