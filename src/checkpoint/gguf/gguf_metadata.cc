#include "checkpoint/gguf/gguf_metadata.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "checkpoint/gguf/gguf_checkpoint.h"
#include "checkpoint/gguf/gguf_types.h"
#include "checkpoint/layout.h"
#include "describe/arch/llama_cpp.h"

namespace assay {

namespace {

void AddRope(GgufMetadata& out, const ModelConfig& config, const std::string& p) {
  const RopeScaling& rope = config.rope_scaling;
  switch (rope.kind) {
    case RopeScaling::Kind::kNone:
    case RopeScaling::Kind::kDynamic:  // nothing up to the context
    case RopeScaling::Kind::kLlama3:   // a tensor
    case RopeScaling::Kind::kProportional:
      return;
    case RopeScaling::Kind::kLinear:
      out.AddString(p + "rope.scaling.type", "linear");
      out.AddFloat32(p + "rope.scaling.factor", rope.factor);
      return;
    case RopeScaling::Kind::kLong:  // two tensors
      out.AddString(p + "rope.scaling.type", "longrope");
      out.AddUint32(p + "rope.scaling.original_context_length", static_cast<uint64_t>(rope.original_context));
      out.AddFloat32(p + "rope.scaling.attn_factor", rope.attention_factor);
      return;
    case RopeScaling::Kind::kYarn:
      out.AddString(p + "rope.scaling.type", "yarn");
      out.AddFloat32(p + "rope.scaling.factor", rope.factor);
      out.AddUint32(p + "rope.scaling.original_context_length", static_cast<uint64_t>(rope.original_context));
      out.AddFloat32(p + "rope.scaling.yarn_beta_fast", rope.beta_fast);
      out.AddFloat32(p + "rope.scaling.yarn_beta_slow", rope.beta_slow);
      if (rope.attention_factor != 0.0 && config.latent.kv_rank == 0 && config.compressed.q_rank == 0)
        out.AddFloat32(p + "rope.scaling.attn_factor", rope.attention_factor / DefaultYarnAttention(rope.factor));
  }
}

/// Of feed-forward blocks; where layers have none, readers know it by a 0.
void AddWidths(GgufMetadata& out, const ModelConfig& config, const std::string& p) {
  std::vector<int32_t> widths;
  const bool beside = config.experts.beside_dense;
  bool all = true;
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const LayerConfig layer = config.Layer(i);
    const bool has = layer.HasFeedForward();
    all = all && has && layer.feed_forward == 0;
    const int64_t width = layer.experts && !beside ? config.experts.feed_forward : config.FeedForward(layer);
    widths.push_back(has ? static_cast<int32_t>(width) : 0);
  }
  if (all)
    out.AddUint32(p + "feed_forward_length", static_cast<uint64_t>(config.feed_forward));
  else
    out.AddInts(p + "feed_forward_length", widths);
}

void AddModel(GgufMetadata& out, const ModelConfig& config, const ArchitectureSpec& spec) {
  const std::string p = std::string(GgufName(spec)) + ".";
  const bool compressed = config.compressed.q_rank > 0;
  out.AddUint32(p + "block_count", static_cast<uint64_t>(config.n_layers));
  out.AddUint32(p + "context_length", static_cast<uint64_t>(config.context));
  out.AddUint32(p + "embedding_length", static_cast<uint64_t>(config.hidden));
  AddWidths(out, config, p);
  // Latent attention is one head of keys and values for all.
  const int64_t kv_heads = config.latent.kv_rank > 0 ? 1 : config.n_kv_heads;
  std::vector<int32_t> heads, layers;
  bool differ = spec.gguf_head_counts;
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const LayerConfig layer = config.Layer(i);
    heads.push_back(layer.HasMixer() ? static_cast<int32_t>(config.n_heads) : 0);
    layers.push_back(layer.Attends() ? static_cast<int32_t>(config.KvHeads(layer)) : 0);
    differ = differ || layer.kv_heads > 0;
  }
  if (spec.gguf_head_counts)
    out.AddInts(p + "attention.head_count", heads);
  else
    out.AddUint32(p + "attention.head_count", static_cast<uint64_t>(config.n_heads));
  if (spec.gguf_zero_heads || differ) {  // readers know recurrent layers by the former
    out.AddInts(p + "attention.head_count_kv", layers);
  } else {
    out.AddUint32(p + "attention.head_count_kv", static_cast<uint64_t>(kv_heads));
  }
  if (config.latent.kv_rank == 0) {
    out.AddUint32(p + "attention.key_length", static_cast<uint64_t>(config.head_dim));
    out.AddUint32(p + "attention.value_length", static_cast<uint64_t>(config.head_dim));
  }
  out.AddFloat32(p + (config.norm == Norm::kRms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"),
                 config.rms_epsilon);
  out.AddUint32(p + "vocab_size", static_cast<uint64_t>(config.vocab));
  if (!config.learned_positions) {
    out.AddUint32(p + "rope.dimension_count", static_cast<uint64_t>(config.rotary_dim));
    out.AddFloat32(p + "rope.freq_base", compressed ? config.rope_local_theta : config.rope_theta);
  }
  if (config.sliding_window > 0)
    out.AddUint32(p + "attention.sliding_window", static_cast<uint64_t>(config.sliding_window));
  if (!EngineOf(GgufName(spec)).windows && config.sliding_window > 0) AddWindowPattern(config, p, 0, out);
  AddRope(out, config, p);
  if (const ExpertConfig& e = config.experts; e.count > 0) {
    out.AddUint32(p + "expert_count", static_cast<uint64_t>(e.count));
    out.AddUint32(p + "expert_used_count", static_cast<uint64_t>(e.used));
  }
  if (spec.to_gguf) spec.to_gguf(config, p, out);
  const GenerationConfig& generation = config.generation;
  if (generation.temperature > 0.0) {
    out.AddFloat32("general.sampling.temp", generation.temperature);
    out.AddFloat32("general.sampling.top_p", generation.top_p);
    out.AddInt32("general.sampling.top_k", static_cast<int32_t>(generation.top_k));
    if (generation.min_p > 0.0) out.AddFloat32("general.sampling.min_p", generation.min_p);
  }
  if (generation.repetition_penalty != 1.0) {
    // Without the second key engines look at the last 64 tokens.
    const int64_t window = generation.penalty_window > 0 ? generation.penalty_window : config.context;
    out.AddFloat32("general.sampling.penalty_repeat", generation.repetition_penalty);
    out.AddInt32("general.sampling.penalty_last_n", static_cast<int32_t>(std::min<int64_t>(window, INT32_MAX)));
  }
}

/// Numbers of layers that are tensors elsewhere: an array each, an item a layer.
void AddParameters(GgufMetadata& out, const Checkpoint& source) {
  std::map<std::string, std::vector<float>> arrays;
  for (const TensorSlot& slot : TensorSlots(source.config())) {
    if (slot.in_gguf.metadata.empty()) continue;
    const LoadedTensor number = source.Get(slot.name).LoadRows(0, 1);
    number.view.format->decode_row(number.view, 0, &arrays[slot.in_gguf.metadata].emplace_back());
  }
  for (const auto& [key, values] : arrays) out.AddFloats(key, values);
}

/// SentencePiece BPE in tokenizer.json has merges by rank and no scores; GGUF has scores alone. The score of a merge's
/// result falls with its rank, which gives the same order of merging.
std::vector<float> ScoresFromMerges(const TokenizerSpec& spec, const std::vector<std::string>& tokens) {
  std::unordered_map<std::string, size_t> rank;
  for (size_t i = 0; i < spec.merges.size(); ++i) {
    std::string joined = spec.merges[i];
    if (size_t space = joined.find(' '); space != std::string::npos) joined.erase(space, 1);
    rank.emplace(joined, i);
  }
  std::vector<float> scores;
  for (const std::string& token : tokens) {
    auto it = rank.find(token);
    scores.push_back(it == rank.end() ? -1e9f : -static_cast<float>(it->second));
  }
  return scores;
}

void AddTokenizer(GgufMetadata& out, const Checkpoint& source) {
  const TokenizerSpec spec = TokenizerForGguf(source);
  const bool bytes = spec.model == TokenizerModel::kByteLevelBpe;
  out.AddString("tokenizer.ggml.model", bytes ? "gpt2" : spec.model == TokenizerModel::kUnigram ? "t5" : "llama");
  out.AddString("tokenizer.ggml.pre", PreTokenizerName(spec));
  std::vector<std::string> tokens = spec.tokens;
  std::vector<int32_t> types;
  for (size_t i = 0; i < tokens.size(); ++i)
    types.push_back(static_cast<int32_t>(i < spec.types.size() ? spec.types[i] : TokenType::kNormal));
  std::vector<float> scores = spec.scores;
  if (!bytes && scores.empty()) scores = ScoresFromMerges(spec, tokens);
  // Embeddings often have more rows than the tokenizer has tokens, and now and then fewer.
  const auto rows = static_cast<size_t>(source.config().vocab);
  if (tokens.size() > rows) {
    tokens.resize(rows);
    types.resize(rows);
    if (!scores.empty()) scores.resize(rows);
  }
  while (static_cast<int64_t>(tokens.size()) < source.config().vocab) {
    tokens.push_back(fmt::format("[PAD{}]", tokens.size()));
    types.push_back(static_cast<int32_t>(TokenType::kUnused));
    if (!bytes) scores.push_back(-1e9f);
  }
  out.AddStrings("tokenizer.ggml.tokens", tokens);
  if (!bytes) out.AddFloats("tokenizer.ggml.scores", scores);
  out.AddInts("tokenizer.ggml.token_type", types);
  if (bytes) out.AddStrings("tokenizer.ggml.merges", spec.merges);
  auto id = [&](std::string_view name, TokenId value) {
    if (value >= 0) out.AddUint32(fmt::format("tokenizer.ggml.{}_token_id", name), static_cast<uint64_t>(value));
  };
  id("bos", spec.bos);
  id("eos", spec.eos);
  id("eot", spec.eot);
  id("eom", spec.eom);
  id("unknown", spec.unk);
  id("padding", spec.pad);
  out.AddBool("tokenizer.ggml.add_bos_token", spec.add_bos && spec.after_bos.empty());
  out.AddBool("tokenizer.ggml.add_eos_token", spec.add_eos);
  out.AddBool("tokenizer.ggml.add_space_prefix", spec.add_space_prefix);
  if (spec.model == TokenizerModel::kUnigram) {
    out.AddBool("tokenizer.ggml.remove_extra_whitespaces", spec.remove_extra_whitespaces);
    if (!spec.precompiled_charsmap.empty())
      out.AddBytes("tokenizer.ggml.precompiled_charsmap", spec.precompiled_charsmap);
  }
  if (!source.chat_template().empty()) out.AddString("tokenizer.chat_template", source.chat_template());
  std::vector<std::string> names;
  for (const auto& [name, text] : source.extra_chat_templates()) {
    out.AddString("tokenizer.chat_template." + name, text);
    names.push_back(name);
  }
  if (!names.empty()) out.AddStrings("tokenizer.chat_templates", names);
}

/// Drafts of further tokens were not read; their layers are counted, and listed, with the others. False: an entry that
/// says nothing of them.
bool AddWithoutDrafts(GgufMetadata& out, const GgufEntry& entry, const ModelConfig& config) {
  const auto layers = static_cast<uint64_t>(config.n_layers), all = layers + static_cast<uint64_t>(config.extra_layers);
  const GgufValue& value = entry.value;
  if (entry.key.ends_with(".nextn_predict_layers")) return true;
  if (entry.key.ends_with(".block_count")) {
    out.AddUint32(entry.key, layers);
    return true;
  }
  // Readers want as many items as there are layers.
  if (entry.key.starts_with("tokenizer.") || value.type != GgufType::kArray || value.items.empty() ||
      value.count != all)
    return false;
  out.AddNumbers(entry.key, value.element, value.items.first(layers * GgufTypeBytes(value.element)));
  return true;
}

}  // namespace

