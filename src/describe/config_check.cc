// The ranges of all numbers of a configuration, whichever file they come from, and what they must be to each other.
// Nothing behind this meets a number that overflows where it is multiplied (fuzz/model_config_fuzz.cc walks the
// tables).

#include "describe/config_check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "describe/rope_tables.h"
#include "describe/slots.h"

namespace assay {
namespace {

constexpr int64_t kMaxWidth = int64_t{1} << 24;    // elements of a row
constexpr int64_t kMaxWeights = int64_t{1} << 48;  // of one tensor
constexpr int64_t kMaxCache = int64_t{1} << 56;    // elements kept of a sequence
constexpr int64_t kMaxExperts = int64_t{1} << 16;  // of all layers: each is a tensor of its own

using C = const ModelConfig&;

int64_t LayersWithExperts(C c) {
  return std::count_if(c.layers.begin(), c.layers.end(), [](const LayerConfig& layer) { return layer.experts; });
}

/// The largest that a layer has of its own; 0: none has.
int64_t LargestOf(C c, int64_t LayerConfig::*of) {
  int64_t largest = 0;
  for (const LayerConfig& layer : c.layers) largest = std::max(largest, layer.*of);
  return largest;
}

struct Whole {
  const char* what;
  int64_t (*of)(C);
  int64_t low, high;
};
constexpr Whole kWhole[] = {
    {"layers", [](C c) { return c.n_layers; }, 1, kMaxModelLayers},
    {"layers that draft further tokens", [](C c) { return c.extra_layers; }, 0, kMaxModelLayers},
    {"hidden size", [](C c) { return c.hidden; }, 1, kMaxWidth},
    {"attention heads", [](C c) { return c.n_heads; }, 1, kMaxModelHeads},
    {"key-value heads", [](C c) { return c.n_kv_heads; }, 1, kMaxModelHeads},
    {"head size", [](C c) { return c.head_dim; }, 1, kMaxModelHeads},
    {"feed-forward size", [](C c) { return c.feed_forward; }, 1, kMaxWidth},
    {"vocabulary size", [](C c) { return c.vocab; }, 1, kMaxWidth},
    {"context length", [](C c) { return c.context; }, 1, kMaxModelContext},
    {"sliding window", [](C c) { return c.sliding_window; }, 0, kMaxModelContext},
    {"RoPE scaling's original context", [](C c) { return c.rope_scaling.original_context; }, 0, kMaxModelContext},
    {"local RoPE scaling's original context", [](C c) { return c.rope_local_scaling.original_context; }, 0,
     kMaxModelContext},
    {"experts", [](C c) { return c.experts.count; }, 0, kMaxModelHeads},
    {"experts used per token", [](C c) { return c.experts.used; }, 0, kMaxModelHeads},
    {"feed-forward size of an expert", [](C c) { return c.experts.feed_forward; }, 0, kMaxWidth},
    {"feed-forward size of the shared expert", [](C c) { return c.experts.shared_feed_forward; }, 0, kMaxWidth},
    {"groups of experts", [](C c) { return c.experts.groups; }, 1, kMaxModelHeads},
    {"groups of experts used per token", [](C c) { return c.experts.groups_used; }, 1, kMaxModelHeads},
    {"rank of latent queries", [](C c) { return c.latent.q_rank; }, 0, kMaxModelHeads},
    {"rank of keys and values", [](C c) { return c.latent.kv_rank; }, 0, kMaxModelHeads},
    {"size of a key without rotation", [](C c) { return c.latent.nope_dim; }, 0, kMaxModelHeads},
    {"size of a key's rotated part", [](C c) { return c.latent.rope_dim; }, 0, kMaxModelHeads},
    {"size of a value", [](C c) { return c.latent.value_dim; }, 0, kMaxModelHeads},
    {"heads of the indexer", [](C c) { return c.indexer.heads; }, 0, kMaxModelHeads},
    {"head size of the indexer", [](C c) { return c.indexer.head_dim; }, 0, kMaxModelHeads},
    {"positions that the indexer chooses", [](C c) { return c.indexer.top_k; }, 0, kMaxModelContext},
    {"rank of queries", [](C c) { return c.compressed.q_rank; }, 0, kMaxModelHeads},
    {"rotated dimensions of a head", [](C c) { return c.compressed.rope_dim; }, 0, kMaxModelHeads},
    {"groups of heads", [](C c) { return c.compressed.groups; }, 0, kMaxModelHeads},
    {"rank of a group of heads", [](C c) { return c.compressed.group_rank; }, 0, kMaxModelHeads},
    {"residual streams", [](C c) { return c.hyper.streams; }, 0, 16},
    {"residual streams of AltUp", [](C c) { return c.alt_up.streams; }, 0, 16},
    {"computed stream of AltUp", [](C c) { return c.alt_up.active; }, 0, 15},
    {"iterations of hyper-connections", [](C c) { return c.hyper.iterations; }, 0, 1000},
    {"key heads of linear attention", [](C c) { return c.delta.key_heads; }, 0, kMaxModelHeads},
    {"value heads of linear attention", [](C c) { return c.delta.value_heads; }, 0, kMaxModelHeads},
    {"key size of linear attention", [](C c) { return c.delta.key_dim; }, 0, kMaxModelHeads},
    {"value size of linear attention", [](C c) { return c.delta.value_dim; }, 0, kMaxModelHeads},
    {"convolution of linear attention", [](C c) { return c.delta.kernel; }, 0, 64},
    {"heads of Mamba", [](C c) { return c.mamba.heads; }, 0, kMaxModelHeads},
    {"head size of Mamba", [](C c) { return c.mamba.head_dim; }, 0, kMaxModelHeads},
    {"state of Mamba", [](C c) { return c.mamba.state; }, 0, kMaxModelHeads},
    {"groups of Mamba's heads", [](C c) { return c.mamba.groups; }, 0, kMaxModelHeads},
    {"convolution of Mamba", [](C c) { return c.mamba.kernel; }, 0, 64},
    {"short convolution", [](C c) { return c.short_convolution; }, 0, 64},
    {"elements of a layer's own embedding", [](C c) { return c.per_layer_input; }, 0, kMaxModelHeads},
    {"tokens with an embedding of each layer's own", [](C c) { return c.per_layer_rows; }, 0, kMaxWidth},
    {"rank of the projection beside attention", [](C c) { return c.laurel_rank; }, 0, kMaxModelHeads},
    {"rotated elements in layers with a window", [](C c) { return c.rope_local_dim; }, 0, kMaxModelHeads},
    {"pairs that turn", [](C c) { return c.rope_scaling.turned; }, 0, kMaxModelHeads},
    {"pairs that turn in layers with a window", [](C c) { return c.rope_local_scaling.turned; }, 0, kMaxModelHeads},
};

struct Real {
  const char* what;
  double (*of)(C);
  double low, high;
};
constexpr Real kReal[] = {
    {"norm epsilon", [](C c) { return c.rms_epsilon; }, 0.0, 1.0},
    {"epsilon of the norms of low ranks", [](C c) { return c.latent.epsilon; }, 0.0, 1.0},
    {"epsilon of lengths of linear attention", [](C c) { return c.delta.epsilon; }, 0.0, 1.0},
    {"RoPE base frequency", [](C c) { return c.rope_theta; }, 1.0, 1e15},
    {"local RoPE base frequency", [](C c) { return c.rope_local_theta; }, 0.0, 1e15},
    {"embedding scale", [](C c) { return c.embedding_scale; }, 0.0, 1e15},
    {"residual scale", [](C c) { return c.residual_scale; }, 0.0, 1e15},
    {"logit scale", [](C c) { return c.logit_scale; }, 0.0, 1e15},
    {"attention scale", [](C c) { return c.attention_scale; }, 0.0, 1e15},
    {"attention softcap", [](C c) { return c.attention_softcap; }, 0.0, 1e15},
    {"logit softcap", [](C c) { return c.logit_softcap; }, 0.0, 1e15},
    {"growth of queries", [](C c) { return c.temperature_scale; }, 0.0, 1e6},
    {"positions to a growth of queries", [](C c) { return c.temperature_floor; }, 0.0, 1e15},
    {"limit of SwiGLU", [](C c) { return c.swiglu_limit; }, 0.0, 1e30},
    {"scale of the experts' weights", [](C c) { return c.experts.scale; }, 1e-6, 1e6},
    {"epsilon of hyper-connections", [](C c) { return c.hyper.epsilon; }, 0.0, 1.0},
    {"least step of Mamba", [](C c) { return c.mamba.step_min; }, 0.0, 1e6},
    {"multiplier before attention", [](C c) { return c.multipliers.attention_in; }, 0.0, 1e6},
    {"multiplier behind attention", [](C c) { return c.multipliers.attention_out; }, 0.0, 1e6},
    {"multiplier of keys", [](C c) { return c.multipliers.keys; }, 0.0, 1e6},
    {"multiplier before Mamba", [](C c) { return c.multipliers.mamba_in; }, 0.0, 1e6},
    {"multiplier behind Mamba", [](C c) { return c.multipliers.mamba_out; }, 0.0, 1e6},
    {"multiplier of Mamba's gate", [](C c) { return c.multipliers.mamba_gate; }, 0.0, 1e6},
    {"multiplier of Mamba's heads", [](C c) { return c.multipliers.mamba_heads; }, 0.0, 1e6},
    {"multiplier of Mamba's keys", [](C c) { return c.multipliers.mamba_keys; }, 0.0, 1e6},
    {"multiplier of Mamba's queries", [](C c) { return c.multipliers.mamba_queries; }, 0.0, 1e6},
    {"multiplier of Mamba's steps", [](C c) { return c.multipliers.mamba_step; }, 0.0, 1e6},
    {"multiplier of the feed-forward gate", [](C c) { return c.multipliers.ffn_gate; }, 0.0, 1e6},
    {"multiplier behind the feed-forward block", [](C c) { return c.multipliers.ffn_down; }, 0.0, 1e6},
};

struct OfScaling {
  const char* what;
  double RopeScaling::*of;
  double low, high;
};
constexpr OfScaling kScaling[] = {
    {"factor", &RopeScaling::factor, 1e-6, 1e6},
    {"low_freq_factor", &RopeScaling::low_freq_factor, 1e-6, 1e6},
    {"high_freq_factor", &RopeScaling::high_freq_factor, 1e-6, 1e6},
    {"beta_fast", &RopeScaling::beta_fast, 1e-6, 1e6},
    {"beta_slow", &RopeScaling::beta_slow, 1e-6, 1e6},
    {"attention_factor", &RopeScaling::attention_factor, 0.0, 1e6},
    {"mscale_all_dim", &RopeScaling::mscale_all_dim, 0.0, 1e6},
};

/// What is multiplied somewhere, in int64.
struct Product {
  const char* what;
  std::array<int64_t, 4> (*of)(C);
  int64_t high;
};
constexpr Product kProducts[] = {
    {"width of all queries",
     [](C c) {
       return std::array<int64_t, 4>{c.n_heads, c.head_dim, 1, 1};
     },
     kMaxWidth},
    {"width of all queries of a layer",
     [](C c) {
       return std::array<int64_t, 4>{c.n_heads, LargestOf(c, &LayerConfig::head_dim), 1, 1};
     },
     kMaxWidth},
    {"width of AltUp's streams",
     [](C c) {
       return std::array<int64_t, 4>{c.alt_up.streams, c.hidden, 1, 1};
     },
     kMaxWidth},
    {"elements of all layers' own embeddings",
     [](C c) {
       return std::array<int64_t, 4>{c.n_layers, c.per_layer_input, 1, 1};
     },
     kMaxWidth},
    {"width of all latent queries",
     [](C c) {
       return std::array<int64_t, 4>{c.n_heads, c.latent.nope_dim + c.latent.kv_rank + c.latent.rope_dim, 1, 1};
     },
     kMaxWidth},
    {"width of all latent values",
     [](C c) {
       return std::array<int64_t, 4>{c.n_heads, c.latent.value_dim, 1, 1};
     },
     kMaxWidth},
    {"width of the indexer's queries",
     [](C c) {
       return std::array<int64_t, 4>{c.indexer.heads, c.indexer.head_dim, 1, 1};
     },
     kMaxWidth},
    {"width of all groups of heads",
     [](C c) {
       return std::array<int64_t, 4>{c.compressed.groups, c.compressed.group_rank, 1, 1};
     },
     kMaxWidth},
    {"weights of a layer's experts",
     [](C c) {
       return std::array<int64_t, 4>{c.experts.count, std::max<int64_t>(1, c.experts.feed_forward), c.hidden, 1};
     },
     kMaxWeights},
    {"experts of all layers",
     [](C c) {
       return std::array<int64_t, 4>{c.experts.count, LayersWithExperts(c), 1, 1};
     },
     kMaxExperts},
    {"keys of linear attention",
     [](C c) {
       return std::array<int64_t, 4>{c.delta.key_heads, c.delta.key_dim, 1, 1};
     },
     kMaxWidth},
    {"values of linear attention",
     [](C c) {
       return std::array<int64_t, 4>{c.delta.value_heads, c.delta.value_dim, 1, 1};
     },
     kMaxWidth},
    {"channels of Mamba",
     [](C c) {
       return std::array<int64_t, 4>{c.mamba.heads, c.mamba.head_dim, 1, 1};
     },
     kMaxWidth},
    {"keys of Mamba",
     [](C c) {
       return std::array<int64_t, 4>{c.mamba.groups, c.mamba.state, 1, 1};
     },
     kMaxWidth},
    {"memory of a sequence",
     [](C c) {
       const int64_t heads = std::max(c.n_kv_heads, LargestOf(c, &LayerConfig::kv_heads));
       const int64_t row = std::max({heads * std::max(c.head_dim, LargestOf(c, &LayerConfig::head_dim)),
                                     c.latent.kv_rank + c.latent.rope_dim, c.indexer.head_dim});
       return std::array<int64_t, 4>{c.n_layers, c.context, row, 1};
     },
     kMaxCache},
};

void InRange(double value, double low, double high, std::string_view what, std::string_view where) {
  if (!(value >= low && value <= high))
    Fail(ErrorKind::kCorrupt, "{}: {}: expected {} to {}, found {}", where, what, low, high, value);
}

void InRange(int64_t value, int64_t low, int64_t high, std::string_view what, std::string_view where) {
  if (value < low || value > high)
    Fail(ErrorKind::kCorrupt, "{}: {}: expected {} to {}, found {}", where, what, low, high, value);
}

void CheckRanges(C c, std::string_view where) {
  for (const Whole& row : kWhole) InRange(row.of(c), row.low, row.high, row.what, where);
  for (const Real& row : kReal) InRange(row.of(c), row.low, row.high, row.what, where);
  for (auto [scaling, what] :
       {std::pair{&c.rope_scaling, "RoPE scaling"}, {&c.rope_local_scaling, "local RoPE scaling"}})
    for (const OfScaling& row : kScaling)
      InRange(scaling->*row.of, row.low, row.high, fmt::format("{} {}", what, row.what), where);
  for (const LayerConfig& layer : c.layers) {
    InRange(layer.window, 0, kMaxModelContext, "window of a layer", where);
    InRange(layer.compress, 0, kMaxModelHeads, "positions of a compressed entry", where);
    InRange(layer.attention_scale, 0.0, 1e15, "attention scale of a layer", where);
    InRange(layer.head_dim, 0, kMaxModelHeads, "head size of a layer", where);
    InRange(layer.kv_heads, 0, kMaxModelHeads, "key-value heads of a layer", where);
    InRange(layer.feed_forward, 0, kMaxWidth, "feed-forward size of a layer", where);
    const double bound = layer.sparse_gate ? 10.0 : 0.0;
    InRange(layer.gate_bound, -bound, bound, "bound of a layer's gate", where);
    InRange(layer.kv_back, 0, kMaxModelLayers, "layers back to the keys and values of a layer", where);
  }
  for (const Product& row : kProducts) {
    int64_t product = 1;
    for (const int64_t factor : row.of(c))
      if (__builtin_mul_overflow(product, factor, &product) || product > row.high)
        Fail(ErrorKind::kCorrupt, "{}: {}: expected at most {}, found {}", where, row.what, row.high,
             fmt::join(row.of(c), " x "));
  }
}

void Multiple(int64_t value, int64_t of, std::string_view what, std::string_view of_what, std::string_view where) {
  if (value % of != 0)
    Fail(ErrorKind::kCorrupt, "{}: {} {} are not a multiple of {} {}", where, value, what, of, of_what);
}

void CheckExperts(C config, std::string_view where) {
  const ExpertConfig& e = config.experts;
  if (LayersWithExperts(config) == 0) return;
  InRange(e.count, 1, kMaxModelHeads, "experts", where);
  InRange(e.used, 1, e.count, "experts used per token", where);
  InRange(e.feed_forward, 1, kMaxWidth, "feed-forward size of an expert", where);
  InRange(e.groups, 1, e.count, "groups of experts", where);
  InRange(e.groups_used, 1, e.groups, "groups of experts used per token", where);
  Multiple(e.count, e.groups, "experts", "groups", where);
  if (e.used > e.count / e.groups * e.groups_used)
    Fail(ErrorKind::kCorrupt, "{}: {} experts of each token do not fit {} of {} groups", where, e.used, e.groups_used,
         e.groups);
}

void CheckRecurrent(C config, std::string_view where) {
  if (std::none_of(config.layers.begin(), config.layers.end(),
                   [](const LayerConfig& layer) { return layer.recurrent || layer.beside; }))
    return;
  if (config.short_convolution > 0) return;
  if (const MambaConfig& m = config.mamba; m.heads > 0) {
    InRange(m.head_dim, 1, kMaxModelHeads, "head size of Mamba", where);
    InRange(m.state, 1, kMaxModelHeads, "state of Mamba", where);
    InRange(m.groups, 1, m.heads, "groups of Mamba's heads", where);
    InRange(m.kernel, 1, 64, "convolution of Mamba", where);
    return Multiple(m.heads, m.groups, "heads of Mamba", "groups", where);
  }
  const DeltaConfig& d = config.delta;
  InRange(d.key_heads, 1, kMaxModelHeads, "key heads of linear attention", where);
  InRange(d.value_heads, 1, kMaxModelHeads, "value heads of linear attention", where);
  InRange(d.key_dim, 1, kMaxModelHeads, "key size of linear attention", where);
  InRange(d.value_dim, 1, kMaxModelHeads, "value size of linear attention", where);
  InRange(d.kernel, 1, 64, "convolution of linear attention", where);
  Multiple(d.value_heads, d.key_heads, "value heads of linear attention", "key heads", where);
}

void CheckLatent(C config, std::string_view where) {
  const LatentConfig& l = config.latent;
  if (l.kv_rank == 0) return;
  InRange(l.nope_dim, 1, kMaxModelHeads, "size of a key without rotation", where);
  InRange(l.rope_dim, 1, kMaxModelHeads, "size of a key's rotated part", where);
  InRange(l.value_dim, 1, kMaxModelHeads, "size of a value", where);
}

void CheckIndexer(C config, std::string_view where) {
  const IndexerConfig& x = config.indexer;
  if (x.heads == 0) return;
  InRange(x.head_dim, 1, kMaxModelHeads, "head size of the indexer", where);
  InRange(x.top_k, 1, kMaxModelContext, "positions that the indexer chooses", where);
  if (config.compressed.q_rank > 0) return;
  if (config.latent.q_rank < 1)
    Fail(ErrorKind::kCorrupt, "{}: an indexer needs queries of low rank, found rank {}", where, config.latent.q_rank);
  if (config.latent.rope_dim > x.head_dim)
    Fail(ErrorKind::kCorrupt, "{}: the indexer rotates {} elements of heads of {}", where, config.latent.rope_dim,
         x.head_dim);
  if (config.Layer(0).shared_index)
    Fail(ErrorKind::kCorrupt, "{}: the first layer has no indexer before it to share", where);
}

void CheckCompressed(C config, std::string_view where) {
  const CompressedConfig& x = config.compressed;
  if (x.q_rank == 0) return;
  InRange(x.rope_dim, 1, config.head_dim, "rotated dimensions", where);
  InRange(x.groups, 1, config.n_heads, "groups of heads", where);
  InRange(x.group_rank, 1, kMaxModelHeads, "rank of a group of heads", where);
  Multiple(config.n_heads, x.groups, "heads", "groups", where);
  InRange(config.sliding_window, 1, kMaxModelContext, "sliding window", where);
  for (const LayerConfig& layer : config.layers)
    if (layer.overlapped && (config.indexer.heads < 1 || x.rope_dim > config.indexer.head_dim))
      Fail(ErrorKind::kCorrupt, "{}: an indexer of {} heads of {} elements, of which {} are rotated", where,
           config.indexer.heads, config.indexer.head_dim, x.rope_dim);
  InRange(config.hyper.streams, 1, 16, "residual streams", where);
  InRange(config.hyper.iterations, 1, 1000, "iterations of hyper-connections", where);
}

/// One stream is computed; others are predicted from it, and take in the layers' own embeddings.
void CheckAltUp(C config, std::string_view where) {
  const AltUpConfig& a = config.alt_up;
  if (a.streams == 0) return;
  InRange(a.active, 0, a.streams - 1, "computed stream of AltUp", where);
  InRange(config.per_layer_input, 1, kMaxModelHeads, "elements of a layer's own embedding", where);
  InRange(config.laurel_rank, 1, kMaxModelHeads, "rank of the projection beside attention", where);
}

/// What layers have of their own: heads, rotations, and keys and values of a layer before them.
void CheckLayers(C config, std::string_view where) {
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    if (layer.kv_heads > 0) Multiple(config.n_heads, layer.kv_heads, "attention heads", "key-value heads", where);
    const bool attends = layer.Attends() && config.latent.kv_rank == 0 && config.compressed.q_rank == 0;
    if (attends && layer.rope && !config.learned_positions && config.RotaryDim(layer) > config.HeadDim(layer))
      Fail(ErrorKind::kCorrupt, "{}: layer {}: {} elements of a head are rotated, which has {}", where, i,
           config.RotaryDim(layer), config.HeadDim(layer));
    if (layer.kv_back == 0) continue;
    if (layer.kv_back > static_cast<int64_t>(i))
      Fail(ErrorKind::kCorrupt, "{}: layer {} attends to keys and values {} layers before it", where, i, layer.kv_back);
    const LayerConfig& owner = config.layers[i - static_cast<size_t>(layer.kv_back)];
    if (owner.kv_back > 0 || !owner.Attends() || owner.window != layer.window || owner.chunked != layer.chunked ||
        owner.local_rope != layer.local_rope || config.HeadDim(owner) != config.HeadDim(layer) ||
        config.KvHeads(owner) != config.KvHeads(layer))
      Fail(ErrorKind::kCorrupt, "{}: layer {} attends to the keys and values of layer {}, which are of another kind",
           where, i, static_cast<int64_t>(i) - layer.kv_back);
  }
}

void CheckRope(C config, std::string_view where) {
  if (config.learned_positions) return;
  if (config.rotary_dim < 2 || config.rotary_dim > config.head_dim || config.rotary_dim % 2 != 0)
    Fail(ErrorKind::kCorrupt, "{}: rotary dimensions: expected an even number up to the head size {}, found {}", where,
         config.head_dim, config.rotary_dim);
  if (std::any_of(config.layers.begin(), config.layers.end(),
                  [](const LayerConfig& layer) { return layer.local_rope; }))
    InRange(config.rope_local_theta, 1.0, 1e15, "local RoPE base frequency", where);
  if (config.rope_local_dim % 2 != 0)
    Fail(ErrorKind::kCorrupt, "{}: rotary dimensions in layers with a window: expected an even number, found {}", where,
         config.rope_local_dim);
  for (auto [rope, dim] :
       {std::pair{&config.rope_scaling, config.rotary_dim}, {&config.rope_local_scaling, config.LocalRotaryDim()}})
    if (rope->turned > dim / 2)
      Fail(ErrorKind::kCorrupt, "{}: {} pairs of {} rotated elements turn", where, rope->turned, dim);
  for (const RopeScaling* rope : {&config.rope_scaling, &config.rope_local_scaling}) {
    using enum RopeScaling::Kind;
    if (rope->kind != kNone && rope->kind != kLinear && rope->kind != kProportional)
      InRange(rope->original_context, 2, kMaxModelContext, "RoPE scaling's original context", where);
    if (rope->kind == RopeScaling::Kind::kLlama3 && rope->high_freq_factor < rope->low_freq_factor)
      Fail(ErrorKind::kCorrupt, "{}: RoPE scaling high_freq_factor {} should not be below low_freq_factor {}", where,
           rope->high_freq_factor, rope->low_freq_factor);
  }
}

}  // namespace

void CheckConfig(const ModelConfig& config, std::string_view where) {
  CheckRanges(config, where);
  Multiple(config.n_heads, config.n_kv_heads, "attention heads", "key-value heads", where);
  if (!config.layers.empty() && static_cast<int64_t>(config.layers.size()) != config.n_layers)
    Fail(ErrorKind::kCorrupt, "{}: {} layers are described, expected {}", where, config.layers.size(), config.n_layers);
  CheckRope(config, where);
  CheckLayers(config, where);
  CheckAltUp(config, where);
  CheckExperts(config, where);
  CheckRecurrent(config, where);
  CheckLatent(config, where);
  CheckIndexer(config, where);
  CheckCompressed(config, where);
}

}  // namespace assay
