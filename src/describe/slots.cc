#include "describe/slots.h"

#include <fmt/ranges.h>

#include <array>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

/// Llama's names, which most architectures share.
const std::vector<StoredName>& HfDefaults() {
  static const std::vector<StoredName> kNames = {
      {"attn_norm", "input_layernorm"},
      {"attn_q", "self_attn.q_proj"},
      {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},
      {"attn_q_norm", "self_attn.q_norm"},
      {"attn_k_norm", "self_attn.k_norm"},
      {"attn_output", "self_attn.o_proj"},
      {"attn_sub_norm", "self_attn.attn_sub_norm"},
      {"attn_sinks", "=self_attn.sinks"},
      {"post_attention_norm", "post_attention_layernorm"},
      {"ffn_norm", "post_attention_layernorm"},
      {"ffn_gate", "mlp.gate_proj"},
      {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"},
      {"ffn_sub_norm", "mlp.ffn_sub_norm"},
      {"ffn_xielu", "mlp.act_fn"},
      {"post_ffw_norm", "post_feedforward_layernorm"},
      {"ffn_gate_inp", "mlp.gate"},
      {"exp_probs_b", "=mlp.gate.e_score_correction"},
      {"expert_gate", "mlp.experts.{}.gate_proj"},
      {"expert_up", "mlp.experts.{}.up_proj"},
      {"expert_down", "mlp.experts.{}.down_proj"},
      {"ffn_gate_shexp", "mlp.shared_expert.gate_proj"},
      {"ffn_up_shexp", "mlp.shared_expert.up_proj"},
      {"ffn_down_shexp", "mlp.shared_expert.down_proj"},
      {"ffn_gate_inp_shexp", "mlp.shared_expert_gate"},
      {"attn_q_a", "self_attn.q_a_proj"},
      {"attn_q_a_norm", "self_attn.q_a_layernorm"},
      {"attn_q_b", "self_attn.q_b_proj"},
      {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"},
      {"attn_kv_a_norm", "self_attn.kv_a_layernorm"},
      {"attn_k_b", "self_attn.kv_b_proj"},
      {"attn_v_b", "self_attn.kv_b_proj"},
      {"indexer.attn_q_b", "self_attn.indexer.wq_b"},
      {"indexer.attn_k", "self_attn.indexer.wk"},
      {"indexer.k_norm", "self_attn.indexer.k_norm"},
      {"indexer.proj", "self_attn.indexer.weights_proj"},
      {"ssm_q", "linear_attn.in_proj_qkv"},
      {"ssm_k", "linear_attn.in_proj_qkv"},
      {"ssm_v", "linear_attn.in_proj_qkv"},
      {"ssm_z", "linear_attn.in_proj_z"},
      {"ssm_beta", "linear_attn.in_proj_b"},
      {"ssm_alpha", "linear_attn.in_proj_a"},
      {"ssm_conv1d", "linear_attn.conv1d"},
      {"ssm_dt", "=linear_attn.dt"},
      {"ssm_a", "=linear_attn.A_log"},
      {"ssm_norm", "linear_attn.norm"},
      {"ssm_in", "mamba.in_proj"},
      {"ssm_d", "=mamba.D"},
      {"ssm_out", "linear_attn.out_proj"},
      {"inp_gate", "per_layer_input_gate"},
      {"proj", "per_layer_projection"},
      {"post_norm", "post_per_layer_input_norm"},
      {"layer_output_scale", "=layer_scalar"},
      {"altup_router_norm", "altup.router_norm"},
      {"altup_router", "altup.modality_router"},
      {"altup_predict_coef", "altup.prediction_coefs"},
      {"altup_correct_coef", "altup.correction_coefs"},
      {"altup_correct_scale", "=altup.correct_output_scale"},
      {"laurel_l", "laurel.linear_left"},
      {"laurel_r", "laurel.linear_right"},
      {"laurel_post_norm", "laurel.post_laurel_norm"},
  };
  return kNames;
}

/// Where all experts of a layer are one tensor, as newer Hugging Face classes keep them.
const std::vector<StoredName>& HfFusedExperts() {
  static const std::vector<StoredName> kNames = {
      {"expert_gate", "=mlp.experts.gate_up_proj"},
      {"expert_up", "=mlp.experts.gate_up_proj"},
      {"expert_down", "=mlp.experts.down_proj"},
  };
  return kNames;
}

const std::vector<StoredName>& GgufDefaults() {
  static const std::vector<StoredName> kNames = {
      {"expert_gate", "ffn_gate_exps"},
      {"expert_up", "ffn_up_exps"},
      {"expert_down", "ffn_down_exps"},
      {"ssm_a", "=ssm_a"},
      {"ssm_d", "=ssm_d"},
  };
  return kNames;
}

const StoredName* FindName(const std::vector<StoredName>& names, std::string_view part) {
  for (const StoredName& name : names)
    if (name.part == part) return &name;
  return nullptr;
}

class SlotList {
 public:
  explicit SlotList(const ModelConfig& config) : config_(config), spec_(FindArchitecture(config.architecture)) {
    ASSAY_CHECK(spec_ != nullptr);
  }

  void Root(std::string_view name, std::string_view module, std::string_view suffix, std::vector<int64_t> shape,
            bool required, bool linear = false, bool norm = false) {
    TensorSlot slot;
    slot.name = fmt::format("{}.{}", name, suffix);
    const bool exact = module.starts_with('=');
    slot.hugging_face = slot.in_hf.name = exact ? std::string(module.substr(1)) : fmt::format("{}.{}", module, suffix);
    const StoredName* gguf = FindName(spec_->gguf, name);
    slot.in_gguf.name = gguf ? fmt::format("{}.{}", gguf->stored, suffix) : slot.name;
    slot.shape = std::move(shape);
    slot.required = required;
    slot.linear = linear;
    if (norm && spec_->minus_one) slot.hf_value = StoredValue::kLessOne;
    slots_.push_back(std::move(slot));
  }

  /// NAME.0, NAME.1, … and MODULE.0, MODULE.1, …: tensors there, slices of one in GGUF.
  void RootSlices(std::string_view name, std::string_view module, int64_t count, int64_t out, int64_t in) {
    for (int64_t i = 0; i < count; ++i) {
      Root(fmt::format("{}.{}", name, i), fmt::format("{}.{}", module, i), "weight", {out, in}, true, true);
      StoredPlace& place = slots_.back().in_gguf;
      place.name = fmt::format("{}.weight", name);
      place.slices = count;
      place.slice = i;
    }
  }

  void BeginLayer(int64_t layer) {
    layer_ = layer;
    layer_begin_ = slots_.size();
  }

  void Norm(std::string_view part, int64_t n, bool unshifted = false, bool required = true) {
    Add(part, "weight", {n}, required, false);
    if (spec_->minus_one && !unshifted) slots_.back().hf_value = StoredValue::kLessOne;
    if (config_.norm_bias) Add(part, "bias", {n}, true, false);
  }
  void Vector(std::string_view part, std::string_view suffix, int64_t n, bool required = true) {
    Add(part, suffix, {n}, required, false);
    if (part == "ssm_a") slots_.back().hf_value = StoredValue::kLogOfNegative;
  }
  /// A vector that GGUF has as a matrix.
  void VectorOf(std::string_view part, std::string_view suffix, std::vector<int64_t> gguf_shape) {
    Vector(part, suffix, gguf_shape[0] * gguf_shape[1]);
    slots_.back().in_gguf.shape = std::move(gguf_shape);
  }
  /// A number of the layer that Hugging Face has as a tensor and GGUF in metadata. `scalar`: there without a dimension.
  void Parameter(std::string_view part, std::string_view name, std::string_view gguf_key, bool scalar) {
    Vector(part, name, 1);
    TensorSlot& slot = slots_.back();
    slot.in_hf.scalar = scalar;
    slot.in_gguf.metadata = gguf_key;
    slot.in_gguf.item = layer_;
  }
  void Linear(std::string_view part, int64_t out, int64_t in, Presence bias = Presence::kNever, bool required = true) {
    Add(part, "weight", {out, in}, required, true);
    if (bias != Presence::kNever) Add(part, "bias", {out}, required && bias == Presence::kAlways, false);
  }
  /// `flat`: Hugging Face has a dimension of size 1 between rows and columns.
  void Table(std::string_view part, int64_t rows, int64_t cols, bool flat = false) {
    Add(part, "weight", {rows, cols}, true, false);
    slots_.back().in_hf.flat = flat;
  }
  void Expert(std::string_view part, int64_t expert, int64_t out, int64_t in, bool bias) {
    Add(part, "weight", {out, in}, true, true, expert);
    if (bias) Add(part, "bias", {out}, true, false, expert);
  }
  /// A head of the projections out of the latent space. Hugging Face has kv_b_proj [heads * (nope + value), kv_rank];
  /// keys are used the other way round, [kv_rank, nope].
  void Head(std::string_view part, int64_t head, int64_t out, int64_t in) {
    const LatentConfig& l = config_.latent;
    const bool key = part == "attn_k_b";
    Add(part, "weight", {out, in}, true, true);
    TensorSlot& slot = slots_.back();
    slot.name = fmt::format("blk.{}.{}.{}.weight", layer_, part, head);
    slot.in_hf.rows = config_.n_heads * (l.nope_dim + l.value_dim);
    slot.in_hf.first = head * (l.nope_dim + l.value_dim) + (key ? 0 : l.nope_dim);
    slot.in_hf.turned = key;
    slot.in_gguf.slices = config_.n_heads;
    slot.in_gguf.slice = head;
  }

  /// A block of rows of a matrix of `total` rows that is used by itself.
  void Rows(std::string_view part, int64_t block, int64_t out, int64_t in, int64_t total) {
    Add(part, "weight", {out, in}, true, true);
    TensorSlot& slot = slots_.back();
    slot.name = fmt::format("blk.{}.{}.{}.weight", layer_, part, block);
    for (StoredPlace* place : {&slot.in_hf, &slot.in_gguf}) {
      place->rows = total;
      place->first = block * out;
    }
  }
  void Integers(std::string_view part, int64_t rows, int64_t cols) {
    Table(part, rows, cols);
    slots_.back().integers = true;
  }

  /// Parts that share a stored tensor learn where they are in it.
  void EndLayer() {
    std::map<std::pair<std::string, int64_t>, std::vector<TensorSlot*>> hf, gguf;
    for (size_t i = layer_begin_; i < slots_.size(); ++i) {
      hf[{slots_[i].in_hf.name, slots_[i].in_hf.slice}].push_back(&slots_[i]);
      gguf[{slots_[i].in_gguf.name, slots_[i].in_gguf.slice}].push_back(&slots_[i]);
    }
    for (auto& [key, parts] : hf) Share(parts, &TensorSlot::in_hf, hf_order_[key.first]);
    for (auto& [key, parts] : gguf) Share(parts, &TensorSlot::in_gguf, gguf_order_[key.first]);
  }

  std::vector<TensorSlot> Take() { return std::move(slots_); }

 private:
  void Share(const std::vector<TensorSlot*>& parts, StoredPlace TensorSlot::*place, StoredName::Order order) const {
    if (parts.size() < 2 || (parts[0]->*place).rows > 0) return;
    int64_t total = 0;
    for (TensorSlot* part : parts) total += part->shape[0];
    int64_t begin = 0;
    for (TensorSlot* part : parts) {
      StoredPlace& at = part->*place;
      at.rows = total;
      if (order == StoredName::Order::kConcatenated) {
        at.first = begin;
      } else {
        const int64_t groups = order == StoredName::Order::kPerHead      ? config_.n_heads
                               : order == StoredName::Order::kPerKeyHead ? config_.delta.key_heads
                                                                         : part->shape[0];
        at.run = part->shape[0] / groups;
        at.first = begin / groups;
        at.stride = total / groups;
      }
      begin += part->shape[0];
    }
  }

  const StoredName& HfName(std::string_view part) const {
    if (const StoredName* name = FindName(spec_->hf, part)) {
      // A description with three-dimensional experts says so itself.
      if (!(config_.fused_experts && name->stored.find("{}") != std::string_view::npos)) return *name;
    }
    if (config_.fused_experts)
      if (const StoredName* name = FindName(HfFusedExperts(), part)) return *name;
    const StoredName* name = FindName(HfDefaults(), part);
    ASSAY_CHECK(name != nullptr);
    return *name;
  }

  static std::string Suffixed(std::string_view prefix, std::string_view stored, std::string_view suffix,
                              int64_t expert) {
    bool exact = stored.starts_with('=');
    if (exact) stored.remove_prefix(1);
    std::string name(stored);
    if (size_t at = name.find("{}"); at != std::string::npos) name.replace(at, 2, std::to_string(expert));
    if (!exact) return fmt::format("{}.{}.{}", prefix, name, suffix);
    return fmt::format("{}.{}{}", prefix, name, suffix == "bias" ? "_bias" : "");
  }

  void Add(std::string_view part, std::string_view suffix, std::vector<int64_t> shape, bool required, bool linear,
           int64_t expert = -1) {
    TensorSlot slot;
    std::string block = fmt::format("blk.{}", layer_);
    std::string_view own = part;
    if (expert >= 0) {
      own.remove_prefix(std::string_view("expert_").size());
      slot.name = fmt::format("{}.ffn_{}.{}.{}", block, own, expert, suffix);
    } else {
      slot.name = fmt::format("{}.{}.{}", block, part, suffix);
    }
    const StoredName& theirs = HfName(part);
    slot.hugging_face = Suffixed(fmt::format("{}.{}", spec_->roots.layers, layer_), theirs.stored, suffix, expert);
    slot.in_hf.name = slot.hugging_face;
    slot.in_hf.transposed = theirs.transposed && shape.size() == 2;
    if (theirs.row) slot.in_hf.shape = {1, shape[0]};
    hf_order_[slot.in_hf.name] = theirs.order;
    const StoredName* gguf = FindName(spec_->gguf, part);
    if (!gguf) gguf = FindName(GgufDefaults(), part);
    const bool both = config_.gguf_gate_up && (part == "expert_gate" || part == "expert_up");
    slot.in_gguf.name = Suffixed(block, both ? "ffn_gate_up_exps" : gguf ? gguf->stored : part, suffix, expert);
    gguf_order_[slot.in_gguf.name] = gguf ? gguf->order : StoredName::Order::kConcatenated;
    if (expert >= 0) {
      if (theirs.stored.find("{}") == std::string_view::npos) {
        slot.in_hf.slices = config_.experts.count;
        slot.in_hf.slice = expert;
      }
      slot.in_gguf.slices = config_.experts.count;
      slot.in_gguf.slice = expert;
    }
    slot.shape = std::move(shape);
    slot.required = required;
    slot.linear = linear;
    slots_.push_back(std::move(slot));
  }

  const ModelConfig& config_;
  const ArchitectureSpec* spec_;
  std::vector<TensorSlot> slots_;
  std::unordered_map<std::string, StoredName::Order> hf_order_, gguf_order_;
  int64_t layer_ = 0;
  size_t layer_begin_ = 0;
};

void AttentionSlots(const ModelConfig& c, const LayerConfig& layer, SlotList& list) {
  const int64_t head_dim = c.HeadDim(layer), q = c.n_heads * head_dim, kv = c.KvHeads(layer) * head_dim;
  const bool own = layer.kv_back == 0;  // files have keys and values of the others too, which nobody reads
  list.Linear("attn_q", c.output_gate ? 2 * q : q, c.hidden, c.qkv_bias);
  list.Linear("attn_k", kv, c.hidden, c.qkv_bias, own);
  if (!layer.keys_are_values) list.Linear("attn_v", kv, c.hidden, c.qkv_bias, own);
  if (c.qk_norm == QkNorm::kHead || c.qk_norm == QkNorm::kRotatedHead) {
    list.Norm("attn_q_norm", head_dim);
    list.Norm("attn_k_norm", head_dim, false, own);
  } else if (c.qk_norm == QkNorm::kWhole) {
    list.Norm("attn_q_norm", q);
    list.Norm("attn_k_norm", kv);
  } else if (c.qk_norm == QkNorm::kEachHead) {
    list.Table("attn_q_norm", c.n_heads, c.head_dim);
    list.Table("attn_k_norm", c.n_kv_heads, c.head_dim);
  }
  if (c.sinks) list.Vector("attn_sinks", "weight", c.n_heads);
  if (c.sub_norms) list.Norm("attn_sub_norm", q);
  list.Linear("attn_output", c.hidden, q, c.o_bias);
}

void IndexerSlots(const ModelConfig& c, SlotList& list) {
  const IndexerConfig& x = c.indexer;
  list.Linear("indexer.attn_q_b", x.heads * x.head_dim, c.latent.q_rank);
  list.Linear("indexer.attn_k", x.head_dim, c.hidden);
  list.Vector("indexer.k_norm", "weight", x.head_dim);
  list.Vector("indexer.k_norm", "bias", x.head_dim);
  list.Linear("indexer.proj", x.heads, c.hidden);
}

void CompressorSlots(const ModelConfig& c, const LayerConfig& layer, std::string_view kv, std::string_view gate,
                     std::string_view places, std::string_view norm, int64_t dim, SlotList& list) {
  const int64_t width = layer.overlapped ? 2 * dim : dim;
  list.Linear(kv, width, c.hidden);
  list.Linear(gate, width, c.hidden);
  list.Table(places, layer.compress, width);
  list.Norm(norm, dim);
}

void CompressedSlots(const ModelConfig& c, const LayerConfig& layer, SlotList& list) {
  const CompressedConfig& x = c.compressed;
  list.Linear("attn_q_a", x.q_rank, c.hidden);
  list.Norm("attn_q_a_norm", x.q_rank);
  list.Linear("attn_q_b", c.n_heads * c.head_dim, x.q_rank);
  list.Linear("attn_kv", c.head_dim, c.hidden);
  list.Norm("attn_kv_a_norm", c.head_dim);
  list.Vector("attn_sinks", "weight", c.n_heads);
  if (layer.compress > 0)
    CompressorSlots(c, layer, "attn_compressor_kv", "attn_compressor_gate", "attn_compressor_ape",
                    "attn_compressor_norm", c.head_dim, list);
  if (layer.overlapped) {
    list.Linear("indexer.attn_q_b", c.indexer.heads * c.indexer.head_dim, x.q_rank);
    list.Linear("indexer.proj", c.indexer.heads, c.hidden);
    CompressorSlots(c, layer, "indexer_compressor_kv", "indexer_compressor_gate", "indexer_compressor_ape",
                    "indexer_compressor_norm", c.indexer.head_dim, list);
  }
  for (int64_t g = 0; g < x.groups; ++g)
    list.Rows("attn_output_a", g, x.group_rank, c.n_heads * c.head_dim / x.groups, x.groups * x.group_rank);
  list.Linear("attn_output_b", c.hidden, x.groups * x.group_rank);
}

void HyperSlots(const ModelConfig& c, SlotList& list) {
  const int64_t streams = c.hyper.streams, outputs = (2 + streams) * streams;
  for (auto [fn, base, scale] :
       {std::array{"hc_attn_fn", "hc_attn_base", "hc_attn_scale"}, {"hc_ffn_fn", "hc_ffn_base", "hc_ffn_scale"}}) {
    list.Table(fn, outputs, streams * c.hidden);
    list.Vector(base, "weight", outputs);
    list.Vector(scale, "weight", 3);
  }
}

void LatentSlots(const ModelConfig& c, SlotList& list) {
  const LatentConfig& l = c.latent;
  const int64_t q = c.n_heads * (l.nope_dim + l.rope_dim);
  if (l.q_rank > 0) {
    list.Linear("attn_q_a", l.q_rank, c.hidden, c.qkv_bias);
    list.Norm("attn_q_a_norm", l.q_rank);
    list.Linear("attn_q_b", q, l.q_rank);
  } else {
    list.Linear("attn_q", q, c.hidden, c.qkv_bias);
  }
  list.Linear("attn_kv_a_mqa", l.kv_rank + l.rope_dim, c.hidden, c.qkv_bias);
  list.Norm("attn_kv_a_norm", l.kv_rank);
  for (int64_t h = 0; h < c.n_heads; ++h) {
    list.Head("attn_k_b", h, l.kv_rank, l.nope_dim);
    list.Head("attn_v_b", h, l.value_dim, l.kv_rank);
  }
  list.Linear("attn_output", c.hidden, c.n_heads * l.value_dim, c.o_bias);
}

void DeltaSlots(const ModelConfig& c, SlotList& list) {
  const DeltaConfig& d = c.delta;
  const int64_t keys = d.key_heads * d.key_dim, values = d.value_heads * d.value_dim;
  list.Linear("ssm_q", keys, c.hidden);
  list.Linear("ssm_k", keys, c.hidden);
  list.Linear("ssm_v", values, c.hidden);
  list.Linear("ssm_z", values, c.hidden);
  list.Linear("ssm_beta", d.value_heads, c.hidden);
  list.Linear("ssm_alpha", d.value_heads, c.hidden);
  list.Table("ssm_conv1d", 2 * keys + values, d.kernel, true);
  list.Vector("ssm_dt", "bias", d.value_heads);
  list.Vector("ssm_a", "weight", d.value_heads);
  list.Norm("ssm_norm", d.value_dim, true);
  list.Linear("ssm_out", c.hidden, values);
}

void MambaSlots(const ModelConfig& c, SlotList& list) {
  const MambaConfig& m = c.mamba;
  const int64_t inner = m.heads * m.head_dim, channels = inner + 2 * m.groups * m.state;
  list.Linear("ssm_in", inner + channels + m.heads, c.hidden);
  list.Table("ssm_conv1d", channels, m.kernel, true);
  list.Vector("ssm_conv1d", "bias", channels);
  list.Vector("ssm_dt", "bias", m.heads);
  list.VectorOf("ssm_a", "weight", {m.heads, 1});
  list.VectorOf("ssm_d", "weight", {m.heads, 1});
  if (m.norm) list.VectorOf("ssm_norm", "weight", {m.groups, inner / m.groups});
  list.Linear("ssm_out", c.hidden, inner);
}

void ShortConvSlots(const ModelConfig& c, SlotList& list) {
  list.Linear("shortconv.in_proj", 3 * c.hidden, c.hidden);
  list.Table("shortconv.conv", c.hidden, c.short_convolution, true);
  list.Linear("shortconv.out_proj", c.hidden, c.hidden);
}

void DenseSlots(const ModelConfig& c, const LayerConfig& layer, SlotList& list) {
  const int64_t width = c.FeedForward(layer);
  if (c.gated) list.Linear("ffn_gate", width, c.hidden, c.mlp_bias);
  list.Linear("ffn_up", width, c.hidden, c.mlp_bias);
  if (c.activation == Activation::kXielu) {
    list.Parameter("ffn_xielu", "alpha_p", "xielu.alpha_p", false);
    list.Parameter("ffn_xielu", "alpha_n", "xielu.alpha_n", false);
    list.Parameter("ffn_xielu", "beta", "xielu.beta", true);
    list.Parameter("ffn_xielu", "eps", "xielu.eps", true);
  }
  if (c.sub_norms) list.Norm("ffn_sub_norm", width);
  list.Linear("ffn_down", c.hidden, width, c.mlp_bias);
}

void ExpertSlots(const ModelConfig& c, const LayerConfig& layer, SlotList& list) {
  const ExpertConfig& e = c.experts;
  list.Table("ffn_gate_inp", e.count, c.hidden);
  if (e.bias) list.Vector("ffn_gate_inp", "bias", e.count);
  if (layer.hashed)
    list.Integers("ffn_gate_tid2eid", c.vocab, e.used);
  else if (e.correction != Presence::kNever)
    list.Vector("exp_probs_b", "bias", e.count, e.correction == Presence::kAlways);
  for (int64_t i = 0; i < e.count; ++i) {
    if (c.gated) list.Expert("expert_gate", i, e.feed_forward, c.hidden, e.bias);
    list.Expert("expert_up", i, e.feed_forward, c.hidden, e.bias);
    list.Expert("expert_down", i, c.hidden, e.feed_forward, e.bias);
  }
  if (e.shared_feed_forward == 0) return;
  if (c.gated) list.Linear("ffn_gate_shexp", e.shared_feed_forward, c.hidden);
  list.Linear("ffn_up_shexp", e.shared_feed_forward, c.hidden);
  list.Linear("ffn_down_shexp", c.hidden, e.shared_feed_forward);
  if (e.shared_gate) list.Table("ffn_gate_inp_shexp", 1, c.hidden);
}

void MixerSlots(const ModelConfig& c, const LayerConfig& layer, SlotList& list) {
  if (c.pre_norms) list.Norm("attn_norm", c.hidden);
  if (layer.beside) MambaSlots(c, list);
  if (layer.linear)
    list.Linear("attn_linear", c.hidden, c.hidden);
  else if (layer.recurrent && c.short_convolution > 0)
    ShortConvSlots(c, list);
  else if (layer.recurrent && c.mamba.heads > 0)
    MambaSlots(c, list);
  else if (layer.recurrent)
    DeltaSlots(c, list);
  else if (c.latent.kv_rank > 0)
    LatentSlots(c, list);
  else if (c.compressed.q_rank > 0)
    CompressedSlots(c, layer, list);
  else
    AttentionSlots(c, layer, list);
  if (c.indexer.heads > 0 && c.latent.kv_rank > 0 && !layer.shared_index) IndexerSlots(c, list);
  if (c.post_norms) list.Norm("post_attention_norm", c.hidden);
}

void FeedForwardSlots(const ModelConfig& c, const LayerConfig& layer, SlotList& list) {
  if (c.pre_norms && !c.shared_norm) list.Norm("ffn_norm", c.hidden);
  if (!layer.experts || c.experts.beside_dense) DenseSlots(c, layer, list);
  if (layer.experts && c.experts.beside_dense) {
    list.Norm("post_ffw_norm_1", c.hidden);
    list.Norm("pre_ffw_norm_2", c.hidden);
    list.Vector("ffn_gate_inp_scale", "weight", c.hidden);
    list.Vector("ffn_down_exps_scale", "weight", c.experts.count, false);
    list.Norm("post_ffw_norm_2", c.hidden);
  }
  if (layer.experts) ExpertSlots(c, layer, list);
  if (c.post_norms) list.Norm("post_ffw_norm", c.hidden);
}

/// How a layer reads several residual streams, and what joins the residual beside attention.
void StreamSlots(const ModelConfig& c, SlotList& list) {
  if (const int64_t streams = c.alt_up.streams; streams > 0) {
    list.Norm("altup_router_norm", c.hidden);
    list.Linear("altup_router", streams, c.hidden);
    list.Linear("altup_predict_coef", streams * streams, streams);
    list.Linear("altup_correct_coef", streams, streams);
    list.Vector("altup_correct_scale", "weight", c.hidden);
  }
  if (c.laurel_rank == 0) return;
  list.Linear("laurel_l", c.laurel_rank, c.hidden);
  list.Linear("laurel_r", c.hidden, c.laurel_rank);
  list.Norm("laurel_post_norm", c.hidden);
}

/// What a layer takes of each token beside the residual, and the number that it leaves with.
void EndSlots(const ModelConfig& c, SlotList& list) {
  if (c.per_layer_input > 0) {
    list.Linear("inp_gate", c.per_layer_input, c.hidden);
    list.Linear("proj", c.hidden, c.per_layer_input);
    list.Norm("post_norm", c.hidden);
  }
  if (c.layer_scale) list.Vector("layer_output_scale", "weight", 1, false);
}

}  // namespace

std::vector<TensorSlot> TensorSlots(const ModelConfig& config) {
  const ArchitectureSpec* spec = FindArchitecture(config.architecture);
  ASSAY_CHECK(spec != nullptr);
  const ModuleRoots& roots = spec->roots;
  const int64_t hidden = config.hidden;
  SlotList list(config);
  list.Root("token_embd", roots.embedding, "weight", {config.vocab, hidden}, true);
  if (config.learned_positions) list.Root("position_embd", roots.positions, "weight", {config.context, hidden}, true);
  if (const int64_t width = config.n_layers * config.per_layer_input; width > 0) {
    list.Root("per_layer_token_embd", "model.embed_tokens_per_layer", "weight", {config.PerLayerRows(), width}, true);
    list.Root("per_layer_model_proj", "model.per_layer_model_projection", "weight", {width, hidden}, true, true);
    list.Root("per_layer_proj_norm", "model.per_layer_projection_norm", "weight", {config.per_layer_input}, true, false,
              true);
  }
  const int64_t others = config.alt_up.streams - 1;
  list.RootSlices("altup_proj", "model.altup_projections", others, hidden, hidden);
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const LayerConfig layer = config.Layer(i);
    list.BeginLayer(i);
    if (config.hyper.streams > 0) HyperSlots(config, list);
    StreamSlots(config, list);
    if (layer.HasMixer()) MixerSlots(config, layer, list);
    if (layer.HasFeedForward()) FeedForwardSlots(config, layer, list);
    EndSlots(config, list);
    list.EndLayer();
  }
  list.RootSlices("altup_unembd_proj", "model.altup_unembed_projections", others, hidden, hidden);
  list.Root("output_norm", roots.output_norm, "weight", {hidden}, true, false, true);
  if (config.norm_bias) list.Root("output_norm", roots.output_norm, "bias", {hidden}, true);
  if (const int64_t streams = config.hyper.streams; streams > 0) {
    list.Root("output_hc_fn", "=hc_head_fn", "weight", {streams, streams * hidden}, true);
    list.Root("output_hc_base", "=hc_head_base", "weight", {streams}, true);
    list.Root("output_hc_scale", "=hc_head_scale", "weight", {1}, true);
  }
  if (!config.tied_output) list.Root("output", roots.output, "weight", {config.vocab, hidden}, true, true);
  if (config.output_bias != Presence::kNever)
    list.Root("output", roots.output, "bias", {config.vocab}, config.output_bias == Presence::kAlways);
  return list.Take();
}

