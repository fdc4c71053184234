#include "describe/hf_config.h"

#include <algorithm>

#include "base/error.h"
#include "describe/arch/config_class.h"
#include "describe/arch/spec.h"
#include "describe/config_check.h"
#include "describe/generation_files.h"
#include "describe/hf_rope.h"
#include "describe/rope_tables.h"
#include "describe/slots.h"

namespace assay {
namespace {

struct Named {
  const ArchitectureSpec& spec;
  std::string_view hf_class, model_type;  // of the spec's
};

Named SpecOf(const Json& config, std::string_view where) {
  const HfFields in{config, std::string(where)};
  auto fits = [&](const ArchitectureSpec& spec) { return !spec.fits || spec.fits(in); };
  if (auto it = config.find("architectures");
      it != config.end() && it->is_array() && !it->empty() && (*it)[0].is_string()) {
    std::string name = (*it)[0].get<std::string>();
    for (const ArchitectureSpec& spec : ArchitectureSpecs())
      if (auto found = std::find(spec.classes.begin(), spec.classes.end(), name);
          found != spec.classes.end() && fits(spec))
        return {spec, *found, spec.TypeOf(*found)};
    RefuseArchitecture(where, name, true);
  }
  std::string type = JsonString(config, "model_type", where, "");
  for (const ArchitectureSpec& spec : ArchitectureSpecs())
    for (size_t i = 0; i < spec.model_types.size(); ++i)
      if (spec.model_types[i] == type && fits(spec)) return {spec, spec.classes[i], spec.model_types[i]};
  RefuseArchitecture(where, type.empty() ? "(none stated)" : type, true);
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

/// The file with what its class takes for granted, under the names of Llama's keys.
Json NormalizedConfig(const Json& config, const ArchitectureSpec& spec, const ConfigClass& type) {
  Json out = CompleteConfig(config, type, false);
  if (spec.rope_default && RopeObject({out, ""}).empty()) out["rope_parameters"] = ParseJson(spec.rope_default, "");
  if (spec.normalize) spec.normalize(out);
  for (const auto& [theirs, ours] : spec.hf_keys) {
    auto it = out.find(theirs);
    const Json value = it == out.end() ? Json() : *it;
    out.erase(ours);
    if (!value.is_null()) out[ours] = value;
  }
  return out;
}

double ReadEpsilon(const HfFields& in) {
  for (const char* key : {"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"})
    if (in.Has(key)) return in.Number(key, 0.0);
  return 1e-6;
}

void ReadSizes(const HfFields& in, ModelConfig& out) {
  const std::string& where = in.where;
  out.n_layers = in.Int("num_hidden_layers");
  out.hidden = in.Int("hidden_size");
  out.n_heads = in.Int("num_attention_heads");
  if (out.n_heads < 1) Fail(ErrorKind::kCorrupt, "{}: num_attention_heads: found {}", where, out.n_heads);
  out.n_kv_heads = in.Int("num_key_value_heads", out.n_heads);
  // Heads of latent attention have other keys.
  if (!in.Has("head_dim") && !in.Has("qk_rope_head_dim") && out.hidden % out.n_heads != 0)
    Fail(ErrorKind::kCorrupt, "{}: hidden_size {} is not a multiple of num_attention_heads {}", where, out.hidden,
         out.n_heads);
  out.head_dim = in.Int("head_dim", out.hidden / out.n_heads);
  if (!out.gated)
    out.feed_forward = in.Int("intermediate_size", 4 * out.hidden);
  else  // mixtures without a dense layer may state no other width
    out.feed_forward = in.Int(!in.Has("intermediate_size") && in.Has("moe_intermediate_size") ? "moe_intermediate_size"
                                                                                              : "intermediate_size");
  out.vocab = in.Int("vocab_size");
  out.context = in.Int("max_position_embeddings", 2048);
  for (auto [value, limit, what] :
       {std::tuple{out.n_layers, kMaxModelLayers, "layers"},
        {out.head_dim, kMaxModelHeads, "head size"},
        {out.context, kMaxModelContext, "context length"}})  // CheckConfig comes late for them
    if (value < 1 || value > limit)
      Fail(ErrorKind::kCorrupt, "{}: {}: expected 1 to {}, found {}", where, what, limit, value);
}

/// Optional ones are those that the file asks for; there are no others.
void ReadBias(const HfFields& in, const ConfigClass& type, const char* key, Presence& biases) {
  if (!in.Bool(key, false) || std::find(type.idle.begin(), type.idle.end(), key) != type.idle.end()) return;
  if (biases == Presence::kNever)
    Fail(ErrorKind::kUnsupported, "{}: {} true is not supported for {}", in.where, key, in.hf_class);
  biases = Presence::kAlways;
}

}  // namespace

ModelConfig HfModelConfig(const Json& json, const Json& generation, std::string_view where_view) {
  const std::string where(where_view);
  if (!json.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", where, json.type_name());
  const auto [spec, hf_class, model_type] = SpecOf(json, where);
  const ConfigClass* type = FindConfigClass(model_type);
  ASSAY_CHECK(type != nullptr);
  RefuseForeignKeys(json, *type, spec.layer_overrides, where);
  const Json config = NormalizedConfig(json, spec, *type);
  const HfFields in{config, where, hf_class};
  ModelConfig out;
  out.architecture = spec.name;
  out.rope_interleaved = spec.hf_interleaved;
  if (spec.wire) spec.wire(out);
  out.name = in.Text("_name_or_path", "");
  ReadSizes(in, out);
  out.rms_epsilon = ReadEpsilon(in);
  out.tied_output = in.Bool("tie_word_embeddings", out.tied_output);
  if (out.gated && out.activation == Activation::kSilu) out.activation = ReadActivation(in, "hidden_act", "silu");
  if (spec.from_hf) spec.from_hf(in, out);
  ReadBias(in, *type, "attention_bias", out.qkv_bias);
  if (out.o_bias == Presence::kOptional) out.o_bias = out.qkv_bias;
  ReadBias(in, *type, "mlp_bias", out.mlp_bias);
  if (out.learned_positions)
    out.rotary_dim = out.head_dim;
  else
    ReadRope(in, spec, out);
  if (spec.rope_from_hf) spec.rope_from_hf(in, out);
  CheckConfig(out, where);
  ReadStopTokens(json, out, where);
  ReadStopTokens(generation, out, "generation_config.json");
  out.generation = ReadGenerationConfig(generation, out.vocab, out.context);
  return out;
}

namespace {

Json StopJson(const ModelConfig& config) {
  if (config.stop_tokens.empty()) return nullptr;
  if (config.stop_tokens.size() == 1) return config.stop_tokens[0];
  return config.stop_tokens;
}

Json OptionalId(int64_t id) {
  return id < 0 ? Json(nullptr) : Json(id);
}

Json FactorsJson(const std::vector<float>& factors) {
  Json out = Json::array();
  for (float factor : factors) out.push_back(ShortFloat(factor));
  return out;
}

Json RopeJson(const ModelConfig& config) {
  const RopeScaling& rope = config.rope_scaling;
  switch (rope.kind) {
    case RopeScaling::Kind::kNone:
      return nullptr;
    case RopeScaling::Kind::kLong: {
      Json out = {{"rope_type", "longrope"},
                  {"original_max_position_embeddings", rope.original_context},
                  {"short_factor", FactorsJson(config.rope_factors)},
                  {"long_factor", FactorsJson(config.rope_long_factors)}};
      if (rope.attention_factor != 0.0) out["attention_factor"] = ShortFloat(rope.attention_factor);
      return out;
    }
    case RopeScaling::Kind::kLinear:
      return {{"rope_type", "linear"}, {"factor", ShortFloat(rope.factor)}};
    case RopeScaling::Kind::kProportional:  // of one kind of layers: the description says it
      return nullptr;
    case RopeScaling::Kind::kDynamic:
      return {{"rope_type", "dynamic"}, {"factor", ShortFloat(rope.factor)}};
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
      if (!rope.truncate) out["truncate"] = false;
      if (rope.attention_factor != 0.0) out["attention_factor"] = ShortFloat(rope.attention_factor);
      return out;
    }
  }
  return nullptr;
}

}  // namespace

Json HfConfigJson(const ModelConfig& config, std::string_view dtype, bool attention_bias, bool mlp_bias, int64_t bos,
                  int64_t pad) {
  const ArchitectureSpec& spec = *FindArchitecture(config.architecture);
  if (!config.rope_factors.empty() && config.rope_scaling.kind != RopeScaling::Kind::kLong)
    Fail(ErrorKind::kUnsupported, "config.json cannot state the RoPE factors of this model's rope_freqs.weight");
  Json out;
  out["architectures"] = {spec.classes.front()};
  out["model_type"] = spec.model_types.front();
  out["attention_bias"] = attention_bias || config.qkv_bias == Presence::kAlways;
  out["attention_dropout"] = 0.0;
  out["bos_token_id"] = OptionalId(bos);
  out["dtype"] = dtype;
  out["eos_token_id"] = StopJson(config);
  out["head_dim"] = config.head_dim;
  out["hidden_act"] = ActivationName(config.activation);
  out["hidden_size"] = config.hidden;
  out["initializer_range"] = 0.02;
  out["intermediate_size"] = config.feed_forward;
  out["max_position_embeddings"] = config.context;
  out["mlp_bias"] = mlp_bias && config.mlp_bias != Presence::kNever;
  out["num_attention_heads"] = config.n_heads;
  out["num_hidden_layers"] = config.n_layers;
  out["num_key_value_heads"] = config.n_kv_heads;
  out["pad_token_id"] = OptionalId(pad);
  out[config.norm == Norm::kRms ? "rms_norm_eps" : "layer_norm_eps"] = ShortFloat(config.rms_epsilon);
  out["rope_scaling"] = RopeJson(config);
  // Null would be what the class takes for granted.
  if (spec.rope_default && out["rope_scaling"].is_null()) out["rope_scaling"] = {{"rope_type", "default"}};
  out["rope_theta"] = ShortFloat(config.rope_theta);
  if ((config.rotary_dim != config.head_dim || spec.partial_rotary > 0) && config.latent.kv_rank == 0)
    out["partial_rotary_factor"] = static_cast<double>(config.rotary_dim) / static_cast<double>(config.head_dim);
  out["tie_word_embeddings"] = config.tied_output;
  out["torch_dtype"] = dtype;
  out["use_cache"] = true;
  out["vocab_size"] = config.vocab;
  if (spec.to_hf) spec.to_hf(config, out);
  for (const auto& [theirs, ours] : spec.hf_keys) {
    if (!out.contains(ours)) continue;
    out[theirs] = out[ours];
    out.erase(ours);
  }
  return out;
}

Json HfGenerationJson(const ModelConfig& config, int64_t bos, int64_t pad) {
  Json out;
  if (bos >= 0) out["bos_token_id"] = bos;
  if (!config.stop_tokens.empty()) out["eos_token_id"] = StopJson(config);
  if (pad >= 0) out["pad_token_id"] = pad;
  AddToJson(config.generation, out);
  return out;
}

}  // namespace assay
