// Mixtures of experts on Llama's attention: Mixtral, Qwen2-MoE, Qwen3-MoE, gpt-oss, Llama 4 (text).

#include <algorithm>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

void ReadCounts(const GgufFields& in, ModelConfig& c) {
  c.experts.count = in.Int("expert_count", 0);
  c.experts.used = in.Int("expert_used_count", 0);
  SetAllExperts(c);
}

/// Where the key is missing, all experts of a token together are as wide as a dense block.
void ReadWidth(const GgufFields& in, ModelConfig& c) {
  c.experts.feed_forward = in.Int("expert_feed_forward_length", c.feed_forward / std::max<int64_t>(1, c.experts.used));
}

void QwenFromHf(const HfFields& in, ModelConfig& c) {
  if (in.Bool("use_sliding_window", false)) c.sliding_window = ReadWindow(in, 4096);
  c.experts.count = in.Has("num_experts") ? in.Int("num_experts") : in.Int("num_local_experts", 128);
  c.experts.used = in.Int("num_experts_per_tok", 8);
  c.experts.feed_forward = in.Int("moe_intermediate_size", 768);
  c.experts.renormalize = in.Bool("norm_topk_prob", false);
  ReadSparseLayers(in, c);
}

void CountsToHf(const ModelConfig& c, Json& out) {
  out["num_local_experts"] = c.experts.count;
  out["num_experts_per_tok"] = c.experts.used;
}

void QwenToHf(const ModelConfig& c, Json& out) {
  const ExpertConfig& e = c.experts;
  out["num_experts"] = e.count;
  out["num_experts_per_tok"] = e.used;
  out["moe_intermediate_size"] = e.feed_forward;
  if (e.shared_feed_forward > 0) out["shared_expert_intermediate_size"] = e.shared_feed_forward;
  out["norm_topk_prob"] = e.renormalize;
  out["decoder_sparse_step"] = 1;
  out["mlp_only_layers"] = Json::array();
  for (int64_t i = 0; i < c.n_layers; ++i)
    if (!c.Layer(i).experts) out["mlp_only_layers"].push_back(i);
  out["use_sliding_window"] = c.sliding_window > 0;
  if (c.sliding_window == 0) return;
  out["sliding_window"] = c.sliding_window;
  out["layer_types"] = LayerTypesJson(c);
}

void QwenToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  out.AddUint32(p + "expert_feed_forward_length", static_cast<uint64_t>(c.experts.feed_forward));
  if (c.experts.shared_feed_forward > 0)
    out.AddUint32(p + "expert_shared_feed_forward_length", static_cast<uint64_t>(c.experts.shared_feed_forward));
}

}  // namespace

ArchitectureSpec MixtralSpec() {
  ArchitectureSpec spec;
  spec.name = "mixtral";
  spec.gguf_name = "llama";
  spec.classes = {"MixtralForCausalLM"};
  spec.model_types = {"mixtral"};
  spec.gguf_interleaved = true;
  spec.mixture = true;
  spec.hf = {
      {"ffn_gate_inp", "block_sparse_moe.gate"},
      {"expert_gate", "block_sparse_moe.experts.{}.w1"},
      {"expert_up", "block_sparse_moe.experts.{}.w3"},
      {"expert_down", "block_sparse_moe.experts.{}.w2"},
  };
  spec.wire = [](ModelConfig& c) { c.experts.renormalize = true; };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.sliding_window = ReadWindow(in, 0);
    c.experts.count = in.Int("num_local_experts", 8);
    c.experts.used = in.Int("num_experts_per_tok", 2);
    c.experts.feed_forward = c.feed_forward;
    SetAllExperts(c);
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    ReadCounts(in, c);
    c.experts.feed_forward = c.feed_forward;  // whatever expert_feed_forward_length says
  };
  spec.to_hf = CountsToHf;
  return spec;
}

ArchitectureSpec Qwen2MoeSpec() {
  ArchitectureSpec spec;
  spec.name = "qwen2moe";
  spec.classes = {"Qwen2MoeForCausalLM"};
  spec.model_types = {"qwen2_moe"};
  spec.mixture = true;
  spec.wire = [](ModelConfig& c) {
    c.qkv_bias = Presence::kAlways;
    c.experts.shared_gate = true;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    QwenFromHf(in, c);
    if (in.Has("layer_types"))
      ReadLayerTypes(in, c, 0);
    else  // every other one of the first few
      for (int64_t i = 0; i < c.n_layers; ++i)
        if (i % 2 != 0 || i >= in.Int("max_window_layers", 28)) c.layers[static_cast<size_t>(i)].window = 0;
    if (!in.Bool("qkv_bias", true)) c.qkv_bias = Presence::kNever;
    c.experts.shared_feed_forward = in.Int("shared_expert_intermediate_size", 0);
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    ReadCounts(in, c);
    ReadWidth(in, c);
    c.experts.shared_feed_forward = in.Int("expert_shared_feed_forward_length", c.feed_forward);
  };
  spec.to_gguf = QwenToGguf;
  spec.to_hf = QwenToHf;
  return spec;
}

