#pragma once
// The hyperparameters of a decoder-only language model, whichever file they come from, and how its blocks are wired.
// arch/ has one description per architecture that fills it in; the decoder in model/ runs what it says.

#include <cstdint>
#include <string>
#include <vector>

#include "base/fields.h"
#include "describe/generation_config.h"

namespace assay {

struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3, kYarn, kLong, kDynamic, kProportional } kind = Kind::kNone;
  double factor = 1.0;
  int64_t original_context = 0;
  double low_freq_factor = 1.0, high_freq_factor = 4.0;              // llama3
  double beta_fast = 32.0, beta_slow = 1.0, attention_factor = 0.0;  // yarn; attention_factor 0: 0.1 ln(factor) + 1
  double mscale_all_dim = 0.0;  // yarn of DeepSeek: what attention_scale has taken in
  bool truncate = true;         // yarn: the ramp begins and ends at whole dimensions
  int64_t turned = 0;           // proportional: the first pairs of a head, which turn; the others stand still
  bool operator==(const RopeScaling&) const = default;
};

enum class Norm : uint8_t { kRms, kLayer };
enum class Activation : uint8_t {
  kSilu,
  kGelu,      // with the error function
  kGeluTanh,  // the tanh approximation
  kRelu,
  kRelu2,      // relu(x)²
  kQuickGelu,  // x sigmoid(1.702 x)
  kTanh,
  kXielu,          // with parameters of each layer, which are tensors (Apertus)
  kClampedSilu,    // silu, gate and up clamped at swiglu_limit
  kClampedSwiglu,  // gpt-oss: clamped at swiglu_limit, sigmoid of 1.702 x, up + 1
};
/// What is done to queries and keys before they meet.
enum class QkNorm : uint8_t {
  kNone,
  kHead,         // RMS over each head, one weight [head_dim] for all
  kRotatedHead,  // the same behind the rotation (Hunyuan)
  kWhole,        // RMS over all heads together, a weight [heads * head_dim] (OLMo 2)
  kEachHead,     // LayerNorm over each head, a weight [heads, head_dim]
  kUnweighted,   // RMS over each head without a weight, after the rotation, where there is a rotation (Llama 4)
};
/// Tensors that some models of an architecture have.
enum class Presence : uint8_t { kNever, kOptional, kAlways };

/// What a layer has.
enum class Parts : uint8_t { kBoth, kMixer, kFeedForward, kNone };

/// What may differ from layer to layer.
struct LayerConfig {
  int64_t window = 0;            // a position sees the last `window` ones, itself included; 0: all
  bool chunked = false;          // the window begins anew at each multiple of it instead of sliding
  bool rope = true;              // false: no position encoding (NoPE)
  bool local_rope = false;       // rotates by rope_local_theta
  double attention_scale = 0.0;  // on query · key; 0: ModelConfig::attention_scale
  bool experts = false;          // a mixture instead of one feed-forward block
  int64_t compress = 0;     // beside its window it sees an entry for every so many positions (DeepSeek V4); 0: none
  bool overlapped = false;  // those entries take in the one before too, and an indexer chooses among them
  bool hashed = false;      // a table of token ids chooses the experts
  bool recurrent = false;   // gated delta net, Mamba, or a short convolution, instead of attention
  Parts parts = Parts::kBoth;
  bool linear = false;        // a matrix instead of attention (DeciLM)
  bool beside = false;        // Mamba and attention side by side
  bool shared_index = false;  // attends to the positions that an earlier layer's indexer chose (GLM-5)
  int64_t head_dim = 0, kv_heads = 0, feed_forward = 0;  // 0: the model's
  int64_t kv_back = 0;           // attends to the keys and values of the layer so many before it; 0: to its own
  bool keys_are_values = false;  // values are the keys as they are projected
  bool sparse_gate = false;      // of each token's gate in the feed-forward block only what is above a bound passes,
  double gate_bound = 0.0;       // this many deviations above the mean, and the bound is taken off it
  bool HasMixer() const { return parts == Parts::kBoth || parts == Parts::kMixer; }
  bool HasFeedForward() const { return parts == Parts::kBoth || parts == Parts::kFeedForward; }
  /// Keys and values, or what stands for them.
  bool Attends() const { return HasMixer() && !recurrent && !linear; }
  bool operator==(const LayerConfig&) const = default;
};

