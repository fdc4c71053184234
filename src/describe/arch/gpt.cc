// GPT-2: learned positions, LayerNorm and biases everywhere, weights stored [in, out]. GPT-NeoX and Pythia: rotation of
// a part of each head, attention and feed-forward side by side, query, key and value of one head next to each other.

#include <cmath>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

void WireGpt(ModelConfig& c) {
  c.norm = Norm::kLayer;
  c.norm_bias = true;
  c.gated = false;
  c.activation = Activation::kGelu;
  c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kAlways;
}

/// Scores divided by the square root of the head size, by the number of the layer (from 1), by both or by nothing.
void ScaleScores(bool by_size, bool by_layer, ModelConfig& c) {
  if (!by_size) c.attention_scale = 1.0;
  if (!by_layer) return;
  SetAllLayers(c);
  const double scale = by_size ? 1.0 / std::sqrt(static_cast<double>(c.head_dim)) : 1.0;
  for (size_t i = 0; i < c.layers.size(); ++i) c.layers[i].attention_scale = scale / static_cast<double>(i + 1);
}

}  // namespace

ArchitectureSpec Gpt2Spec() {
  ArchitectureSpec spec;
  spec.name = "gpt2";
  spec.classes = {"GPT2LMHeadModel"};
  spec.model_types = {"gpt2"};
  spec.roots = {"transformer.wte", "transformer.h", "transformer.ln_f", "lm_head", "transformer.wpe"};
  auto transposed = [](std::string_view part, std::string_view stored) {
    return StoredName{part, stored, StoredName::Order::kConcatenated, true};
  };
  spec.hf = {
      {"attn_norm", "ln_1"},
      transposed("attn_q", "attn.c_attn"),
      transposed("attn_k", "attn.c_attn"),
      transposed("attn_v", "attn.c_attn"),
      transposed("attn_output", "attn.c_proj"),
      {"ffn_norm", "ln_2"},
      transposed("ffn_up", "mlp.c_fc"),
      transposed("ffn_down", "mlp.c_proj"),
  };
  spec.gguf = {{"attn_q", "attn_qkv"}, {"attn_k", "attn_qkv"}, {"attn_v", "attn_qkv"}};
  spec.hf_keys = {{"n_layer", "num_hidden_layers"},
                  {"n_embd", "hidden_size"},
                  {"n_head", "num_attention_heads"},
                  {"n_positions", "max_position_embeddings"},
                  {"n_inner", "intermediate_size"}};
  spec.wire = [](ModelConfig& c) {
    WireGpt(c);
    c.activation = Activation::kGeluTanh;
    c.learned_positions = true;
    c.tied_output = true;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.activation = ReadActivation(in, "activation_function", "gelu_new");
    c.tied_output = in.Bool("tie_word_embeddings", true);
    ScaleScores(in.Bool("scale_attn_weights", true), in.Bool("scale_attn_by_inverse_layer_idx", false), c);
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["activation_function"] = c.activation == Activation::kGeluTanh ? "gelu_new" : ActivationName(c.activation);
    out["layer_norm_epsilon"] = out["layer_norm_eps"];
    out["scale_attn_weights"] = c.attention_scale == 0.0;
    out["scale_attn_by_inverse_layer_idx"] = c.Layer(0).attention_scale != 0.0;
    for (const char* key : {"layer_norm_eps", "hidden_act", "head_dim", "num_key_value_heads", "rope_theta",
                            "rope_scaling", "attention_bias", "mlp_bias"})
      out.erase(key);
  };
  return spec;
}

ArchitectureSpec GptNeoXSpec() {
  ArchitectureSpec spec;
  spec.name = "gptneox";
  spec.classes = {"GPTNeoXForCausalLM"};
  spec.model_types = {"gpt_neox"};
  spec.roots = {"gpt_neox.embed_in", "gpt_neox.layers", "gpt_neox.final_layer_norm", "embed_out", ""};
  auto per_head = [](std::string_view part) {
    return StoredName{part, "attention.query_key_value", StoredName::Order::kPerHead};
  };
  spec.hf = {
      per_head("attn_q"),
      per_head("attn_k"),
      per_head("attn_v"),
      {"attn_output", "attention.dense"},
      {"ffn_up", "mlp.dense_h_to_4h"},
      {"ffn_down", "mlp.dense_4h_to_h"},
  };
  spec.gguf = {{"attn_q", "attn_qkv"}, {"attn_k", "attn_qkv"}, {"attn_v", "attn_qkv"}};
  spec.hf_keys = {{"rotary_pct", "partial_rotary_factor"}, {"rotary_emb_base", "rope_theta"}};
  spec.partial_rotary = 0.25;
  spec.wire = [](ModelConfig& c) {
    WireGpt(c);
    c.parallel = true;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.activation = ReadActivation(in, "hidden_act", "gelu");
    c.parallel = in.Bool("use_parallel_residual", true);
    if (c.head_dim * c.n_heads != c.hidden)
      Fail(ErrorKind::kUnsupported, "{}: head_dim {}: expected hidden_size / num_attention_heads, {} / {}", in.where,
           c.head_dim, c.hidden, c.n_heads);
    if (!in.Bool("attention_bias", true)) c.qkv_bias = c.o_bias = Presence::kNever;
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) { c.parallel = in.Bool("use_parallel_residual", true); };
  spec.as_made = [](const GgufFields&, ModelConfig& c, std::vector<std::string>& differences) {
    c.activation = Activation::kGelu;
    differences.emplace_back(
        "llama.cpp runs gptneox with the tanh approximation of GELU; most are made with the exact one");
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    out.AddBool(p + "use_parallel_residual", c.parallel);
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    out["use_parallel_residual"] = c.parallel;
    out["attention_bias"] = c.qkv_bias != Presence::kNever;
    out["partial_rotary_factor"] = static_cast<double>(c.rotary_dim) / static_cast<double>(c.head_dim);
    for (const char* key : {"head_dim", "num_key_value_heads", "mlp_bias"}) out.erase(key);
  };
  return spec;
}

}  // namespace assay
