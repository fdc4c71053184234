#include "checkpoint/hf_config.h"

#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/strings.h"
#include "checkpoint/layout.h"

namespace assay {
namespace {

/// Classes whose tensors and arithmetic are Llama's.
constexpr std::array<std::string_view, 3> kArchitectures = {"LlamaForCausalLM", "LLaMAForCausalLM",
                                                            "MistralForCausalLM"};

void CheckArchitecture(const Json& config, std::string_view where) {
  std::string name;
  if (auto it = config.find("architectures");
      it != config.end() && it->is_array() && !it->empty() && (*it)[0].is_string()) {
    name = (*it)[0].get<std::string>();
  } else {
    std::string type = JsonString(config, "model_type", where, "");
    if (type == "llama" || type == "mistral") return;
    name = type.empty() ? "(none stated)" : type;
  }
  std::vector<std::string> known;
  for (std::string_view architecture : kArchitectures) {
    if (architecture == name) return;
    known.emplace_back(architecture);
  }
  std::string nearest = Nearest(name, known);
  Fail(ErrorKind::kUnsupported, "{}: architecture {} is not supported; nearest supported: {}", where, name,
       nearest.empty() ? Join(known, ", ") : nearest);
}

double MscaleYarn(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

/// `rope`: rope_scaling of older files, rope_parameters of transformers 5.
RopeScaling ReadRopeScaling(const Json& rope, int64_t context, const std::string& where) {
  RopeScaling out;
  std::string type = JsonString(rope, "rope_type", where, JsonString(rope, "type", where, "default"));
  if (type == "default") return out;
  out.factor = JsonNumber(rope, "factor", where, std::numeric_limits<double>::quiet_NaN());
  if (std::isnan(out.factor)) Fail(ErrorKind::kInvalid, "{}: \"factor\" is missing for type {}", where, type);
  if (type == "linear") {
    out.kind = RopeScaling::Kind::kLinear;
  } else if (type == "llama3") {
    out.kind = RopeScaling::Kind::kLlama3;
    out.original_context = JsonInt(rope, "original_max_position_embeddings", where);
    out.low_freq_factor = JsonNumber(rope, "low_freq_factor", where, 1.0);
    out.high_freq_factor = JsonNumber(rope, "high_freq_factor", where, 4.0);
  } else if (type == "yarn") {
    out.kind = RopeScaling::Kind::kYarn;
    out.original_context = JsonInt(rope, "original_max_position_embeddings", where, context);
    out.beta_fast = JsonNumber(rope, "beta_fast", where, 32.0);
    out.beta_slow = JsonNumber(rope, "beta_slow", where, 1.0);
    out.attention_factor = JsonNumber(rope, "attention_factor", where, 0.0);
    double mscale = JsonNumber(rope, "mscale", where, 0.0), all_dim = JsonNumber(rope, "mscale_all_dim", where, 0.0);
    if (out.attention_factor == 0.0 && mscale != 0.0 && all_dim != 0.0)
      out.attention_factor = MscaleYarn(out.factor, mscale) / MscaleYarn(out.factor, all_dim);
    if (!JsonBool(rope, "truncate", where, true))
      Fail(ErrorKind::kUnsupported, "{}: yarn with \"truncate\": false", where);
  } else {
    Fail(ErrorKind::kUnsupported, "{}: RoPE type {} is not supported; supported: default, linear, llama3, yarn", where,
         type);
  }
  return out;
}

void ReadRope(const Json& config, ModelConfig& out, const std::string& where) {
  double partial = JsonNumber(config, "partial_rotary_factor", where, 1.0);
  out.rope_theta = JsonNumber(config, "rope_theta", where, 10000.0);
  auto present = [&](const char* key) -> const Json* {
    auto it = config.find(key);
    if (it == config.end() || it->is_null()) return nullptr;
    if (!it->is_object())
      Fail(ErrorKind::kInvalid, "{}: \"{}\" should be an object, found {}", where, key, it->type_name());
    return &*it;
  };
  if (const Json* rope = present("rope_parameters")) {
    std::string place = where + ": rope_parameters";
    if (rope->contains("full_attention") || rope->contains("sliding_attention"))
      Fail(ErrorKind::kUnsupported, "{}: different for kinds of layers", place);
    out.rope_theta = JsonNumber(*rope, "rope_theta", place, out.rope_theta);
    partial = JsonNumber(*rope, "partial_rotary_factor", place, partial);
    out.rope_scaling = ReadRopeScaling(*rope, out.context, place);
  }
  if (const Json* rope = present("rope_scaling")) {
    RopeScaling scaling = ReadRopeScaling(*rope, out.context, where + ": rope_scaling");
    if (out.rope_scaling.kind != RopeScaling::Kind::kNone && out.rope_scaling.kind != scaling.kind)
      Fail(ErrorKind::kCorrupt, "{}: rope_parameters and rope_scaling contradict each other", where);
    out.rope_scaling = scaling;
  }
  if (!(partial > 0.0 && partial <= 1.0))
    Fail(ErrorKind::kCorrupt, "{}: partial_rotary_factor: expected 0 to 1, found {}", where, partial);
  out.rotary_dim = static_cast<int64_t>(static_cast<double>(out.head_dim) * partial);
}

void ReadStopTokens(const Json& source, ModelConfig& out, std::string_view where) {
  if (!source.is_object()) return;
  auto it = source.find("eos_token_id");
  if (it == source.end() || it->is_null()) return;
  Json list = it->is_array() ? *it : Json::array({*it});
  out.stop_tokens.clear();
  for (const Json& id : list) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= out.vocab)
      Fail(ErrorKind::kCorrupt, "{}: eos_token_id: expected a token below {}, found {}", where, out.vocab,
           DumpJson(id));
    out.stop_tokens.push_back(static_cast<int32_t>(id.get<int64_t>()));
  }
}

}  // namespace

