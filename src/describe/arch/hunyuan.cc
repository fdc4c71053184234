// Hunyuan, dense and MoE: norms on each head's query and key behind the rotation, whose base a fixed alpha stretches;
// the mixture chooses by softmax, beside an expert that every token passes.

#include <cmath>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

/// "dynamic" with an alpha is not dynamic: NTK-aware scaling that stretches the base once and for all.
void StretchBase(ModelConfig& c, double alpha) {
  const auto dim = static_cast<double>(c.head_dim);
  c.rope_theta *= std::pow(alpha, dim / (dim - 2.0));
  c.rope_scaling = {};
}

void RopeFromHf(const HfFields& in, ModelConfig& c) {
  const double alpha = JsonNumber(RopeObject(in), "alpha", in.where, 0.0);
  if (c.rope_scaling.kind == RopeScaling::Kind::kDynamic && alpha != 0.0) StretchBase(c, alpha);
}

/// moe_topk, a number or one for each layer.
int64_t ExpertsUsed(const HfFields& in, const ModelConfig& c) {
  if (!in.Has("moe_topk") || !in.json["moe_topk"].is_array()) return in.Int("moe_topk", 1);
  const Json& list = in.json["moe_topk"];
  if (static_cast<int64_t>(list.size()) < c.n_layers || !list[0].is_number_integer())
    Fail(ErrorKind::kCorrupt, "{}: moe_topk: expected a number for each of {} layers", in.where, c.n_layers);
  for (int64_t i = 1; i < c.n_layers; ++i)
    if (list[static_cast<size_t>(i)] != list[0])
      Fail(ErrorKind::kUnsupported, "{}: moe_topk: layers that differ ({} and {})", in.where, DumpJson(list[0]),
           DumpJson(list[static_cast<size_t>(i)]));
  return list[0].get<int64_t>();
}

void MoeFromHf(const HfFields& in, ModelConfig& c) {
  ExpertConfig& e = c.experts;
  e.count = in.Int("num_experts", 1);
  e.used = ExpertsUsed(in, c);
  e.feed_forward = e.shared_feed_forward = c.feed_forward;
  SetAllExperts(c);
}

void MoeFromGguf(const GgufFields& in, ModelConfig& c) {
  ExpertConfig& e = c.experts;
  e.count = in.Int("expert_count");
  e.used = in.Int("expert_used_count");
  e.feed_forward = c.feed_forward;  // whatever expert_feed_forward_length says
  e.shared_feed_forward = in.Int("expert_shared_feed_forward_length", 0);
  if (e.shared_feed_forward == 0) e.shared_feed_forward = c.feed_forward;
  SetAllExperts(c);
}

void MoeToGguf(const ModelConfig& c, const std::string& p, GgufMetadata& out) {
  const ExpertConfig& e = c.experts;
  out.AddUint32(p + "expert_feed_forward_length", static_cast<uint64_t>(e.feed_forward));
  out.AddUint32(p + "expert_shared_feed_forward_length", static_cast<uint64_t>(e.shared_feed_forward));
  out.AddUint32(p + "expert_shared_count", 1);
}

void MoeToHf(const ModelConfig& c, Json& out) {
  out["num_experts"] = c.experts.count;
  out["moe_topk"] = c.experts.used;
}

}  // namespace

ArchitectureSpec HunyuanDenseSpec() {
  ArchitectureSpec spec;
  spec.name = "hunyuan-dense";
  spec.classes = {"HunYuanDenseV1ForCausalLM"};
  spec.model_types = {"hunyuan_v1_dense"};
  spec.hf = {{"attn_q_norm", "self_attn.query_layernorm"}, {"attn_k_norm", "self_attn.key_layernorm"}};
  spec.wire = [](ModelConfig& c) {
    c.qk_norm = QkNorm::kRotatedHead;
    c.qkv_bias = c.o_bias = Presence::kOptional;
  };
  spec.rope_from_hf = RopeFromHf;
  spec.from_gguf = [](const GgufFields& in, ModelConfig& c) {
    if (const double alpha = in.Number("rope.scaling.alpha", 0.0); alpha > 0.0) StretchBase(c, alpha);
  };
  return spec;
}

ArchitectureSpec HunyuanMoeSpec() {
  ArchitectureSpec spec = HunyuanDenseSpec();
  spec.name = "hunyuan-moe";
  spec.classes = {"HunYuanMoEV1ForCausalLM"};
  spec.model_types = {"hunyuan_v1_moe"};
  spec.mixture = true;
  for (const StoredName name : {StoredName{"ffn_gate_inp", "mlp.gate.wg"},
                                {"ffn_gate_shexp", "mlp.shared_mlp.gate_proj"},
                                {"ffn_up_shexp", "mlp.shared_mlp.up_proj"},
                                {"ffn_down_shexp", "mlp.shared_mlp.down_proj"}})
    spec.hf.push_back(name);
  spec.wire = [](ModelConfig& c) {
    HunyuanDenseSpec().wire(c);
    c.experts.renormalize = true;
  };
  spec.from_hf = MoeFromHf;
  spec.from_gguf = MoeFromGguf;
  spec.to_gguf = MoeToGguf;
  spec.to_hf = MoeToHf;
  return spec;
}

}  // namespace assay
