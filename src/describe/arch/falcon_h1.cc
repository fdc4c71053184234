// Falcon-H1: Mamba-2 and attention side by side in every layer, and a multiplier on nearly everything. GGUF has these
// multipliers in the weights.

#include <algorithm>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

void AllBeside(ModelConfig& c) {
  SetAllLayers(c);
  for (LayerConfig& layer : c.layers) layer.beside = true;
}

/// One key, or an item of a list, that is a multiplier.
struct Named {
  const char* key;
  double Multipliers::*of;
};
constexpr Named kNumbers[] = {
    {"attention_in_multiplier", &Multipliers::attention_in},
    {"attention_out_multiplier", &Multipliers::attention_out},
    {"key_multiplier", &Multipliers::keys},
    {"ssm_in_multiplier", &Multipliers::mamba_in},
    {"ssm_out_multiplier", &Multipliers::mamba_out},
};
constexpr Named kItems[] = {
    {"mlp_multipliers", &Multipliers::ffn_gate},   {"mlp_multipliers", &Multipliers::ffn_down},
    {"ssm_multipliers", &Multipliers::mamba_gate}, {"ssm_multipliers", &Multipliers::mamba_heads},
    {"ssm_multipliers", &Multipliers::mamba_keys}, {"ssm_multipliers", &Multipliers::mamba_queries},
    {"ssm_multipliers", &Multipliers::mamba_step},
};

void ReadMultipliers(const HfFields& in, ModelConfig& c) {
  c.embedding_scale = in.Number("embedding_multiplier", 1.0);
  c.logit_scale = in.Number("lm_head_multiplier", 1.0);
  for (const Named& named : kNumbers) c.multipliers.*named.of = in.Number(named.key, 1.0);
  for (auto [key, count] : {std::pair{"mlp_multipliers", size_t{2}}, {"ssm_multipliers", size_t{5}}}) {
    if (!in.Has(key)) continue;
    const Json& list = in.json[key];
    if (!list.is_array() || list.size() != count ||
        !std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_number(); }))
      Fail(ErrorKind::kCorrupt, "{}: {}: expected a list of {} numbers, found {}", in.where, key, count,
           DumpJson(list).substr(0, 60));
    size_t at = 0;
    for (const Named& named : kItems)
      if (named.key == std::string_view(key)) c.multipliers.*named.of = list[at++].get<double>();
  }
}

void FromHf(const HfFields& in, ModelConfig& c) {
  ReadMamba(in, c);
  c.mamba.activation = c.activation;
  ReadMultipliers(in, c);
  AllBeside(c);
  c.mamba.norm = in.Bool("mamba_rms_norm", false);
  if (c.mamba.norm && in.Bool("mamba_norm_before_gate", true))
    Fail(ErrorKind::kUnsupported, "{}: mamba_norm_before_gate true is not supported", in.where);
  if (in.Bool("projectors_bias", false))
    Fail(ErrorKind::kUnsupported, "{}: projectors_bias true is not supported", in.where);
}

void ToHf(const ModelConfig& c, Json& out) {
  AddMamba(c, out);
  out["mamba_d_ssm"] = c.mamba.heads * c.mamba.head_dim;
  out["mamba_rms_norm"] = c.mamba.norm;
  out["mamba_norm_before_gate"] = false;
  out["projectors_bias"] = false;
  out["embedding_multiplier"] = ShortFloat(c.embedding_scale);
  out["lm_head_multiplier"] = ShortFloat(c.logit_scale);
  for (const Named& named : kNumbers) out[named.key] = ShortFloat(c.multipliers.*named.of);
  for (const char* key : {"mlp_multipliers", "ssm_multipliers"}) out[key] = Json::array();
  for (const Named& named : kItems) out[named.key].push_back(ShortFloat(c.multipliers.*named.of));
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  ReadMamba(in, c);
  AllBeside(c);
  c.mamba.norm = in.file.HasTensor("blk.0.ssm_norm.weight");
}

void ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  if (c.tied_output && c.embedding_scale != c.logit_scale)
    Fail(ErrorKind::kUnsupported,
         "GGUF has multipliers in the weights, but one matrix is embedding, times {}, and output, times {}",
         c.embedding_scale, c.logit_scale);
  AddMamba(c, p, out);
}

}  // namespace

ArchitectureSpec FalconH1Spec() {
  ArchitectureSpec spec;
  spec.name = "falcon-h1";
  spec.classes = {"FalconH1ForCausalLM"};
  spec.model_types = {"falcon_h1"};
  spec.gguf_folds = true;
  spec.roots.output_norm = "model.final_layernorm";
  spec.hf = {
      {"ffn_norm", "pre_ff_layernorm"},   {"ffn_gate", "feed_forward.gate_proj"},
      {"ffn_up", "feed_forward.up_proj"}, {"ffn_down", "feed_forward.down_proj"},
      {"ssm_conv1d", "mamba.conv1d"},     {"ssm_dt", "=mamba.dt"},
      {"ssm_a", "=mamba.A_log"},          {"ssm_norm", "mamba.norm"},
      {"ssm_out", "mamba.out_proj"},
  };
  spec.gguf = {{"ffn_norm", "=ffn_norm"}};
  spec.wire = [](ModelConfig& c) { c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kOptional; };
  spec.from_hf = FromHf;
  spec.to_hf = ToHf;
  spec.from_gguf = FromGguf;
  spec.to_gguf = ToGguf;
  return spec;
}

}  // namespace assay