ModelConfig HfModelConfig(const Json& config, const Json& generation, std::string_view where_view) {
  const std::string where(where_view);
  if (!config.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", where, config.type_name());
  CheckArchitecture(config, where);
  ModelConfig out;
  out.architecture = "llama";
  out.name = JsonString(config, "_name_or_path", where, "");
  out.n_layers = JsonInt(config, "num_hidden_layers", where);
  out.hidden = JsonInt(config, "hidden_size", where);
  out.n_heads = JsonInt(config, "num_attention_heads", where);
  if (out.n_heads < 1) Fail(ErrorKind::kCorrupt, "{}: num_attention_heads: found {}", where, out.n_heads);
  out.n_kv_heads = JsonInt(config, "num_key_value_heads", where, out.n_heads);
  if (!config.contains("head_dim") || config["head_dim"].is_null()) {
    if (out.hidden % out.n_heads != 0)
      Fail(ErrorKind::kCorrupt, "{}: hidden_size {} is not a multiple of num_attention_heads {}", where, out.hidden,
           out.n_heads);
  }
  out.head_dim = JsonInt(config, "head_dim", where, out.hidden / out.n_heads);
  out.feed_forward = JsonInt(config, "intermediate_size", where);
  out.vocab = JsonInt(config, "vocab_size", where);
  out.context = JsonInt(config, "max_position_embeddings", where, 2048);
  out.rms_epsilon = JsonNumber(config, "rms_norm_eps", where, 1e-6);
  out.tied_output = JsonBool(config, "tie_word_embeddings", where, false);
  if (auto it = config.find("sliding_window"); it != config.end() && !it->is_null())
    out.sliding_window = JsonInt(config, "sliding_window", where);
  std::string activation = JsonString(config, "hidden_act", where, "silu");
  if (activation != "silu" && activation != "swish")
    Fail(ErrorKind::kUnsupported, "{}: hidden_act {} is not supported; supported: silu", where, activation);
  ReadRope(config, out, where);
  CheckConfig(out, where);
  ReadStopTokens(config, out, where);
  if (generation.is_object()) {
    std::string place = "generation_config.json";
    ReadStopTokens(generation, out, place);
    bool sampled = JsonBool(generation, "do_sample", place, false);
    out.temperature = sampled ? JsonNumber(generation, "temperature", place, 1.0) : 0.0;
    out.top_p = sampled ? JsonNumber(generation, "top_p", place, 1.0) : 1.0;
    out.top_k = sampled ? JsonInt(generation, "top_k", place, 50) : 0;
  }
  return out;
}

namespace {

/// 9.99999974e-06, as a float32 says it, is 1e-05 for people.
double ShortFloat(double value) {
  float narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) != value) return value;
  return std::stod(fmt::format("{}", narrow));
}

