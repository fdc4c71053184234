#include "describe/model_facts.h"

#include <cmath>
#include <map>

#include "base/error.h"
#include "describe/config_check.h"
#include "describe/rope_tables.h"
#include "describe/slots.h"

namespace assay {
namespace {

constexpr double kRelative = 2e-6;  // numbers that have been through float32, and what is computed of them

/// A name → what it is. Numbers keep their value, to be compared with a tolerance.
struct Fact {
  double number = 0;
  std::string text;  // of choices; empty: the number
  bool operator==(const Fact& other) const {
    return text == other.text && std::abs(number - other.number) <= kRelative * std::abs(other.number);
  }
  std::string Shown() const { return text.empty() ? fmt::format("{:.7g}", number) : text; }
};

class Facts {
 public:
  explicit Facts(const ModelConfig& config) { Model(config); }
  const std::vector<std::pair<std::string, Fact>>& list() const { return list_; }

 private:
  void Number(std::string name, double value) { list_.push_back({std::move(name), {value, ""}}); }
  void Number(std::string name, int64_t value) { Number(std::move(name), static_cast<double>(value)); }
  void Choice(std::string name, std::string value) { list_.push_back({std::move(name), {0, std::move(value)}}); }
  void Flag(std::string name, bool value) { Choice(std::move(name), value ? "yes" : "no"); }
  void List(const std::string& name, const std::vector<float>& values) {
    for (size_t i = 0; i < values.size(); ++i) Number(fmt::format("{} {}", name, i), static_cast<double>(values[i]));
  }

  // Each of the following takes its struct apart, so that a new member does not compile before it is dealt with here.

  void Model(const ModelConfig& c) {
    const auto& [architecture, name, n_layers, hidden, n_heads, n_kv_heads, head_dim, feed_forward, vocab, context,
                 rms_epsilon, rope_theta, rotary_dim, rope_interleaved, rope_scaling, rope_factors, rope_long_factors,
                 rope_local_theta, rope_local_dim, rope_local_scaling, sliding_window, tied_output, layers, norm,
                 norm_bias, parallel, shared_norm, pre_norms, post_norms, sub_norms, learned_positions, sinks,
                 output_gate, gated, activation, qk_norm, value_norm, qkv_bias, o_bias, mlp_bias, output_bias,
                 embedding_scale, residual_scale, logit_scale, attention_scale, attention_softcap, logit_softcap,
                 temperature_scale, temperature_floor, temperature_rotated, swiglu_limit, experts, latent, indexer,
                 compressed, hyper, alt_up, delta, mamba, multipliers, short_convolution, per_layer_input,
                 per_layer_rows, laurel_rank, sample_deviation, layer_scale, extra_layers, fused_experts, gguf_gate_up,
                 stop_tokens, generation] = c;  // per_layer_rows: what is missing is row 0
    bool any_dense = false, any_experts = false, any_rope = false, any_local = false, any_attention = false;
    for (int64_t i = 0; i < n_layers; ++i) {
      const LayerConfig layer = c.Layer(i);
      any_dense = any_dense || (!layer.experts && layer.HasFeedForward());
      any_experts = any_experts || layer.experts;
      any_attention = any_attention || layer.Attends();
      const bool turns = layer.rope && layer.Attends() && !learned_positions;
      any_local = any_local || (turns && layer.local_rope);
      any_rope = any_rope || (turns && !layer.local_rope);
    }
    Number("layers", n_layers);
    Number("hidden size", hidden);
    Number("vocabulary", vocab);
    Number("context", context);
    Number("epsilon of the norms", rms_epsilon);
    Choice("norm", norm == Norm::kRms ? "RMS" : "LayerNorm");
    Flag("biases of the norms", norm_bias);
    Flag("attention beside the feed-forward block", parallel);
    Flag("one norm for both", shared_norm);
    Flag("norms before the blocks", pre_norms);
    Flag("norms behind the blocks", post_norms);
    Flag("norms inside the blocks", sub_norms);
    Flag("learned positions", learned_positions);
    Number("scale of the embedding", embedding_scale);
    Number("scale of what a block adds", residual_scale);
    Number("scale of the logits", logit_scale);
    Number("cap of the logits", logit_softcap);
    if (any_attention) {
      Number("heads", n_heads);
      Number("key-value heads", latent.kv_rank > 0 ? int64_t{1} : n_kv_heads);
      if (latent.kv_rank == 0) Number("head size", head_dim);
      Number("scale of the scores",
             attention_scale > 0 ? attention_scale : 1.0 / std::sqrt(static_cast<double>(head_dim)));
      Number("cap of the scores", attention_softcap);
      Flag("sinks", sinks);
      Flag("output gate", output_gate);
      Choice("norm of queries and keys", fmt::format("of kind {}", static_cast<int>(qk_norm)));
      Flag("norm of values", value_norm);
      Number("growth of queries with the position", temperature_scale);
      if (temperature_scale > 0) {
        Number("positions at which queries grow", temperature_floor);
        Flag("growth of rotated queries", temperature_rotated);
      }
    }
    if (any_rope || any_local) Number("rotated elements", rotary_dim);
    if (any_rope) {
      Rope("", rope_theta, rope_scaling);
      List("factor of the rotation", RopeFactorsOf(c));
      List("factor of the long rotation", rope_long_factors);
    }
    if (any_local) {
      Number("rotated elements in layers with a window", c.LocalRotaryDim());
      Rope(" in layers with a window", rope_local_theta, rope_local_scaling);
    }
    Flag("gated feed-forward block", gated);
    Choice("activation", ActivationText(activation));
    if (activation == Activation::kClampedSilu || activation == Activation::kClampedSwiglu)
      Number("limit of the activation", swiglu_limit);
    if (any_dense || experts.beside_dense) Number("feed-forward size", feed_forward);
    if (any_experts) Experts(experts);
    Number("short convolution", short_convolution);
    Number("elements of a layer's own embedding", per_layer_input);
    Number("rank of the projection beside attention", laurel_rank);
    Flag("a scale of each layer", layer_scale);
    Parts(c);
    for (int64_t i = 0; i < n_layers; ++i) Layer(i, c.Layer(i), c);
  }

