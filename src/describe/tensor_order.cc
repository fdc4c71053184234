#include "describe/tensor_order.h"

#include <algorithm>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

std::vector<int64_t> RopeRows(const ModelConfig& source, bool for_q, bool to_interleaved) {
  const int64_t heads = for_q ? source.n_heads : source.n_kv_heads, dim = source.head_dim, half = dim / 2;
  std::vector<int64_t> order(static_cast<size_t>(heads * dim));
  for (int64_t row = 0; row < heads * dim; ++row) {
    int64_t head = row / dim, at = row % dim, from = at;
    if (dim % 2 == 0) from = to_interleaved ? (at % 2) * half + at / 2 : (at % half) * 2 + at / half;
    order[static_cast<size_t>(row)] = head * dim + from;
  }
  return order;
}

/// `first` elements stay, then each value head has `size`.
std::vector<int64_t> ValueHeads(const DeltaConfig& d, int64_t first, int64_t size, bool to_tiled) {
  const int64_t keys = d.key_heads, group = d.value_heads / d.key_heads;
  std::vector<int64_t> order;
  for (int64_t i = 0; i < first; ++i) order.push_back(i);
  for (int64_t head = 0; head < d.value_heads; ++head) {
    const int64_t from = to_tiled ? head % keys * group + head / keys : head % group * keys + head / group;
    for (int64_t i = 0; i < size; ++i) order.push_back(first + from * size + i);
  }
  return order;
}

struct DeltaPart {
  std::string_view name;
  bool columns, single, behind_keys;  // one element a head; behind the channels of queries and keys
};
constexpr DeltaPart kDeltaParts[] = {
    {"ssm_v.weight", false, false, false},     {"ssm_z.weight", false, false, false},
    {"ssm_beta.weight", false, true, false},   {"ssm_alpha.weight", false, true, false},
    {"ssm_dt.bias", true, true, false},        {"ssm_a.weight", true, true, false},
    {"ssm_conv1d.weight", false, false, true}, {"ssm_out.weight", true, false, false},
};

}  // namespace

TensorOrders OrdersOf(const ModelConfig& config) {
  return {config.rope_interleaved, config.delta.tiled};
}

TensorOrders OrdersOf(std::string_view architecture, Container container) {
  const ArchitectureSpec* spec = FindArchitecture(architecture);
  ASSAY_CHECK(spec != nullptr);
  if (container == Container::kGguf) return {spec->gguf_interleaved, spec->gguf_tiled_heads};
  return {spec->hf_interleaved, false};
}

TensorOrder OrderBetween(const ModelConfig& source, TensorOrders target, std::string_view canonical_name) {
  TensorOrder out;
  if (!canonical_name.starts_with("blk.")) return out;
  const size_t dot = canonical_name.find('.', 4);
  if (dot == std::string_view::npos) return out;
  const std::string_view part = canonical_name.substr(dot + 1);
  // The turned part of a latent query stands apart, in the order of its files: GGUF has but one (DeepSeekToGguf).
  if (source.rope_interleaved != target.rope_interleaved && source.latent.kv_rank == 0)
    for (std::string_view name : {"attn_q.weight", "attn_q.bias", "attn_k.weight", "attn_k.bias"})
      if (part == name)
        (part.ends_with("bias") ? out.cols : out.rows) = RopeRows(source, name[5] == 'q', target.rope_interleaved);
  const DeltaConfig& d = source.delta;
  if (d.tiled == target.tiled_heads || d.key_heads == 0 || d.key_heads == d.value_heads) return out;
  for (const DeltaPart& row : kDeltaParts) {
    if (part != row.name) continue;
    (row.columns ? out.cols : out.rows) = ValueHeads(d, row.behind_keys ? 2 * d.key_heads * d.key_dim : 0,
                                                     row.single ? 1 : d.value_dim, target.tiled_heads);
  }
  return out;
}

}  // namespace assay