/// A mixture of experts.
struct ExpertConfig {
  int64_t count = 0, used = 0, feed_forward = 0;
  int64_t shared_feed_forward = 0;         // width of the expert that every token passes; 0: none
  bool shared_gate = false;                // the shared expert's output is weighed by a sigmoid
  bool sigmoid = false;                    // scores by sigmoid instead of softmax
  bool sqrt_softplus = false;              // scores by sqrt(softplus)
  bool renormalize = false;                // the chosen scores are made to add up to 1
  bool weigh_input = false;                // scores multiply the expert's input instead of its output (Llama 4)
  bool bias = false;                       // router and experts have biases (gpt-oss)
  Presence correction = Presence::kNever;  // a bias that only steers the choice (DeepSeek V3)
  int64_t groups = 1, groups_used = 1;     // experts are chosen from the best groups
  bool group_top2 = false;                 // a group is as good as its two best experts, else as its best
  double scale = 1.0;                      // on the scores, last
  bool beside_dense = false;               // a dense block stands beside them, each between norms of its own (Gemma 4)
  bool operator==(const ExpertConfig&) const = default;
};

/// Multi-head latent attention (DeepSeek V2): keys and values are kept as one vector of kv_rank + rope_dim elements.
struct LatentConfig {
  int64_t q_rank = 0;  // 0: queries are projected directly
  int64_t kv_rank = 0, nope_dim = 0, rope_dim = 0, value_dim = 0;
  double epsilon = 0.0;  // of the norms of both ranks
  bool operator==(const LatentConfig&) const = default;
};

/// Sparse attention (DeepSeek V3.2): a small network of its own scores every position, and a query sees the best ones.
struct IndexerConfig {
  int64_t heads = 0;  // 0: every position is seen
  int64_t head_dim = 0;
  int64_t top_k = 0;  // positions that a query sees
  bool interleaved =
      false;  // rotates pairs (2i, 2i+1) of its heads' first LatentConfig::rope_dim elements; else halves
  bool operator==(const IndexerConfig&) const = default;
};

/// Attention of DeepSeek V4: one head of head_dim elements is key and value at once, for all query heads.
struct CompressedConfig {
  int64_t q_rank = 0;                  // 0: another attention
  int64_t rope_dim = 0;                // rotated: the end of a head
  int64_t groups = 0, group_rank = 0;  // heads leave in groups, each through a matrix of that rank
  bool operator==(const CompressedConfig&) const = default;
};

/// Hyper-connections (DeepSeek V4): several residual streams that every block mixes anew.
struct HyperConfig {
  int64_t streams = 0;  // 0: the usual one
  int64_t iterations = 0;
  double epsilon = 0.0;
  bool operator==(const HyperConfig&) const = default;
};

/// AltUp (Baykal et al. 2023; Gemma 3n): several residual streams, of which a layer computes one and predicts the rest.
struct AltUpConfig {
  int64_t streams = 0;  // 0: the usual one
  int64_t active = 0;   // that is computed
  bool scaled = true;   // the layer's own embedding sees it times a vector
  bool operator==(const AltUpConfig&) const = default;
};

/// Gated delta net (Qwen3-Next, Qwen3.5).
struct DeltaConfig {
  int64_t key_heads = 0, value_heads = 0, key_dim = 0, value_dim = 0, kernel = 0;
  bool tiled = false;    // value head h belongs to key head h % key_heads; else to h / (value_heads / key_heads)
  double epsilon = 0.0;  // beside the squared length of queries and keys
  bool operator==(const DeltaConfig&) const = default;
};

/// Mamba-2 (Granite 4, Falcon-H1, Nemotron-H): a state [state, head_dim] per head that decays and takes in, of which
/// groups of heads share what writes and what reads it.
struct MambaConfig {
  int64_t heads = 0;  // 0: recurrent layers are gated delta nets
  int64_t head_dim = 0, state = 0, groups = 0, kernel = 0;
  bool norm = true;                           // behind the gate, over each group
  Activation activation = Activation::kSilu;  // behind the convolution
  double step_min = 0.0;                      // the least step of a state
  bool operator==(const MambaConfig&) const = default;
};

/// What is multiplied with a number of the model's own (Falcon-H1). GGUF has these numbers in the weights.
struct Multipliers {
  double attention_in = 1.0, attention_out = 1.0, keys = 1.0;
  double mamba_in = 1.0, mamba_out = 1.0;
  double mamba_gate = 1.0, mamba_heads = 1.0, mamba_keys = 1.0, mamba_queries = 1.0, mamba_step = 1.0;
  double ffn_gate = 1.0, ffn_down = 1.0;
  bool operator==(const Multipliers&) const = default;
};