std::vector<int64_t> StoredPlace::ShapeAround(std::vector<int64_t> ours) const {
  if (!shape.empty()) return shape;
  if (turned) std::swap(ours[0], ours[1]);
  if (rows > 0) ours[0] = rows;
  if (transposed) std::swap(ours[0], ours[1]);
  if (slices > 1) ours.insert(ours.begin(), slices);
  if (flat) ours.insert(ours.begin() + 1, 1);
  return ours;
}

Layout::Layout(const ModelConfig& config) : slots_(TensorSlots(config)) {
  for (const TensorSlot& slot : slots_) by_name_.emplace(slot.name, &slot);
}

const TensorSlot* Layout::Find(std::string_view name) const {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

bool ListedBefore(std::string_view a, std::string_view b) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (!digit(a[i]) || !digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
      continue;
    }
    auto number = [&](std::string_view text, size_t& at) {
      const size_t begin = at;
      while (at < text.size() && digit(text[at])) ++at;
      return text.substr(begin, at - begin);
    };
    const std::string_view x = number(a, i), y = number(b, j);
    if (x.size() != y.size()) return x.size() < y.size();
    if (x != y) return x < y;
  }
  return a.size() < b.size();
}

std::vector<TensorSlot> HfSlots(const ModelConfig& config) {
  std::vector<TensorSlot> out;
  std::unordered_map<std::string, size_t> at;
  for (TensorSlot& slot : TensorSlots(config)) {
    auto [found, fresh] = at.emplace(slot.hugging_face, out.size());
    if (!fresh) continue;
    const StoredPlace& place = slot.in_hf;
    slot.shape = place.ShapeAround(std::move(slot.shape));
    // Quantization schemes target torch.nn.Linear, which neither transposed nor three-dimensional weights are.
    if (place.transposed || slot.shape.size() != 2) slot.linear = false;
    out.push_back(std::move(slot));
  }
  return out;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace assay
