// MiniMax-M2: norms on all queries and on all keys of a token together, a part of each head rotated, in every layer a
// mixture chosen by sigmoid with a correction.

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

void FromHf(const HfFields& in, ModelConfig& c) {
  // Released files say rotary_dim in place of partial_rotary_factor, which goes before it.
  if (in.Has("rotary_dim") && !in.Stated("partial_rotary_factor") &&
      !RopeObject(in).contains("partial_rotary_factor")) {
    const auto dim = static_cast<double>(c.head_dim);
    c.rotary_dim = static_cast<int64_t>(dim * (static_cast<double>(in.Int("rotary_dim")) / dim));
  }
  c.experts.count = in.Int("num_local_experts", 256);
  c.experts.used = in.Int("num_experts_per_tok", 8);
  c.experts.feed_forward = c.feed_forward;
  SetAllExperts(c);
}

void FromGguf(const GgufFields& in, ModelConfig& c) {
  c.experts.count = in.Int("expert_count");
  c.experts.used = in.Int("expert_used_count");
  if (const int64_t gating = in.Int("expert_gating_func", 0); gating != 2)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}expert_gating_func {}; supported: 2 (sigmoid)", in.file.where,
         in.prefix, gating);
  c.experts.feed_forward = c.feed_forward;
  SetAllExperts(c);
}

void ToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  out.AddUint32(p + "expert_feed_forward_length", static_cast<uint64_t>(c.experts.feed_forward));
  out.AddUint32(p + "expert_gating_func", 2);
}

void ToHf(const ModelConfig& c, Json& out) {
  out["rotary_dim"] = c.rotary_dim;
  out.erase("partial_rotary_factor");
  out["num_local_experts"] = c.experts.count;
  out["num_experts_per_tok"] = c.experts.used;
}

}  // namespace

ArchitectureSpec MiniMaxM2Spec() {
  ArchitectureSpec spec;
  spec.name = "minimax-m2";
  spec.classes = {"MiniMaxM2ForCausalLM"};
  spec.model_types = {"minimax_m2"};
  spec.mixture = true;
  spec.hf = {
      {"ffn_gate_inp", "block_sparse_moe.gate"},         {"exp_probs_b", "=block_sparse_moe.e_score_correction"},
      {"expert_gate", "block_sparse_moe.experts.{}.w1"}, {"expert_up", "block_sparse_moe.experts.{}.w3"},
      {"expert_down", "block_sparse_moe.experts.{}.w2"},
  };
  spec.partial_rotary = 1.0;
  spec.wire = [](ModelConfig& c) {
    c.qk_norm = QkNorm::kWhole;
    c.experts.sigmoid = c.experts.renormalize = true;
    c.experts.correction = Presence::kAlways;
  };
  spec.from_hf = FromHf;
  spec.from_gguf = FromGguf;
  spec.to_gguf = ToGguf;
  spec.to_hf = ToHf;
  return spec;
}

}  // namespace assay
