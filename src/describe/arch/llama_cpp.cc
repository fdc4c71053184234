#include "describe/arch/llama_cpp.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "describe/config_check.h"
#include "describe/rope_tables.h"
#include "describe/slots.h"

namespace assay {
namespace {

using enum EngineRow::Output;
using enum EngineRow::Tables;
constexpr auto kSilu = Activation::kSilu, kGeluTanh = Activation::kGeluTanh, kRelu2 = Activation::kRelu2;
constexpr auto kNo = Presence::kNever, kMay = Presence::kOptional, kMust = Presence::kAlways;

// clang-format off
constexpr std::array kRows = {
    //         name           activation  biases: q k v, o, mlp  output   own    whole  tables        betas  windows
    EngineRow{"llama",         kSilu,      kMay,  kMay,  kMay,   kEither, true,  true,  kFreqsOrLong, false, false},
    EngineRow{"mistral3",      kSilu,      kMay,  kMay,  kMay,   kEither, true,  true,  kFreqsOrLong, true,  false},
    EngineRow{"granite",       kSilu,      kMay,  kMay,  kMay,   kEither, true,  true,  kFreqsOrLong, false, false},
    EngineRow{"granitehybrid", kSilu,      kMay,  kMay,  kMay,   kEither, true,  false, kFreqs,       false, false},
    EngineRow{"smollm3",       kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kNone,        false, false},
    EngineRow{"qwen2",         kSilu,      kMay,  kNo,   kNo,    kEither, false, true,  kNone,        false, false},
    EngineRow{"qwen2moe",      kSilu,      kMay,  kNo,   kNo,    kOwn,    false, true,  kNone,        false, false},
    EngineRow{"qwen3",         kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kNone,        false, false},
    EngineRow{"qwen3moe",      kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kNone,        false, false},
    EngineRow{"qwen3next",     kSilu,      kMay,  kNo,   kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"qwen35",        kSilu,      kMay,  kNo,   kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"qwen35moe",     kSilu,      kMay,  kNo,   kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"gemma2",        kGeluTanh,  kMay,  kNo,   kNo,    kTied,   true,  false, kNone,        false, true},
    EngineRow{"gemma3",        kGeluTanh,  kMay,  kNo,   kNo,    kEither, true,  false, kNone,        false, true},
    EngineRow{"gemma3n",       kGeluTanh,  kNo,   kNo,   kNo,    kEither, true,  false, kNone,        false, true},
    EngineRow{"gemma4",        kGeluTanh,  kNo,   kNo,   kNo,    kEither, true,  false, kFreqsAlways, false, true},
    EngineRow{"phi3",          kSilu,      kMay,  kNo,   kNo,    kEither, false, false, kLong,        false, false},
    EngineRow{"glm4",          kSilu,      kMay,  kNo,   kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"command-r",     kSilu,      kMay,  kNo,   kNo,    kTied,   false, false, kNone,        false, false},
    EngineRow{"cohere2",       kSilu,      kMay,  kNo,   kNo,    kTied,   false, false, kNone,        false, true},
    EngineRow{"gpt2",          kGeluTanh,  kMust, kMust, kMust,  kEither, false, false, kNone,        false, false},
    EngineRow{"gptneox",       kGeluTanh,  kMust, kMust, kMust,  kOwn,    false, false, kNone,        false, false},
    EngineRow{"gpt-oss",       Activation::kClampedSwiglu,
                                           kMay,  kMust, kNo,    kOwn,    true,  true,  kNone,        false, true},
    EngineRow{"llama4",        kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kFreqs,       false, true},
    EngineRow{"deepseek2",     kSilu,      kNo,   kNo,   kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"deepseek32",    kSilu,      kNo,   kNo,   kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"glm-dsa",       kSilu,      kNo,   kNo,   kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"deepseek4",     Activation::kClampedSilu,
                                           kNo,   kNo,   kNo,    kOwn,    true,  false, kNone,        false, true},
    EngineRow{"seed_oss",      kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kNone,        false, false},
    EngineRow{"chatglm",       kSilu,      kMay,  kNo,   kNo,    kEither, false, false, kNone,        false, false},
    EngineRow{"glm4moe",       kSilu,      kMay,  kNo,   kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"ernie4_5",      kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kNone,        false, false},
    EngineRow{"ernie4_5-moe",  kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kNone,        false, false},
    EngineRow{"starcoder2",    kGeluTanh,  kMay,  kMust, kMust,  kEither, false, true,  kNone,        false, false},
    EngineRow{"granitemoe",    kSilu,      kMay,  kMay,  kNo,    kEither, true,  true,  kFreqsOrLong, false, false},
    EngineRow{"olmo2",         kSilu,      kMay,  kNo,   kNo,    kOwn,    false, true,  kNone,        false, true},
    EngineRow{"exaone4",       kSilu,      kMay,  kNo,   kNo,    kEither, false, true,  kFreqs,       false, true},
    EngineRow{"apertus",       Activation::kXielu,
                                           kMay,  kMay,  kNo,    kOwn,    true,  true,  kFreqsOrLong, false, false},
    EngineRow{"hunyuan-dense", kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kNone,        false, false},
    EngineRow{"hunyuan-moe",   kSilu,      kMay,  kNo,   kNo,    kEither, true,  true,  kNone,        false, false},
    EngineRow{"minimax-m2",    kSilu,      kMay,  kNo,   kNo,    kOwn,    true,  false, kNone,        false, false},
    EngineRow{"lfm2",          kSilu,      kMay,  kNo,   kNo,    kEither, false, false, kNone,        false, true},
    EngineRow{"lfm2moe",       kSilu,      kMay,  kNo,   kNo,    kEither, false, false, kNone,        false, false},
    EngineRow{"falcon-h1",     kSilu,      kMay,  kNo,   kMay,   kEither, true,  false, kNone,        false, false},
    EngineRow{"nemotron_h",    kRelu2,     kMay,  kMay,  kMay,   kEither, true,  false, kNone,        false, false},
    EngineRow{"nemotron_h_moe",
                               kRelu2,     kMay,  kMay,  kNo,    kEither, true,  false, kNone,        false, false},
    EngineRow{"deci",          kSilu,      kNo,   kNo,   kNo,    kEither, true,  true,  kFreqsOrLong, false, false},
    EngineRow{"nemotron",      kRelu2,     kMay,  kMay,  kMay,   kOwn,    false, false, kNone,        false, false},
};
// clang-format on

constexpr int64_t kMaxLayers = 512, kMaxExperts = 1024;

bool Loads(const EngineRow& row, std::string_view table, bool longrope) {
  switch (row.tables) {
    case kNone:
      return false;
    case kFreqs:
    case kFreqsAlways:
      return table == "rope_freqs.weight";
    case kFreqsOrLong:
      return (table == "rope_freqs.weight") != longrope;
    case kLong:
      return table != "rope_freqs.weight";
  }
  return false;
}

/// Multi-head latent attention without a low rank of queries is known by its depth.
bool KnownWithoutQueryRank(const ModelConfig& c) {
  return c.n_layers == 26 || c.n_layers == 27 || (c.n_layers == 48 && c.vocab == 128256);
}

void WhyNotLatent(const ModelConfig& c, std::vector<std::string>& why) {
  if (c.latent.kv_rank == 0) return;
  if (c.architecture == "deepseek2" ? c.latent.q_rank > 0 && KnownWithoutQueryRank(c) : c.latent.q_rank == 0)
    why.push_back(fmt::format("takes a {} of {} layers for one {} a low rank of queries", c.architecture, c.n_layers,
                              c.latent.q_rank > 0 ? "without" : "with"));
  const ExpertConfig& e = c.experts;
  for (int64_t i = 0; i < c.n_layers && e.count > 0; ++i)
    if (c.Layer(i).experts && e.shared_feed_forward == 0)
      return why.push_back("wants an expert that every token passes");
}

/// A layer without a feed-forward block is passed by, with its attention; at the end, where tokens without logits are
/// dropped, they are not.
void WhyNotLayersAlone(const ModelConfig& c, std::vector<std::string>& why) {
  for (int64_t i = 0; i < c.n_layers; ++i)
    if (c.Layer(i).HasMixer() && !c.Layer(i).HasFeedForward())
      return why.push_back(fmt::format("leaves out layer {}, which has no feed-forward block", i));
  if (!c.Layer(c.n_layers - 1).HasFeedForward()) why.push_back("wants a feed-forward block in the last layer");
}

/// Layers that keep no keys and values take those of the last two that do: with a window, those of the last but one.
void WhyNotSharedKeys(const ModelConfig& c, std::vector<std::string>& why) {
  int64_t own = 0, windows = 0;
  for (int64_t i = 0; i < c.n_layers; ++i) {
    own += c.Layer(i).kv_back == 0;
    windows += c.Layer(i).window > 0;
  }
  if (own < 2) why.push_back("wants two layers with keys and values at least");
  if (windows == 0) why.push_back("wants layers with a window");
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const LayerConfig layer = c.Layer(i);
    const int64_t owner = own - (layer.window > 0 ? 2 : 1);
    if (layer.kv_back > 0 && i - layer.kv_back != owner)
      return why.push_back(
          fmt::format("takes the keys and values of layer {} for layer {}, which has those of layer {}", owner, i,
                      i - layer.kv_back));
  }
}

void WhyNotExperts(const ModelConfig& c, std::vector<std::string>& why) {
  const ExpertConfig& e = c.experts;
  if (e.count == 0) return;
  if (e.count > kMaxExperts)
    why.push_back(fmt::format("takes {} experts at most; this model has {}", kMaxExperts, e.count));
  if (e.groups > 1 && (e.groups >= e.count || e.groups_used >= e.groups))
    why.push_back(fmt::format("takes fewer groups of experts ({}) than experts ({}), and not all of them ({})",
                              e.groups, e.count, e.groups_used));
  if (e.shared_feed_forward == 0 && e.shared_gate) why.push_back("wants an expert that every token passes");
}

}  // namespace

