// Llama 1-3.x, Mistral, Yi, SmolLM2, TinyLlama; SmolLM3, which leaves out the rotation in every fourth layer.

#include "base/error.h"
#include "checkpoint/arch/spec.h"

namespace assay {

ArchitectureSpec LlamaSpec() {
  ArchitectureSpec spec;
  spec.name = "llama";
  spec.classes = {"LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM"};
  spec.model_types = {"llama", "mistral"};
  spec.gguf_interleaved = true;
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kOptional; };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.sliding_window = in.Int("sliding_window", 0);
    ReadLayerTypes(in, c, 0);
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
    if (in.Bool("use_sliding_window", false)) {
      c.sliding_window = in.Int("sliding_window", 0);
      ReadLayerTypes(in, c, 0);
    }
    if (!in.Has("no_rope_layers")) return NoRopeEvery(c, in.Int("no_rope_layer_interval", 4));
    const Json& list = in.json["no_rope_layers"];  // 1: rotates
    if (!list.is_array() || static_cast<int64_t>(list.size()) != c.n_layers)
      Fail(ErrorKind::kCorrupt, "{}: no_rope_layers: expected a list of {}, one a layer", in.where, c.n_layers);
    SetAllLayers(c);
    for (size_t i = 0; i < list.size(); ++i) c.layers[i].rope = list[i] == 1;
  };
  spec.from_gguf = [](const GgufFields&, ModelConfig& c) { NoRopeEvery(c, 4); };
  spec.to_gguf = [](const ModelConfig& c, const std::string&, GgufMetadata&) {
    ModelConfig expected = c;
    expected.layers.clear();
    NoRopeEvery(expected, 4);
    if (expected.layers != c.layers)
      Fail(ErrorKind::kUnsupported,
           "GGUF cannot say which layers of this smollm3 rotate; its readers take all but every "
           "fourth");
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["use_sliding_window"] = false;
    out["no_rope_layers"] = Json::array();
    for (int64_t i = 0; i < c.n_layers; ++i) out["no_rope_layers"].push_back(c.Layer(i).rope ? 1 : 0);
  };
  return spec;
}

}  // namespace assay