struct ModelConfig {
  std::string architecture;  // "llama": GGUF's general.architecture; Hugging Face's class is mapped to it
  std::string name;
  int64_t n_layers = 0, hidden = 0, n_heads = 0, n_kv_heads = 0, head_dim = 0, feed_forward = 0, vocab = 0, context = 0;
  double rms_epsilon = 1e-5;  // of LayerNorm too
  double rope_theta = 10000.0;
  int64_t rotary_dim = 0;         // = head_dim unless partial
  bool rope_interleaved = false;  // true: q and k rows are ordered for pairs (2i, 2i+1); else (i, i + rotary_dim / 2)
  RopeScaling rope_scaling;
  std::vector<float>
      rope_factors;  // [rotary_dim / 2] divide the frequencies; empty: none. Only when rope_scaling cannot say it
  std::vector<float> rope_long_factors;  // [rotary_dim / 2] the same beyond rope_scaling.original_context (longrope)
  double rope_local_theta = 0.0;         // of layers with local_rope
  int64_t rope_local_dim = 0;            // the rotary_dim of the same; 0: rotary_dim
  RopeScaling rope_local_scaling;        // of the same
  int64_t sliding_window = 0;            // of the layers that have one; 0: none
  bool tied_output = false;              // output.weight is token_embd.weight
  std::vector<LayerConfig> layers;       // [n_layers]; empty: all alike, with sliding_window

  // How a block is wired.
  Norm norm = Norm::kRms;
  bool norm_bias = false;          // LayerNorm with bias
  bool parallel = false;           // attention and feed-forward read the same residual
  bool shared_norm = false;        // parallel: they share attn_norm
  bool pre_norms = true;           // attn_norm and ffn_norm; false: a block reads the residual as it is (OLMo 2)
  bool post_norms = false;         // post_attention_norm and post_ffw_norm on what a block adds
  bool sub_norms = false;          // attn_sub_norm before attn_output, ffn_sub_norm before ffn_down (BitNet)
  bool learned_positions = false;  // position_embd.weight [context, hidden] instead of RoPE
  bool sinks = false;              // one score per head that takes part in the softmax and has no value (gpt-oss)
  bool output_gate = false;        // attn_q makes a gate beside each query (Qwen3-Next)
  bool gated = true;               // gate and up; else up alone
  Activation activation = Activation::kSilu;
  QkNorm qk_norm = QkNorm::kNone;
  bool value_norm = false;  // RMS over each head of the values, without a weight
  Presence qkv_bias = Presence::kNever, o_bias = Presence::kNever, mlp_bias = Presence::kNever;
  Presence output_bias = Presence::kNever;
  double embedding_scale = 1.0, residual_scale = 1.0, logit_scale = 1.0;
  double attention_scale = 0.0;                         // on query · key; 0: 1 / sqrt(head_dim)
  double attention_softcap = 0.0, logit_softcap = 0.0;  // c tanh(x / c); 0: none
  double temperature_scale = 0.0,
         temperature_floor = 0.0;    // queries of NoPE layers times 1 + scale ln(1 + ⌊(p+1) / floor⌋)
  bool temperature_rotated = false;  // instead: queries of rotated layers times 1 + scale ln(1 + ⌊p / floor⌋)
  double swiglu_limit = 0.0;
  ExpertConfig experts;
  LatentConfig latent;
  IndexerConfig indexer;
  CompressedConfig compressed;
  HyperConfig hyper;
  AltUpConfig alt_up;
  DeltaConfig delta;
  MambaConfig mamba;
  Multipliers multipliers;
  int64_t short_convolution = 0;  // positions that the recurrent layers of LFM2 see; 0: those are of another kind
  int64_t per_layer_input = 0;    // elements of a token's embedding that each layer has of its own (Gemma 4); 0: none
  int64_t per_layer_rows = 0;     // tokens that have one, the first; others have token 0's; 0: all
  int64_t laurel_rank = 0;        // of a projection beside attention that joins the residual (Gemma 3n); 0: none
  bool sample_deviation = false;  // LayerConfig::gate_bound counts deviations over one element less (llama.cpp)
  bool layer_scale = false;       // what leaves a layer may be multiplied with a number of the layer's

