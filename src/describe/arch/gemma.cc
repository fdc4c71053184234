// Gemma 2 and 3 (text): norms before and after each block, stored less one by Hugging Face, GeGLU, embeddings times
// sqrt(hidden), windows on most layers. Gemma 2 caps logits softly; Gemma 3 has norms on queries and keys and another
// rotation in its layers with a window.

#include "describe/arch/gemma.h"

#include <cmath>

#include "describe/arch/spec.h"

namespace assay {
namespace {

void CommonFromHf(const HfFields& in, ModelConfig& c, int64_t pattern) {
  ScaleEmbedding(c);
  c.tied_output = in.Bool("tie_word_embeddings", true);
  c.activation = ReadActivation(in, "hidden_activation", "gelu_pytorch_tanh");
  c.attention_scale = 1.0 / std::sqrt(in.Number("query_pre_attn_scalar", 256.0));
  c.attention_softcap = in.Number("attn_logit_softcapping", 0.0);
  c.logit_softcap = in.Number("final_logit_softcapping", 0.0);
  c.sliding_window = ReadWindow(in, 4096);
  ReadLayerTypes(in, c, pattern);
}

/// The largest model of either generation scales by its mean head size; llama.cpp knows it by its number of layers.
void ScaleOfGguf(ModelConfig& c, int64_t layers_27b) {
  ScaleEmbedding(c);
  double size = c.n_layers == layers_27b ? static_cast<double>(c.hidden / c.n_heads) : static_cast<double>(c.head_dim);
  c.attention_scale = 1.0 / std::sqrt(size);
}

void ToHf(const ModelConfig& c, Json& out) {
  out["hidden_activation"] = ActivationName(c.activation);
  const double scalar = 1.0 / (c.attention_scale * c.attention_scale);
  const bool whole = std::abs(scalar - std::round(scalar)) < 1e-6 * scalar;
  out["query_pre_attn_scalar"] = whole ? Json(static_cast<int64_t>(std::round(scalar))) : Json(scalar);
  auto cap = [](double value) { return value > 0 ? Json(ShortFloat(value)) : Json(nullptr); };
  out["attn_logit_softcapping"] = cap(c.attention_softcap);
  out["final_logit_softcapping"] = cap(c.logit_softcap);
  out["sliding_window"] = c.sliding_window;
  out["layer_types"] = LayerTypesJson(c);
  if (c.rope_local_theta > 0) out["rope_local_base_freq"] = ShortFloat(c.rope_local_theta);
}

const std::vector<StoredName>& GemmaNames() {
  static const std::vector<StoredName> kNames = {
      {"post_attention_norm", "post_attention_layernorm"},
      {"ffn_norm", "pre_feedforward_layernorm"},
      {"post_ffw_norm", "post_feedforward_layernorm"},
  };
  return kNames;
}

}  // namespace

ArchitectureSpec Gemma2Spec() {
  ArchitectureSpec spec;
  spec.name = "gemma2";
  spec.classes = {"Gemma2ForCausalLM"};
  spec.model_types = {"gemma2"};
  spec.hf = GemmaNames();
  spec.minus_one = true;
  spec.wire = WireGemma;
  spec.from_hf = [](const HfFields& in, ModelConfig& c) { CommonFromHf(in, c, 2); };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    ScaleOfGguf(c, 46);
    c.attention_softcap = in.Number("attn_logit_softcapping", 50.0);
    c.logit_softcap = in.Number("final_logit_softcapping", 30.0);
    c.sliding_window = 4096;
    ReadWindowPattern(in, c, 2);
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    AddWindowPattern(c, p, 2, out);
    out.AddFloat32(p + "attn_logit_softcapping", c.attention_softcap);
    out.AddFloat32(p + "final_logit_softcapping", c.logit_softcap);
  };
  spec.to_hf = ToHf;
  return spec;
}

ArchitectureSpec Gemma3Spec() {
  ArchitectureSpec spec;
  spec.name = "gemma3";
  spec.classes = {"Gemma3ForCausalLM"};
  spec.model_types = {"gemma3_text"};
  spec.hf = GemmaNames();
  spec.minus_one = true;
  spec.wire = [](ModelConfig& c) {
    WireGemma(c);
    c.qk_norm = QkNorm::kHead;
    c.rope_theta = 1000000.0;
  };
  spec.rope_main = {"full_attention"};
  spec.rope_local = {"sliding_attention", "rope_local_base_freq"};
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    CommonFromHf(in, c, in.Int("sliding_window_pattern", 6));
    c.attention_softcap = 0.0;  // the reference does not read it
    SetLocalRope(c, 10000.0);
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    ScaleOfGguf(c, 62);
    c.logit_softcap = in.Number("final_logit_softcapping", 0.0);
    ReadWindowPattern(in, c, 6);
    SetLocalRope(c, in.Number("rope.freq_base_swa", 10000.0));
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    AddWindowPattern(c, p, 6, out);
    if (c.logit_softcap > 0) out.AddFloat32(p + "final_logit_softcapping", c.logit_softcap);
    out.AddFloat32(p + "rope.freq_base_swa", c.rope_local_theta);
  };
  spec.to_hf = ToHf;
  return spec;
}

}  // namespace assay