const EngineRow& EngineOf(std::string_view gguf_architecture) {
  const auto* row =
      std::find_if(kRows.begin(), kRows.end(), [&](const EngineRow& r) { return r.name == gguf_architecture; });
  ASSAY_CHECK(row != kRows.end());
  return *row;
}

std::vector<TensorSlot> SlotsOf(const EngineRow& row, const ModelConfig& config) {
  std::vector<TensorSlot> slots = TensorSlots(config);
  for (TensorSlot& slot : slots)
    for (std::string_view part : {".attn_k.weight", ".attn_v.weight", ".attn_k_norm.weight"})
      if (row.name == "gemma3n" && slot.name.ends_with(part)) slot.required = true;
  return slots;
}

void ApplyEngine(const EngineRow& row, ModelConfig& config) {
  config.activation = row.activation;
  config.qkv_bias = row.qkv_bias;
  config.o_bias = row.o_bias;
  config.mlp_bias = row.mlp_bias;
  if (row.name == "qwen2") config.output_bias = Presence::kOptional;
  if (row.yarn_betas) return;
  config.rope_scaling.beta_fast = RopeScaling().beta_fast;
  config.rope_scaling.beta_slow = RopeScaling().beta_slow;
}

std::vector<std::string> WhyNotLoaded(const EngineRow& row, const ModelConfig& c,
                                      const std::vector<std::string_view>& tables) {
  std::vector<std::string> why;
  if (c.n_layers > kMaxLayers)
    why.push_back(fmt::format("takes {} layers at most; this model has {}", kMaxLayers, c.n_layers));
  if (row.output == kTied && !c.tied_output) why.push_back("has no place for an output apart from the embedding");
  if (row.output == kOwn && c.tied_output) why.push_back("wants an output apart from the embedding");
  const bool plain = c.latent.kv_rank == 0 && c.compressed.q_rank == 0;
  if (plain && !row.own_head_size && c.n_heads * c.head_dim != c.hidden)
    why.push_back(fmt::format("takes heads of {} elements, the hidden size over their number; this model's have {}",
                              c.hidden / c.n_heads, c.head_dim));
  if (plain && row.whole_heads && c.rotary_dim != c.head_dim)
    why.push_back(fmt::format("turns whole heads; this model turns {} of {} elements", c.rotary_dim, c.head_dim));
  for (std::string_view table : tables)
    if (!Loads(row, table, c.rope_scaling.kind == RopeScaling::Kind::kLong))
      why.push_back(fmt::format("has no place for tensor {}", table));
  if (row.name == "command-r" && (c.qk_norm == QkNorm::kEachHead) != (c.n_layers >= 64))
    why.push_back(
        fmt::format("expects norms of queries and keys from 64 layers on, and none below; this model has {} "
                    "layers {} them",
                    c.n_layers, c.qk_norm == QkNorm::kEachHead ? "with" : "without"));
  if (row.name == "gemma2" && (c.attention_softcap == 0 || c.logit_softcap == 0))
    why.push_back("divides by the caps of scores and logits; this model has none (the answer is not a number)");
  const RopeScaling& rope = c.rope_scaling;
  if ((row.name == "gemma3" || row.name == "gemma3n" || row.name == "gemma4") &&
      rope.kind == RopeScaling::Kind::kYarn && c.sliding_window > 0 && rope.attention_factor > 0 &&
      std::abs(rope.attention_factor - DefaultYarnAttention(rope.factor)) > 1e-6)
    why.push_back("applies an attention_factor of YaRN to layers with a window too");
  if (row.tables == kFreqsAlways && tables.empty()) why.push_back("wants rope_freqs.weight");
  if (row.name == "gemma4") WhyNotSharedKeys(c, why);
  if (row.name == "deci") WhyNotLayersAlone(c, why);
  if (row.name == "gemma3n" &&
      std::any_of(c.layers.begin(), c.layers.end(), [](const LayerConfig& layer) { return layer.feed_forward > 0; }))
    why.push_back("takes one feed-forward size for all layers");
  if (row.name == "llama4" && c.sliding_window == 0) why.push_back("stops at a llama4 without chunks of attention");
  WhyNotLatent(c, why);
  WhyNotExperts(c, why);
  return why;
}

void ApplyUnread(const EngineRow& row, const GgufFields& in, ModelConfig& config,
                 std::vector<std::string>& differences) {
  const int64_t window = row.windows ? 0 : in.Int("attention.sliding_window", 0);
  if (window > 0 && window < config.context) {
    config.sliding_window = 0;
    ReadWindowPattern(in, config, 0);
    differences.push_back(
        fmt::format("the file states a window of {} positions; llama.cpp runs {} without that window, so answers to "
                    "longer prompts differ",
                    window, row.name));
  }
  RopeScaling& rope = config.rope_scaling;
  if (rope.kind != RopeScaling::Kind::kYarn) return;
  for (auto [key, value] :
       {std::pair{"rope.scaling.yarn_beta_fast", &rope.beta_fast}, {"rope.scaling.yarn_beta_slow", &rope.beta_slow}}) {
    const double stated = in.Number(key, *value);
    if (stated == *value) continue;
    differences.push_back(
        fmt::format("llama.cpp does not read {}{}: {} instead of {}", in.prefix, key, *value, stated));
    *value = stated;
  }
}

}  // namespace assay
