// Command-R, R+ and Aya (Cohere), Command-A and R7B (Cohere2): attention and feed-forward side by side behind one
// LayerNorm without bias, neighbouring pairs rotated, logits scaled. R+ has norms on each head's query and key; Cohere2
// has windows, and no rotation where there is no window.

#include "describe/arch/spec.h"

namespace assay {
namespace {

void WireCohere(ModelConfig& c) {
  c.norm = Norm::kLayer;
  c.parallel = c.shared_norm = true;
  c.tied_output = true;
}

void FromHf(const HfFields& in, ModelConfig& c) {
  c.logit_scale = in.Number("logit_scale", 0.0625);
  c.tied_output = in.Bool("tie_word_embeddings", true);
  if (in.Bool("use_qk_norm", false)) c.qk_norm = QkNorm::kEachHead;
  if (in.Bool("attention_bias", false)) c.qkv_bias = c.o_bias = Presence::kAlways;
}

void ToHf(const ModelConfig& c, Json& out) {
  out["logit_scale"] = ShortFloat(c.logit_scale);
  if (c.architecture == "command-r") out["use_qk_norm"] = c.qk_norm == QkNorm::kEachHead;
  if (c.sliding_window == 0) return;
  out["sliding_window"] = c.sliding_window;
  out["layer_types"] = LayerTypesJson(c);
}

void ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  out.AddFloat32(p + "logit_scale", c.logit_scale);
  if (c.rope_scaling.kind == RopeScaling::Kind::kNone) out.AddString(p + "rope.scaling.type", "none");
}

void NoRopeWithoutWindow(ModelConfig& c) {
  SetAllLayers(c);
  for (LayerConfig& layer : c.layers) layer.rope = layer.window > 0;
}

}  // namespace

ArchitectureSpec CommandRSpec() {
  ArchitectureSpec spec;
  spec.name = "command-r";
  spec.classes = {"CohereForCausalLM"};
  spec.model_types = {"cohere"};
  spec.hf_interleaved = spec.gguf_interleaved = true;
  spec.wire = WireCohere;
  spec.from_hf = FromHf;
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    c.logit_scale = in.Number("logit_scale", 1.0);
    if (in.file.HasTensor("blk.0.attn_q_norm.weight")) c.qk_norm = QkNorm::kEachHead;
  };
  spec.to_gguf = ToGguf;
  spec.to_hf = ToHf;
  return spec;
}

ArchitectureSpec Cohere2Spec() {
  ArchitectureSpec spec;
  spec.name = "cohere2";
  spec.classes = {"Cohere2ForCausalLM"};
  spec.model_types = {"cohere2"};
  spec.hf_interleaved = spec.gguf_interleaved = true;
  spec.wire = WireCohere;
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    FromHf(in, c);
    c.sliding_window = ReadWindow(in, 4096);
    ReadLayerTypes(in, c, in.Int("sliding_window_pattern", 4));
    NoRopeWithoutWindow(c);
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    c.logit_scale = in.Number("logit_scale", 1.0);
    ReadWindowPattern(in, c, 4);
    NoRopeWithoutWindow(c);
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    AddWindowPattern(c, p, 4, out);
    ToGguf(c, p, out);
  };
  spec.to_hf = ToHf;
  return spec;
}

}  // namespace assay