  static std::string ActivationText(Activation activation) {
    switch (activation) {
      case Activation::kSilu:
        return "SiLU";
      case Activation::kGelu:
        return "GELU (error function)";
      case Activation::kGeluTanh:
        return "GELU (tanh)";
      case Activation::kRelu:
        return "ReLU";
      case Activation::kQuickGelu:
        return "quick GELU";
      case Activation::kTanh:
        return "tanh";
      case Activation::kXielu:
        return "xIELU";
      case Activation::kRelu2:
        return "squared ReLU";
      case Activation::kClampedSilu:
        return "clamped SiLU";
      case Activation::kClampedSwiglu:
        return "clamped SwiGLU";
    }
    return "";
  }

  void Rope(const std::string& where, double theta, const RopeScaling& scaling) {
    const auto& [kind, factor, original_context, low_freq_factor, high_freq_factor, beta_fast, beta_slow,
                 attention_factor, mscale_all_dim, truncate, turned] =
        scaling;  // mscale_all_dim: in the scale of scores
    Number("base of the rotation" + where, theta);
    using Kind = RopeScaling::Kind;
    const bool linear = kind == Kind::kLinear && factor != 1.0, yarn = kind == Kind::kYarn;
    Choice("scaling of the rotation" + where, linear                ? "linear"
                                              : yarn                ? "YaRN"
                                              : kind == Kind::kLong ? "longrope"
                                                                    : "by factors or none");
    if (linear || yarn) Number("factor of the rotation's scaling" + where, factor);
    if (yarn || kind == Kind::kLong) {
      Number("original context" + where, original_context);
      Number("factor on rotated queries and keys" + where,
             attention_factor > 0 ? attention_factor : DefaultYarnAttention(factor));
    }
    if (yarn) {
      Number("YaRN's beta_fast" + where, beta_fast);
      Number("YaRN's beta_slow" + where, beta_slow);
      Choice("YaRN's ramp" + where, truncate ? "from and to whole dimensions" : "from and to fractions of dimensions");
    }
  }