ArchitectureSpec Qwen3MoeSpec() {
  ArchitectureSpec spec;
  spec.name = "qwen3moe";
  spec.classes = {"Qwen3MoeForCausalLM"};
  spec.model_types = {"qwen3_moe"};
  spec.mixture = true;
  spec.wire = [](ModelConfig& c) {
    c.qk_norm = QkNorm::kHead;
    c.qkv_bias = c.o_bias = Presence::kOptional;
  };
  spec.from_hf = QwenFromHf;
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    ReadCounts(in, c);
    ReadWidth(in, c);
    c.experts.renormalize = true;
  };
  spec.to_gguf = QwenToGguf;
  spec.to_hf = QwenToHf;
  return spec;
}

ArchitectureSpec GptOssSpec() {
  ArchitectureSpec spec;
  spec.name = "gpt-oss";
  spec.classes = {"GptOssForCausalLM"};
  spec.model_types = {"gpt_oss"};
  spec.mixture = true;
  constexpr auto kAlternating = StoredName::Order::kAlternating;
  spec.hf = {
      {"ffn_gate_inp", "mlp.router"},
      {"expert_gate", "=mlp.experts.gate_up_proj", kAlternating, true},
      {"expert_up", "=mlp.experts.gate_up_proj", kAlternating, true},
      {"expert_down", "=mlp.experts.down_proj", StoredName::Order::kConcatenated, true},
  };
  spec.gguf = {{"ffn_norm", "post_attention_norm"}};
  spec.rope_default = R"({"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
                          "original_max_position_embeddings": 4096})";
  spec.wire = [](ModelConfig& c) {
    c.sinks = true;
    c.qkv_bias = c.o_bias = Presence::kAlways;
    c.activation = Activation::kClampedSwiglu;
    c.swiglu_limit = 7.0;
    c.experts.renormalize = c.experts.bias = true;
  };
  spec.from_hf = [](const HfFields& in, ModelConfig& c) {
    c.experts.count = in.Int("num_local_experts", 128);
    c.experts.used = in.Int("num_experts_per_tok", 4);
    c.experts.feed_forward = c.feed_forward;
    c.swiglu_limit = in.Number("swiglu_limit", 7.0);
    if (in.Number("swiglu_alpha", 1.702) != 1.702)
      Fail(ErrorKind::kUnsupported, "{}: swiglu_alpha {}; supported: 1.702", in.where, in.Number("swiglu_alpha", 0));
    if (!in.Bool("attention_bias", true)) c.qkv_bias = c.o_bias = Presence::kNever;
    c.sliding_window = ReadWindow(in, 128);
    ReadLayerTypes(in, c, 2);
    SetAllExperts(c);
  };
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    ReadWindowPattern(in, c, 2);
    ReadCounts(in, c);
    c.experts.feed_forward = in.Int("expert_feed_forward_length");
  };
  // OpenAI's release says truncate: false, which GGUF has no key for.
  spec.as_made = [](const GgufFields&, ModelConfig& c, std::vector<std::string>& differences) {
    if (c.rope_scaling.kind != RopeScaling::Kind::kYarn) return;
    c.rope_scaling.truncate = false;
    differences.emplace_back("llama.cpp begins and ends YaRN's ramp at whole dimensions; gpt-oss is made without that");
  };
  spec.to_gguf = [](const ModelConfig& c, const std::string& p, GgufMetadata& out) {
    AddWindowPattern(c, p, 2, out);
    out.AddUint32(p + "expert_feed_forward_length", static_cast<uint64_t>(c.experts.feed_forward));
  };
  spec.to_hf = [](const ModelConfig& c, Json& out) {
    CountsToHf(c, out);
    out["intermediate_size"] = c.experts.feed_forward;
    out["swiglu_limit"] = c.swiglu_limit;
    out["sliding_window"] = c.sliding_window;
    out["layer_types"] = LayerTypesJson(c);
  };
  return spec;
}