Json StopJson(const ModelConfig& config) {
  if (config.stop_tokens.empty()) return nullptr;
  if (config.stop_tokens.size() == 1) return config.stop_tokens[0];
  return config.stop_tokens;
}

Json OptionalId(int64_t id) {
  return id < 0 ? Json(nullptr) : Json(id);
}

Json RopeJson(const ModelConfig& config) {
  const RopeScaling& rope = config.rope_scaling;
  switch (rope.kind) {
    case RopeScaling::Kind::kNone:
      return nullptr;
    case RopeScaling::Kind::kLinear:
      return {{"rope_type", "linear"}, {"factor", ShortFloat(rope.factor)}};
    case RopeScaling::Kind::kLlama3:
      return {{"rope_type", "llama3"},
              {"factor", ShortFloat(rope.factor)},
              {"low_freq_factor", rope.low_freq_factor},
              {"high_freq_factor", rope.high_freq_factor},
              {"original_max_position_embeddings", rope.original_context}};
    case RopeScaling::Kind::kYarn: {
      Json out = {{"rope_type", "yarn"},
                  {"factor", ShortFloat(rope.factor)},
                  {"beta_fast", ShortFloat(rope.beta_fast)},
                  {"beta_slow", ShortFloat(rope.beta_slow)},
                  {"original_max_position_embeddings", rope.original_context}};
      if (rope.attention_factor != 0.0) out["attention_factor"] = rope.attention_factor;
      return out;
    }
  }
  return nullptr;
}

}  // namespace

Json HfConfigJson(const ModelConfig& config, std::string_view dtype, bool attention_bias, bool mlp_bias, int64_t bos,
                  int64_t pad) {
  if (!config.rope_factors.empty())
    Fail(ErrorKind::kUnsupported, "config.json cannot state the RoPE factors of this model's rope_freqs.weight");
  Json out;
  bool window = config.sliding_window > 0;
  out["architectures"] = {window ? "MistralForCausalLM" : "LlamaForCausalLM"};
  out["model_type"] = window ? "mistral" : "llama";
  out["attention_bias"] = attention_bias;
  out["attention_dropout"] = 0.0;
  out["bos_token_id"] = OptionalId(bos);
  out["dtype"] = dtype;
  out["eos_token_id"] = StopJson(config);
  out["head_dim"] = config.head_dim;
  out["hidden_act"] = "silu";
  out["hidden_size"] = config.hidden;
  out["initializer_range"] = 0.02;
  out["intermediate_size"] = config.feed_forward;
  out["max_position_embeddings"] = config.context;
  out["mlp_bias"] = mlp_bias;
  out["num_attention_heads"] = config.n_heads;
  out["num_hidden_layers"] = config.n_layers;
  out["num_key_value_heads"] = config.n_kv_heads;
  out["pad_token_id"] = OptionalId(pad);
  out["rms_norm_eps"] = ShortFloat(config.rms_epsilon);
  out["rope_scaling"] = RopeJson(config);
  out["rope_theta"] = ShortFloat(config.rope_theta);
  if (window) out["sliding_window"] = config.sliding_window;
  out["tie_word_embeddings"] = config.tied_output;
  out["torch_dtype"] = dtype;
  out["use_cache"] = true;
  out["vocab_size"] = config.vocab;
  return out;
}

Json HfGenerationJson(const ModelConfig& config, int64_t bos, int64_t pad) {
  Json out;
  if (bos >= 0) out["bos_token_id"] = bos;
  if (!config.stop_tokens.empty()) out["eos_token_id"] = StopJson(config);
  if (pad >= 0) out["pad_token_id"] = pad;
  if (config.temperature > 0.0) {
    out["do_sample"] = true;
    out["temperature"] = ShortFloat(config.temperature);
    out["top_p"] = ShortFloat(config.top_p);
    out["top_k"] = config.top_k;
  }
  return out;
}

}  // namespace assay