  const LayerConfig Layer(int64_t i) const {
    if (!layers.empty()) return layers[static_cast<size_t>(i)];
    LayerConfig layer;
    layer.window = sliding_window;
    return layer;
  }
  int64_t HeadDim(const LayerConfig& layer) const { return layer.head_dim > 0 ? layer.head_dim : head_dim; }
  int64_t KvHeads(const LayerConfig& layer) const { return layer.kv_heads > 0 ? layer.kv_heads : n_kv_heads; }
  int64_t FeedForward(const LayerConfig& layer) const {
    return layer.feed_forward > 0 ? layer.feed_forward : feed_forward;
  }
  /// Rows of the table of all layers' own embeddings.
  int64_t PerLayerRows() const { return per_layer_rows > 0 ? per_layer_rows : vocab; }
  /// Rotated elements of a head.
  int64_t RotaryDim(const LayerConfig& layer) const { return layer.local_rope ? LocalRotaryDim() : rotary_dim; }
  int64_t LocalRotaryDim() const { return rope_local_dim > 0 ? rope_local_dim : rotary_dim; }

  // How the container stores it.
  int64_t extra_layers = 0;    // behind the last: drafts of further tokens, not read
  bool fused_experts = false;  // Hugging Face: one three-dimensional tensor for all experts of a layer
  bool gguf_gate_up = false;   // GGUF: one tensor for gate and up of all experts of a layer

  // Defaults for generation, from generation_config.json or the GGUF's metadata.
  std::vector<int32_t> stop_tokens;  // every id that ends an answer (eos, eot, eom)
  GenerationConfig generation;
};

// All of them, for the fingerprint.
ASSAY_FIELDS(RopeScaling, kind, factor, original_context, low_freq_factor, high_freq_factor, beta_fast, beta_slow,
             attention_factor, mscale_all_dim, truncate, turned)
ASSAY_FIELDS(LayerConfig, window, chunked, rope, local_rope, attention_scale, experts, compress, overlapped, hashed,
             recurrent, parts, linear, beside, shared_index, head_dim, kv_heads, feed_forward, kv_back, keys_are_values,
             sparse_gate, gate_bound)
ASSAY_FIELDS(ExpertConfig, count, used, feed_forward, shared_feed_forward, shared_gate, sigmoid, sqrt_softplus,
             renormalize, weigh_input, bias, correction, groups, groups_used, group_top2, scale, beside_dense)
ASSAY_FIELDS(LatentConfig, q_rank, kv_rank, nope_dim, rope_dim, value_dim, epsilon)
ASSAY_FIELDS(IndexerConfig, heads, head_dim, top_k, interleaved)
ASSAY_FIELDS(CompressedConfig, q_rank, rope_dim, groups, group_rank)
ASSAY_FIELDS(HyperConfig, streams, iterations, epsilon)
ASSAY_FIELDS(AltUpConfig, streams, active, scaled)
ASSAY_FIELDS(DeltaConfig, key_heads, value_heads, key_dim, value_dim, kernel, tiled, epsilon)
ASSAY_FIELDS(MambaConfig, heads, head_dim, state, groups, kernel, norm, activation, step_min)
ASSAY_FIELDS(Multipliers, attention_in, attention_out, keys, mamba_in, mamba_out, mamba_gate, mamba_heads, mamba_keys,
             mamba_queries, mamba_step, ffn_gate, ffn_down)
ASSAY_FIELDS(ModelConfig, architecture, name, n_layers, hidden, n_heads, n_kv_heads, head_dim, feed_forward, vocab,
             context, rms_epsilon, rope_theta, rotary_dim, rope_interleaved, rope_scaling, rope_factors,
             rope_long_factors, rope_local_theta, rope_local_dim, rope_local_scaling, sliding_window, tied_output,
             layers, norm, norm_bias, parallel, shared_norm, pre_norms, post_norms, sub_norms, learned_positions, sinks,
             output_gate, gated, activation, qk_norm, value_norm, qkv_bias, o_bias, mlp_bias, output_bias,
             embedding_scale, residual_scale, logit_scale, attention_scale, attention_softcap, logit_softcap,
             temperature_scale, temperature_floor, temperature_rotated, swiglu_limit, experts, latent, indexer,
             compressed, hyper, alt_up, delta, mamba, multipliers, short_convolution, per_layer_input, per_layer_rows,
             laurel_rank, sample_deviation, layer_scale, extra_layers, fused_experts, gguf_gate_up, stop_tokens,
             generation)

}  // namespace assay