namespace {

void NoRopeEvery(ModelConfig& c, int64_t interval) {
  for (int64_t i = 0; i < c.n_layers; ++i)
    if (interval > 0 && (i + 1) % interval == 0) c.layers[static_cast<size_t>(i)].rope = false;
}

/// Layers that rotate see chunks, the others everything.
void ChunksWhereRope(ModelConfig& c) {
  for (LayerConfig& layer : c.layers) {
    layer.window = layer.rope ? c.sliding_window : 0;
    layer.chunked = layer.window > 0;
  }
}

void Llama4FromHf(const HfFields& in, ModelConfig& c) {
  c.experts.count = in.Int("num_local_experts", 16);
  c.experts.used = in.Int("num_experts_per_tok", 1);
  c.experts.feed_forward = c.experts.shared_feed_forward = c.feed_forward;
  c.feed_forward = in.Int("intermediate_size_mlp", c.feed_forward);
  c.sliding_window = in.Int("attention_chunk_size", 0);
  if (in.Bool("use_qk_norm", true)) c.qk_norm = QkNorm::kUnweighted;
  // Scout says 4.
  const bool number = in.Has("attn_temperature_tuning") && in.json["attn_temperature_tuning"].is_number_integer();
  if (number ? in.Int("attn_temperature_tuning") != 0 : in.Bool("attn_temperature_tuning", true)) {
    c.temperature_scale = in.Number("attn_scale", 0.1);
    c.temperature_floor = in.Number("floor_scale", 8192);
  }
  SetAllLayers(c);
  const int64_t step = std::max<int64_t>(1, in.Int("interleave_moe_layer_step", 1));
  for (int64_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].experts = (i + 1) % step == 0;
  if (in.Has("moe_layers") && in.json["moe_layers"].is_array()) {
    for (LayerConfig& layer : c.layers) layer.experts = false;
    for (const Json& layer : in.json["moe_layers"])
      if (layer.is_number_integer() && layer.get<int64_t>() >= 0 && layer.get<int64_t>() < c.n_layers)
        c.layers[layer.get<size_t>()].experts = true;
  }
  if (in.Has("no_rope_layers") && in.json["no_rope_layers"].is_array() &&
      static_cast<int64_t>(in.json["no_rope_layers"].size()) == c.n_layers) {
    for (size_t i = 0; i < c.layers.size(); ++i) c.layers[i].rope = in.json["no_rope_layers"][i] == 1;
  } else {
    NoRopeEvery(c, in.Int("no_rope_layer_interval", 4));
  }
  ChunksWhereRope(c);
  ReadLayerTypes(in, c, 0);
}

void Llama4FromGguf(const GgufFields& in, ModelConfig& c) {
  ReadCounts(in, c);
  c.experts.shared_feed_forward = c.experts.feed_forward = in.Int("expert_feed_forward_length");
  const int64_t step = std::max<int64_t>(1, in.Int("interleave_moe_layer_step", 1));
  for (int64_t i = 0; i < c.n_layers; ++i) c.layers[static_cast<size_t>(i)].experts = (i + 1) % step == 0;
  if (c.experts.count != 128) c.qk_norm = QkNorm::kUnweighted;
  // What its readers take for granted.
  c.sliding_window = in.Int("attention.sliding_window", 8192) == 0 ? 0 : 8192;
  if (c.sliding_window > 0) {
    c.temperature_scale = 0.1;
    c.temperature_floor = 8192;
    NoRopeEvery(c, 4);
  }
  ChunksWhereRope(c);
}

void Llama4ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  int64_t step = 1;
  while (step <= c.n_layers && !c.layers[static_cast<size_t>(step - 1)].experts) ++step;
  out.AddUint32(p + "interleave_moe_layer_step", static_cast<uint64_t>(step));
  out.AddUint32(p + "expert_feed_forward_length", static_cast<uint64_t>(c.experts.feed_forward));
}

void Llama4ToHf(const ModelConfig& c, Json& out) {
  CountsToHf(c, out);
  out["intermediate_size"] = c.experts.feed_forward;
  out["intermediate_size_mlp"] = c.feed_forward;
  out["use_qk_norm"] = c.qk_norm == QkNorm::kUnweighted;
  out["attention_chunk_size"] = c.sliding_window > 0 ? Json(c.sliding_window) : Json(nullptr);
  out["attn_temperature_tuning"] = c.temperature_floor > 0;
  if (c.temperature_floor > 0) {
    out["attn_scale"] = c.temperature_scale;
    out["floor_scale"] = static_cast<int64_t>(c.temperature_floor);
  }
  out["moe_layers"] = out["no_rope_layers"] = Json::array();
  for (int64_t i = 0; i < c.n_layers; ++i) {
    if (c.Layer(i).experts) out["moe_layers"].push_back(i);
    out["no_rope_layers"].push_back(c.Layer(i).rope ? 1 : 0);
  }
}

}  // namespace

ArchitectureSpec Llama4Spec() {
  ArchitectureSpec spec;
  spec.name = "llama4";
  spec.classes = {"Llama4ForCausalLM"};
  spec.model_types = {"llama4_text"};
  spec.hf_interleaved = spec.gguf_interleaved = true;
  spec.mixture = true;
  spec.hf = {
      {"ffn_gate", "feed_forward.gate_proj"},
      {"ffn_up", "feed_forward.up_proj"},
      {"ffn_down", "feed_forward.down_proj"},
      {"ffn_gate_inp", "feed_forward.router"},
      {"expert_gate", "=feed_forward.experts.gate_up_proj", StoredName::Order::kConcatenated, true},
      {"expert_up", "=feed_forward.experts.gate_up_proj", StoredName::Order::kConcatenated, true},
      {"expert_down", "=feed_forward.experts.down_proj", StoredName::Order::kConcatenated, true},
      {"ffn_gate_shexp", "feed_forward.shared_expert.gate_proj"},
      {"ffn_up_shexp", "feed_forward.shared_expert.up_proj"},
      {"ffn_down_shexp", "feed_forward.shared_expert.down_proj"},
  };
  spec.wire = [](ModelConfig& c) { c.experts.sigmoid = c.experts.weigh_input = true; };
  spec.from_hf = Llama4FromHf;
  spec.from_gguf = Llama4FromGguf;
  spec.to_gguf = Llama4ToGguf;
  spec.to_hf = Llama4ToHf;
  return spec;
}

}  // namespace assay
