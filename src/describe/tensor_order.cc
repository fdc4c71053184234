#include "describe/tensor_order.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

std::vector<int64_t> RopeRows(int64_t heads, int64_t dim, bool to_interleaved) {
  const int64_t half = dim / 2;
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

bool Folds(const ModelConfig& config) {
  const ArchitectureSpec* spec = FindArchitecture(config.architecture);
  return spec && spec->gguf_folds;
}

/// The numbers that rows of a tensor are multiplied with in a container that has multipliers in the weights.
void Multiply(const ModelConfig& c, std::string_view part, TensorOrder& out) {
  const Multipliers& m = c.multipliers;
  const MambaConfig& s = c.mamba;
  const int64_t inner = s.heads * s.head_dim, keys = s.groups * s.state;
  int64_t cols = c.hidden;
  if (part == "ssm_in.weight") {
    for (auto [factor, rows] : {std::pair{m.mamba_gate, inner},
                                {m.mamba_heads, inner},
                                {m.mamba_keys, keys},
                                {m.mamba_queries, keys},
                                {m.mamba_step, s.heads}})
      out.factors.insert(out.factors.end(), static_cast<size_t>(rows), static_cast<float>(m.mamba_in * factor));
  } else {
    struct Row {
      std::string_view name;
      double factor;
      int64_t cols;
    };
    const Row rows[] = {{"token_embd.weight", c.embedding_scale, c.hidden},
                        {"output.weight", c.logit_scale, c.hidden},
                        {"attn_q.weight", m.attention_in, c.hidden},
                        {"attn_k.weight", m.attention_in * m.keys, c.hidden},
                        {"attn_k.bias", m.keys, c.n_kv_heads * c.head_dim},
                        {"attn_v.weight", m.attention_in, c.hidden},
                        {"attn_output.weight", m.attention_out, c.n_heads * c.head_dim},
                        {"attn_output.bias", m.attention_out, c.hidden},
                        {"ssm_out.weight", m.mamba_out, inner},
                        {"ffn_gate.weight", m.ffn_gate, c.hidden},
                        {"ffn_gate.bias", m.ffn_gate, c.feed_forward},
                        {"ffn_down.weight", m.ffn_down, c.feed_forward},
                        {"ffn_down.bias", m.ffn_down, c.hidden}};
    const Row* row = std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.name == part; });
    if (row == std::end(rows)) return;
    out.factors = {static_cast<float>(row->factor)};
    cols = row->cols;
  }
  if (std::all_of(out.factors.begin(), out.factors.end(), [](float factor) { return factor == 1.0f; })) {
    out.factors.clear();
    return;
  }
  out.cols.resize(static_cast<size_t>(cols));
  std::iota(out.cols.begin(), out.cols.end(), 0);
}

}  // namespace

std::vector<int64_t> TensorOrder::Shape(std::vector<int64_t> source) const {
  if (!rows.empty()) source[0] = static_cast<int64_t>(rows.size());
  return source;
}

TensorOrders OrdersOf(const ModelConfig& config) {
  const ModelConfig folded = Folded(config);
  return {config.rope_interleaved, config.delta.tiled,
          Folds(config) && folded.multipliers == config.multipliers &&
              folded.embedding_scale == config.embedding_scale && folded.logit_scale == config.logit_scale,
          config.PerLayerRows() == config.vocab};
}

ModelConfig Folded(ModelConfig config) {
  if (!Folds(config)) return config;
  config.multipliers = {};
  config.embedding_scale = config.logit_scale = 1.0;
  return config;
}

TensorOrders OrdersOf(std::string_view architecture, Container container) {
  const ArchitectureSpec* spec = FindArchitecture(architecture);
  ASSAY_CHECK(spec != nullptr);
  if (container == Container::kGguf) return {spec->gguf_interleaved, spec->gguf_tiled_heads, spec->gguf_folds, true};
  return {spec->hf_interleaved, false, false, false};
}

TensorOrder OrderBetween(const ModelConfig& source, TensorOrders target, std::string_view canonical_name) {
  TensorOrder out;
  if (canonical_name == "per_layer_token_embd.weight" && target.every_token && source.PerLayerRows() < source.vocab)
    for (int64_t row = 0; row < source.vocab; ++row) out.rows.push_back(row < source.PerLayerRows() ? row : 0);
  const bool of_layer = canonical_name.starts_with("blk.");
  const size_t dot = of_layer ? canonical_name.find('.', 4) : std::string_view::npos;
  if (target.folded)
    Multiply(source, dot == std::string_view::npos ? canonical_name : canonical_name.substr(dot + 1), out);
  if (dot == std::string_view::npos) return out;
  const std::string_view part = canonical_name.substr(dot + 1);
  // The turned part of a latent query stands apart, in the order of its files: GGUF has but one (DeepSeekToGguf).
  if (source.rope_interleaved != target.rope_interleaved && source.latent.kv_rank == 0) {
    const LayerConfig layer = source.Layer(std::stoll(std::string(canonical_name.substr(4, dot - 4))));
    const int64_t dim = source.HeadDim(layer);
    for (std::string_view name : {"attn_q.weight", "attn_q.bias", "attn_k.weight", "attn_k.bias"})
      if (part == name)
        (part.ends_with("bias") ? out.cols : out.rows) =
            RopeRows(name[5] == 'q' ? source.n_heads : source.KvHeads(layer), dim, target.rope_interleaved);
  }
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