  void Experts(const ExpertConfig& e) {
    const auto& [count, used, feed_forward, shared_feed_forward, shared_gate, sigmoid, sqrt_softplus, renormalize,
                 weigh_input, bias, correction, groups, groups_used, group_top2, scale, beside_dense] = e;
    Number("experts", count);
    Number("experts of a token", used);
    Number("size of an expert", feed_forward);
    Number("size of the expert that every token passes", shared_feed_forward);
    if (shared_feed_forward > 0) Flag("gate of the expert that every token passes", shared_gate);
    Choice("scores of experts", sigmoid ? "sigmoid" : sqrt_softplus ? "sqrt(softplus)" : "softmax");
    Choice("weights of experts", renormalize ? "made to add up to 1" : "as scored");
    Flag("weights on the input of experts", weigh_input);
    Flag("biases of experts", bias);
    Number("scale of the experts' weights", scale);
    Flag("a dense block beside the experts", beside_dense);
    const bool grouped = groups > 1 && groups_used < groups;
    Number("groups of experts", grouped ? groups : 1);
    if (!grouped) return;
    Number("groups of experts of a token", groups_used);
    Choice("groups are ranked by", group_top2 ? "their two best experts" : "their best expert");
  }

  void Parts(const ModelConfig& c) {
    const auto& [q_rank, kv_rank, nope_dim, rope_dim, value_dim, latent_epsilon] = c.latent;
    Number("rank of queries", q_rank);
    Number("rank of keys and values", kv_rank);
    Number("elements of a key that are not rotated", nope_dim);
    Number("elements of a key that are rotated", rope_dim);
    Number("elements of a value", value_dim);
    Number("epsilon of the norms of low ranks", latent_epsilon);
    const auto& [index_heads, index_dim, top_k, index_pairs] = c.indexer;
    Number("heads of the indexer", index_heads);
    Number("head size of the indexer", index_dim);
    Number("positions that the indexer chooses", top_k);
    Flag("the indexer rotates neighbouring pairs", index_pairs);
    const auto& [compressed_rank, compressed_rope, groups, group_rank] = c.compressed;
    Number("rank of compressed attention", compressed_rank);
    Number("rotated elements of compressed attention", compressed_rope);
    Number("groups of heads", groups);
    Number("rank of a group of heads", group_rank);
    const auto& [streams, iterations, epsilon] = c.hyper;
    Number("residual streams", streams);
    Number("iterations of hyper-connections", iterations);
    Number("epsilon of hyper-connections", epsilon);
    const auto& [alt_up_streams, active, scaled] = c.alt_up;
    Number("residual streams of AltUp", alt_up_streams);
    Number("computed stream of AltUp", active);
    Flag("a scale of what a layer's own embedding sees", scaled);
    const auto& [key_heads, value_heads, key_dim, delta_value_dim, kernel, tiled, delta_epsilon] =
        c.delta;  // tiled: an order
    Number("epsilon of lengths of linear attention", delta_epsilon);
    Number("key heads of linear attention", key_heads);
    Number("value heads of linear attention", value_heads);
    Number("key size of linear attention", key_dim);
    Number("value size of linear attention", delta_value_dim);
    Number("convolution of linear attention", kernel);
    const auto& [mamba_heads, mamba_dim, state, mamba_groups, mamba_kernel, mamba_norm, mamba_activation, step_min] =
        c.mamba;
    Number("heads of Mamba", mamba_heads);
    Number("head size of Mamba", mamba_dim);
    Number("state of Mamba", state);
    Number("groups of Mamba", mamba_groups);
    Number("convolution of Mamba", mamba_kernel);
    Flag("norm of Mamba", mamba_norm);
    Choice("activation of Mamba", ActivationText(mamba_activation));
    Number("least step of Mamba", step_min);
    const auto& [attention_in, attention_out, attention_keys, mamba_in, mamba_out, mamba_gate, of_heads, of_keys,
                 of_queries, of_step, ffn_gate, ffn_down] = c.multipliers;
    Number("multiplier before attention", attention_in);
    Number("multiplier behind attention", attention_out);
    Number("multiplier of keys", attention_keys);
    Number("multiplier before Mamba", mamba_in);
    Number("multiplier behind Mamba", mamba_out);
    Number("multiplier of Mamba's gate", mamba_gate);
    Number("multiplier of Mamba's heads", of_heads);
    Number("multiplier of Mamba's keys", of_keys);
    Number("multiplier of Mamba's queries", of_queries);
    Number("multiplier of Mamba's steps", of_step);
    Number("multiplier of the feed-forward gate", ffn_gate);
    Number("multiplier behind the feed-forward block", ffn_down);
  }