TokenizerSpec TokenizerForGguf(const Checkpoint& source) {
  TokenizerSpec spec = source.tokenizer();
  std::vector<int32_t> stops = source.config().stop_tokens;
  for (TokenId* id : {&spec.eos, &spec.eot, &spec.eom}) std::erase(stops, *id);
  for (TokenId* id : {&spec.eos, &spec.eot, &spec.eom}) {
    if (*id >= 0 || stops.empty()) continue;
    *id = stops.front();
    stops.erase(stops.begin());
  }
  return spec;
}

GgufMetadata GgufMetadataOf(const Checkpoint& source, std::string_view preset, const Format& main_format) {
  GgufMetadata out;
  int file_type = GgufFileType(preset);
  if (file_type < 0) file_type = GgufFileType(main_format);
  auto add_general = [&] {
    if (file_type >= 0) out.AddUint32("general.file_type", static_cast<uint64_t>(file_type));
    out.AddUint32("general.quantization_version", 2);
  };
  if (const auto* gguf = dynamic_cast<const GgufCheckpoint*>(&source)) {
    // What older converters stated of latent attention does not fit newer engines: the model is described anew.
    const std::string prefix = std::string(gguf->head().String("general.architecture")) + ".";
    const bool anew = source.config().latent.kv_rank > 0 && !gguf->head().Find(prefix + "attention.key_length_mla");
    for (const GgufEntry& entry : gguf->head().metadata) {
      if (entry.key == "general.file_type" || entry.key == "general.quantization_version" ||
          entry.key == "general.alignment" || entry.key.starts_with("split."))
        continue;
      if (anew && (entry.key.starts_with(prefix) || entry.key.starts_with("general.sampling."))) continue;
      if (source.config().extra_layers > 0 && AddWithoutDrafts(out, entry, source.config())) continue;
      out.AddEncoded(entry.key, entry.value.encoded);
    }
    add_general();
    if (anew) AddModel(out, source.config(), *FindArchitecture(source.config().architecture));
    return out;
  }
  const ArchitectureSpec& spec = *FindArchitecture(source.config().architecture);
  out.AddString("general.architecture", GgufName(spec));
  out.AddString("general.type", "model");
  if (!source.config().name.empty()) out.AddString("general.name", source.config().name);
  add_general();
  AddModel(out, source.config(), spec);
  AddParameters(out, source);
  AddTokenizer(out, source);
  return out;
}

}  // namespace assay
