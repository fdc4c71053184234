// ERNIE 4.5: Llama that rotates neighbouring pairs in every container; the mixture chooses by softmax with a
// correction, between two layers that the file names, beside experts that every token passes.

#include <algorithm>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

void BiasesFromHf(const HfFields& in, ModelConfig& c) {
  if (in.Bool("use_bias", false)) c.qkv_bias = c.o_bias = c.mlp_bias = Presence::kAlways;
}

void BiasesToHf(const ModelConfig& c, Json& out) {
  out["use_bias"] = c.o_bias == Presence::kAlways;
}

int64_t DenseLayers(const ModelConfig& c) {
  int64_t dense = 0;
  while (dense < c.n_layers && !c.Layer(dense).experts) ++dense;
  return dense;
}

void MoeFromHf(const HfFields& in, ModelConfig& c) {
  BiasesFromHf(in, c);
  if (in.Bool("use_bias", false))
    Fail(ErrorKind::kUnsupported, "{}: use_bias true is not supported for {}", in.where, in.hf_class);
  if (const double least = in.Number("moe_norm_min", 1e-12); least > 1e-6)
    Fail(ErrorKind::kUnsupported, "{}: moe_norm_min {}; supported: up to 1e-6", in.where, least);
  ExpertConfig& e = c.experts;
  e.count = in.Int("moe_num_experts", 64);
  e.used = in.Int("moe_k", 6);
  e.feed_forward = in.Int("moe_intermediate_size", 1536);
  e.shared_feed_forward = e.feed_forward * in.Int("moe_num_shared_experts", 2);
  SetAllLayers(c);
  const int64_t step = in.Int("moe_layer_interval", 1), begin = in.Int("moe_layer_start_index", 1);
  int64_t last = in.Int("moe_layer_end_index", -1);
  if (step < 1) Fail(ErrorKind::kCorrupt, "{}: moe_layer_interval: expected at least 1, found {}", in.where, step);
  if (last == -1) last = c.n_layers - 1;
  for (int64_t i = 0; i < c.n_layers; ++i)
    c.layers[static_cast<size_t>(i)].experts = (i + 1) % step == 0 && i >= begin && i <= last;
}

void MoeFromGguf(const GgufFields& in, ModelConfig& c) {
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count");
  e.used = in.Int("expert_used_count");
  e.feed_forward = in.Int("expert_feed_forward_length");
  e.shared_feed_forward = in.Int("expert_shared_feed_forward_length", 0);
  e.correction = Presence::kOptional;
  const int64_t step = in.Int("interleave_moe_layer_step"), dense = in.Int("leading_dense_block_count", 0);
  if (step != 1)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}interleave_moe_layer_step {}; supported: 1", in.file.where, in.prefix,
         step);
  SetAllLayers(c);
  for (int64_t i = dense; i < c.n_layers; ++i) c.layers[static_cast<size_t>(std::max<int64_t>(0, i))].experts = true;
}

void MoeToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const ExpertConfig& e = c.experts;
  out.AddUint32(p + "expert_feed_forward_length", static_cast<uint64_t>(e.feed_forward));
  out.AddUint32(p + "expert_shared_count", static_cast<uint64_t>(e.shared_feed_forward / e.feed_forward));
  if (e.shared_feed_forward > 0)
    out.AddUint32(p + "expert_shared_feed_forward_length", static_cast<uint64_t>(e.shared_feed_forward));
  out.AddUint32(p + "interleave_moe_layer_step", 1);
  out.AddUint32(p + "leading_dense_block_count", static_cast<uint64_t>(DenseLayers(c)));
}

void MoeToHf(const ModelConfig& c, Json& out) {
  const ExpertConfig& e = c.experts;
  BiasesToHf(c, out);
  out["moe_num_experts"] = e.count;
  out["moe_k"] = e.used;
  out["moe_intermediate_size"] = e.feed_forward;
  out["moe_num_shared_experts"] = e.shared_feed_forward / e.feed_forward;
  out["moe_layer_interval"] = 1;
  out["moe_layer_start_index"] = DenseLayers(c);
  out["moe_layer_end_index"] = -1;
}

}  // namespace

ArchitectureSpec Ernie45Spec() {
  ArchitectureSpec spec;
  spec.name = "ernie4_5";
  spec.classes = {"Ernie4_5ForCausalLM"};
  spec.model_types = {"ernie4_5"};
  spec.hf_interleaved = spec.gguf_interleaved = true;
  spec.from_hf = BiasesFromHf;
  spec.to_hf = BiasesToHf;
  return spec;
}

ArchitectureSpec Ernie45MoeSpec() {
  ArchitectureSpec spec = Ernie45Spec();
  spec.name = "ernie4_5-moe";
  spec.classes = {"Ernie4_5_MoeForCausalLM"};
  spec.model_types = {"ernie4_5_moe"};
  spec.mixture = spec.mtp = true;
  spec.hf = {
      {"exp_probs_b", "=mlp.moe_statics.e_score_correction", StoredName::Order::kConcatenated, false, true},
      {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
      {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
      {"ffn_down_shexp", "mlp.shared_experts.down_proj"},
  };
  spec.wire = [](ModelConfig& c) {
    c.experts.renormalize = true;
    c.experts.correction = Presence::kAlways;
  };
  spec.from_hf = MoeFromHf;
  spec.from_gguf = MoeFromGguf;
  spec.to_gguf = MoeToGguf;
  spec.to_hf = MoeToHf;
  return spec;
}

}  // namespace assay