  void Layer(int64_t i, const LayerConfig& layer, const ModelConfig& c) {
    const auto& [window, chunked, rope, local_rope, attention_scale, experts, compress, overlapped, hashed, recurrent,
                 parts, linear, beside, shared_index, head_dim, kv_heads, feed_forward, kv_back, keys_are_values,
                 sparse_gate, gate_bound] = layer;
    const std::string at = fmt::format("layer {}: ", i);
    Choice(at + "blocks", parts == Parts::kBoth          ? "both"
                          : parts == Parts::kMixer       ? "mixer"
                          : parts == Parts::kFeedForward ? "feed-forward"
                                                         : "none");
    Flag(at + "a matrix instead of attention", linear);
    Flag(at + "mixture of experts", experts);
    Flag(at + "recurrent", recurrent);
    Flag(at + "Mamba beside attention", beside);
    Flag(at + "experts by table", hashed);
    if (feed_forward > 0) Number(at + "feed-forward size", feed_forward);
    Flag(at + "a bound of the gate", sparse_gate);
    if (sparse_gate) {
      Number(at + "deviations from the mean to the gate's bound", gate_bound);
      Choice(at + "deviation of the gate", c.sample_deviation ? "over n - 1 elements" : "over n elements");
    }
    if (!layer.Attends()) return;
    if (attention_scale != 0.0) Number(at + "scale of the scores", attention_scale);
    const int64_t seen = window >= c.context ? 0 : window;
    Number(at + "window", seen);
    if (seen > 0) Choice(at + "kind of window", chunked ? "chunks" : "sliding");
    Flag(at + "rotation", rope);
    if (rope) Flag(at + "rotation of layers with a window", local_rope);
    Number(at + "positions of an entry", compress);
    Flag(at + "overlapping entries", overlapped);
    Flag(at + "another layer's indexer", shared_index);
    if (head_dim > 0) Number(at + "head size", head_dim);
    if (kv_heads > 0) Number(at + "key-value heads", kv_heads);
    Number(at + "layers back to its keys and values", kv_back);
    Flag(at + "keys are values", keys_are_values);
  }

  std::vector<std::pair<std::string, Fact>> list_;
};

}  // namespace

std::vector<std::string> ModelDifferences(const ModelConfig& a, const ModelConfig& b) {
  const Facts ours(a), theirs(b);
  std::map<std::string_view, const Fact*> other;
  for (const auto& [name, fact] : theirs.list()) other.emplace(name, &fact);
  std::vector<std::string> out;
  for (const auto& [name, fact] : ours.list()) {
    auto found = other.find(name);
    if (found == other.end())
      out.push_back(fmt::format("{} {}, where there is none", name, fact.Shown()));
    else if (!(fact == *found->second))
      out.push_back(fmt::format("{} {}, not {}", name, fact.Shown(), found->second->Shown()));
    if (found != other.end()) other.erase(found);
  }
  for (const auto& [name, fact] : theirs.list())
    if (other.contains(name)) out.push_back(fmt::format("no {}, which is {}", name, fact.Shown()));
  return out;
}

}  // namespace assay
