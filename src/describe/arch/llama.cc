// Llama 1-3.x, Mistral, Yi, SmolLM2, TinyLlama; Ministral 3, whose queries grow with the position; SmolLM3, which
// leaves out the rotation in every fourth layer.

#include <cmath>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {

ArchitectureSpec LlamaSpec() {
  ArchitectureSpec spec;
  spec.name = "llama";
  spec.classes = {"LlamaForCausalLM", "MistralForCausalLM", "LLaMAForCausalLM"};
  spec.model_types = {"llama", "mistral"};
  spec.gguf_interleaved = true;
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kOptional; };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    if (in.hf_class != "MistralForCausalLM") return;
    c.sliding_window = ReadWindow(in, 4096);
    c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kNever;
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    if (c.sliding_window == 0) return;
    out["architectures"] = {"MistralForCausalLM"};
    out["model_type"] = "mistral";
    out["sliding_window"] = c.sliding_window;
  };
  return spec;
}

namespace {

void Ministral3FromHf(const HfFields& in, ModelConfig& c) {
  c.sliding_window = ReadWindow(in, 0);
  const Json rope = RopeObject(in);
  c.temperature_scale = JsonNumber(rope, "llama_4_scaling_beta", in.where, 0.0);
  c.temperature_floor = static_cast<double>(JsonInt(rope, "original_max_position_embeddings", in.where, c.context));
  if (c.temperature_scale < 0 || (c.temperature_scale > 0 && c.temperature_floor < 1))
    Fail(ErrorKind::kCorrupt, "{}: llama_4_scaling_beta {} at every {} positions", in.where, c.temperature_scale,
         c.temperature_floor);
}

void Ministral3FromGguf(const GgufFields& in, ModelConfig& c) {
  c.temperature_scale = in.Number("attention.temperature_scale", 0.0);
  c.temperature_floor = static_cast<double>(in.Int("rope.scaling.original_context_length", c.context));
  if (c.temperature_scale < 0 || (c.temperature_scale > 0 && c.temperature_floor < 1))
    Fail(ErrorKind::kCorrupt, "{}: metadata {}attention.temperature_scale: found {}, at every {} positions",
         in.file.where, in.prefix, c.temperature_scale, c.temperature_floor);
  // mscale_all_dim, where mscale is 1.
  const double all_dim = in.Number("rope.scaling.yarn_log_multiplier", 0.0), factor = c.rope_scaling.factor;
  if (all_dim > 0 && factor > 1)
    c.rope_scaling.attention_factor = in.Number("rope.scaling.attn_factor", 1.0) * (0.1 * std::log(factor) + 1.0) /
                                      (0.1 * all_dim * std::log(factor) + 1.0);
}

void Ministral3ToHf(const ModelConfig& c, Json& out) {
  if (c.sliding_window > 0) out["sliding_window"] = c.sliding_window;
  if (c.temperature_scale == 0) {  // Mistral Small 3.1 and its kin
    out["architectures"] = {"MistralForCausalLM"};
    out["model_type"] = "mistral";
    return;
  }
  Json rope = out["rope_scaling"].is_object() ? out["rope_scaling"] : Json{{"rope_type", "default"}};
  rope["original_max_position_embeddings"] = static_cast<int64_t>(c.temperature_floor);
  rope["llama_4_scaling_beta"] = ShortFloat(c.temperature_scale);
  rope["rope_theta"] = out["rope_theta"];
  out["rope_parameters"] = rope;
  out.erase("rope_scaling");
}

}  // namespace

ArchitectureSpec Mistral3Spec() {
  ArchitectureSpec spec;
  spec.name = "mistral3";
  spec.classes = {"Ministral3ForCausalLM"};
  spec.model_types = {"ministral3"};
  spec.gguf_interleaved = true;
  spec.wire = [](ModelConfig& c) { c.temperature_rotated = true; };
  spec.rope_default =
      R"({"type": "yarn", "rope_theta": 1000000.0, "factor": 16.0, "original_max_position_embeddings": 16384,
          "beta_fast": 32.0, "beta_slow": 1.0, "mscale_all_dim": 1.0, "mscale": 1.0, "llama_4_scaling_beta": 0.1})";
  spec.from_hf = Ministral3FromHf;
  spec.from_gguf = Ministral3FromGguf;
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    if (c.temperature_scale > 0) out.AddFloat32(p + "attention.temperature_scale", c.temperature_scale);
  };
  spec.to_hf = Ministral3ToHf;
  return spec;
}

namespace {

void NoRopeEvery(ModelConfig& c, int64_t interval) {
  SetAllLayers(c);
  for (int64_t i = 0; i < c.n_layers; ++i)
    if (interval > 0 && (i + 1) % interval == 0) c.layers[static_cast<size_t>(i)].rope = false;
}

}  // namespace

ArchitectureSpec SmolLm3Spec() {
  ArchitectureSpec spec;
  spec.name = "smollm3";
  spec.classes = {"SmolLM3ForCausalLM"};
  spec.model_types = {"smollm3"};
  spec.gguf_interleaved = true;
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kOptional; };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    if (in.Has("no_rope_layers")) {
      const Json& list = in.json["no_rope_layers"];  // 0: does not rotate
      if (!list.is_array() || static_cast<int64_t>(list.size()) != c.n_layers)
        Fail(ErrorKind::kCorrupt, "{}: no_rope_layers: expected a list of {}, one a layer", in.where, c.n_layers);
      SetAllLayers(c);
      for (size_t i = 0; i < list.size(); ++i) c.layers[i].rope = list[i] != 0;
    } else {
      NoRopeEvery(c, in.Int("no_rope_layer_interval", 4));
    }
    if (!in.Bool("use_sliding_window", false)) return;
    c.sliding_window = ReadWindow(in, 0);
    if (in.Has("layer_types")) return ReadLayerTypes(in, c, 0);
    for (LayerConfig& layer : c.layers) layer.window = layer.rope ? 0 : c.sliding_window;
  };
  spec.from_gguf = [](const GgufFields&, ModelConfig& c) { NoRopeEvery(c, 4); };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["use_sliding_window"] = false;
    out["no_rope_layers"] = Json::array();
    for (int64_t i = 0; i < c.n_layers; ++i) out["no_rope_layers"].push_back(c.Layer(i).rope ? 1 : 0);
  };
  return spec;
}

}  // namespace assay
