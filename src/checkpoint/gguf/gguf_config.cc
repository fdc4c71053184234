#include "checkpoint/gguf/gguf_config.h"

#include <algorithm>

#include "base/error.h"
#include "checkpoint/layout.h"
#include "describe/arch/llama_cpp.h"
#include "describe/arch/spec.h"
#include "describe/generation_files.h"
#include "text/files/gguf_pretokenizers.h"
#include "text/unicode.h"

namespace assay {
namespace {

/// Some writers give these per layer; a Llama has the same in all. `or_zero`: layers without such a block have 0.
/// `differ`: the architecture's description reads them; the first is that of the model.
int64_t PerLayer(const GgufKeys& file, const std::string& key, int64_t fallback, bool or_zero = false,
                 bool differ = false) {
  const GgufValue* value = file.Find(key);
  if (!value || value->type != GgufType::kArray) return file.Int(key, fallback);
  bool integers = value->element != GgufType::kString && value->element != GgufType::kArray &&
                  value->element != GgufType::kFloat32 && value->element != GgufType::kFloat64 &&
                  value->element != GgufType::kBool;
  if (!integers || value->count == 0) Fail(ErrorKind::kCorrupt, "{}: metadata {}: expected integers", file.where, key);
  int64_t found = value->ItemInteger(0);
  for (uint64_t i = 1; i < value->count && !differ; ++i) {
    const int64_t item = value->ItemInteger(i);
    if (or_zero && found == 0) found = item;
    if (item != found && !(or_zero && item == 0))
      Fail(ErrorKind::kUnsupported, "{}: metadata {}: layers that differ ({} and {})", file.where, key, found, item);
  }
  return found;
}

RopeScaling ReadRopeScaling(const GgufKeys& file, const std::string& prefix, int64_t context) {
  RopeScaling rope;
  std::string kind(file.String(prefix + "rope.scaling.type", ""));
  rope.factor = file.Number(prefix + "rope.scaling.factor", file.Number(prefix + "rope.scale_linear", 0.0));
  if (rope.factor == 0.0) rope.factor = 1.0;
  rope.original_context = file.Int(prefix + "rope.scaling.original_context_length", context);
  const double relative = file.Number(prefix + "rope.scaling.attn_factor", 1.0);
  if (kind == "linear" || (kind.empty() && rope.factor != 1.0)) {
    rope.kind = RopeScaling::Kind::kLinear;
  } else if (kind == "yarn") {
    rope.kind = RopeScaling::Kind::kYarn;
    rope.beta_fast = file.Number(prefix + "rope.scaling.yarn_beta_fast", 32.0);
    rope.beta_slow = file.Number(prefix + "rope.scaling.yarn_beta_slow", 1.0);
    // Relative to YaRN's own factor; llama.cpp does not read yarn_attn_factor.
    if (relative != 1.0) rope.attention_factor = relative * DefaultYarnAttention(rope.factor);
  } else if (kind == "longrope" && rope.factor != 1.0) {
    Fail(ErrorKind::kUnsupported, "{}: metadata {}rope.scaling.factor {} beside the factors of longrope", file.where,
         prefix, rope.factor);
  } else if (!kind.empty() && kind != "none" && kind != "longrope") {
    Fail(ErrorKind::kUnsupported, "{}: metadata {}rope.scaling.type: expected none, linear, yarn or longrope, found {}",
         file.where, prefix, kind);
  }
  if (relative != 1.0 && (rope.kind == RopeScaling::Kind::kLinear || kind == "none"))
    Fail(ErrorKind::kUnsupported, "{}: metadata {}rope.scaling.attn_factor {} without YaRN or longrope", file.where,
         prefix, relative);
  if (rope.kind == RopeScaling::Kind::kNone) rope = RopeScaling{};
  if (rope.kind == RopeScaling::Kind::kLinear) rope.original_context = 0;
  return rope;
}

/// -1 when the file states none; `fallback` when it says nothing.
TokenId TokenOf(const GgufFile& file, std::string_view name, const TokenizerSpec& spec, TokenId fallback = -1) {
  std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  const GgufValue* value = file.Find(key);
  if (!value) return fallback < static_cast<TokenId>(spec.tokens.size()) ? fallback : -1;
  int64_t number = file.Int(key);
  if (number == static_cast<int64_t>(UINT32_MAX) || number == -1) return -1;
  if (number < 0 || number >= static_cast<int64_t>(spec.tokens.size()))
    Fail(ErrorKind::kCorrupt, "{}: metadata {}: token {} of {}", file.where, key, number, spec.tokens.size());
  return static_cast<TokenId>(number);
}

void ReadIds(const GgufFile& file, TokenizerSpec& spec) {
  spec.bos = TokenOf(file, "bos", spec, spec.bos);
  // BERT's [SEP] stands where others have EOS.
  const bool separator = spec.model == TokenizerModel::kWordPiece && file.Find("tokenizer.ggml.seperator_token_id");
  spec.eos = TokenOf(file, separator ? "seperator" : "eos", spec, spec.eos);
  spec.unk = TokenOf(file, "unknown", spec, spec.unk);
  spec.pad = TokenOf(file, "padding", spec, spec.pad);
  spec.eot = TokenOf(file, "eot", spec);
  spec.eom = TokenOf(file, "eom", spec);
}

void ReadVocabulary(const GgufFile& file, TokenizerSpec& spec) {
  const GgufValue* tokens = file.Array("tokenizer.ggml.tokens", GgufType::kString);
  if (!tokens || tokens->strings.empty())
    Fail(ErrorKind::kCorrupt, "{}: metadata tokenizer.ggml.tokens is missing", file.where);
  if (tokens->count > (1u << 24))
    Fail(ErrorKind::kUnsupported, "{}: a vocabulary of {} tokens", file.where, tokens->count);
  spec.tokens.assign(tokens->strings.begin(), tokens->strings.end());
  size_t n = spec.tokens.size();
  const bool by_merges = HasMergesOfMarkedText(spec.pre);
  auto same_count = [&](std::string_view key, const GgufValue* array) {
    if (array->count != n)
      Fail(ErrorKind::kCorrupt, "{}: metadata {}: expected {} items, one a token, found {}", file.where, key, n,
           array->count);
  };
  const bool scored =
      (spec.model == TokenizerModel::kSentencePieceBpe && !by_merges) || spec.model == TokenizerModel::kUnigram;
  if (const GgufValue* scores = file.Array("tokenizer.ggml.scores", GgufType::kFloat32)) {
    same_count("tokenizer.ggml.scores", scores);
    if (scored)
      for (size_t i = 0; i < n; ++i) spec.scores.push_back(static_cast<float>(scores->ItemNumber(i)));
  } else if (scored) {
    Fail(ErrorKind::kCorrupt, "{}: metadata tokenizer.ggml.scores is missing", file.where);
  }
  spec.types.assign(n, TokenType::kNormal);
  if (const GgufValue* types = file.Find("tokenizer.ggml.token_type")) {
    if (types->type != GgufType::kArray || (types->element != GgufType::kInt32 && types->element != GgufType::kUint32))
      Fail(ErrorKind::kCorrupt, "{}: metadata tokenizer.ggml.token_type: expected an array of int32", file.where);
    same_count("tokenizer.ggml.token_type", types);
    for (size_t i = 0; i < n; ++i) {
      int64_t type = types->ItemInteger(i);
      if (type < 0 || type > 6)
        Fail(ErrorKind::kCorrupt, "{}: metadata tokenizer.ggml.token_type: token {}: expected 1 to 6, found {}",
             file.where, i, type);
      spec.types[i] = type == 0 ? TokenType::kNormal : static_cast<TokenType>(type);
    }
  }
  if (const GgufValue* merges = file.Array("tokenizer.ggml.merges", GgufType::kString)) {
    spec.merges.assign(merges->strings.begin(), merges->strings.end());
  } else if (spec.model == TokenizerModel::kByteLevelBpe || by_merges) {
    Fail(ErrorKind::kCorrupt, "{}: metadata tokenizer.ggml.merges is missing: BPE cannot be done without", file.where);
  }
  if (by_merges || spec.model != TokenizerModel::kByteLevelBpe || !spec.merges.empty()) return;
  // With nothing to merge, tokens of several bytes would never be found.
  std::string bytes;
  for (size_t i = 0; i < n; ++i)
    if (spec.types[i] == TokenType::kNormal && ByteAlphabetDecode(spec.tokens[i], bytes) && bytes.size() > 1)
      Fail(ErrorKind::kCorrupt, "{}: metadata tokenizer.ggml.merges is empty, but token {} has {} bytes", file.where, i,
           bytes.size());
}

}  // namespace

namespace {

void ReadSizes(const GgufFields& in, const ArchitectureSpec& spec, ModelConfig& config) {
  const bool layers_differ = spec.gguf_layers_differ;
  const GgufKeys& file = in.file;
  const std::string& p = in.prefix;
  config.n_layers = in.Int("block_count");
  // Layers that draft further tokens are counted with the others.
  config.extra_layers = in.Int("nextn_predict_layers", 0);
  if (config.extra_layers < 0 || config.extra_layers >= std::max<int64_t>(1, config.n_layers))
    Fail(ErrorKind::kCorrupt, "{}: metadata {}nextn_predict_layers: {} of {} layers", file.where, p,
         config.extra_layers, config.n_layers);
  config.n_layers -= config.extra_layers;
  config.hidden = in.Int("embedding_length");
  config.context = in.Int("context_length");
  config.feed_forward = PerLayer(file, p + "feed_forward_length", 0, true, layers_differ);
  config.n_heads = PerLayer(file, p + "attention.head_count", 0, spec.gguf_head_counts);
  config.n_kv_heads = PerLayer(file, p + "attention.head_count_kv", config.n_heads, true, layers_differ);
  if (config.n_layers < 1 || config.n_layers > kMaxModelLayers)
    Fail(ErrorKind::kCorrupt, "{}: layers: expected 1 to {}, found {}", file.where, kMaxModelLayers, config.n_layers);
  if (config.n_heads < 1)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}attention.head_count: found {}", file.where, p, config.n_heads);
  config.head_dim = in.Int("attention.key_length", config.hidden / config.n_heads);
  config.rotary_dim = in.Int("rope.dimension_count", config.head_dim);
  config.rms_epsilon = in.Number("attention.layer_norm_rms_epsilon", in.Number("attention.layer_norm_epsilon", -1.0));
  if (config.rms_epsilon < 0)
    Fail(ErrorKind::kCorrupt, "{}: metadata {}attention.layer_norm{}_epsilon is missing", file.where, p,
         config.norm == Norm::kRms ? "_rms" : "");
  // Written as float32: 1e-5 comes back as 9.9999997e-06, which is what engines compute with.
  // llama.cpp's base for every architecture where the file states none, whatever the maker's class has.
  config.rope_theta = in.Number("rope.freq_base", ModelConfig().rope_theta);
  const GgufValue* tokens = file.Array("tokenizer.ggml.tokens", GgufType::kString);
  config.vocab = in.Int("vocab_size", tokens ? static_cast<int64_t>(tokens->count) : 0);
  if (tokens && config.vocab != static_cast<int64_t>(tokens->count))
    Fail(ErrorKind::kCorrupt, "{}: metadata {}vocab_size says {}, but tokenizer.ggml.tokens has {}", file.where, p,
         config.vocab, tokens->count);
}

/// Keys that llama.cpp reads for every architecture and that change what it runs in a way that is not run here.
void RefuseUnsupported(const GgufFields& in, const ModelConfig& config) {
  if (!in.Bool("attention.causal", true))
    Fail(ErrorKind::kUnsupported, "{}: metadata {}attention.causal: a model whose tokens see what follows them",
         in.file.where, in.prefix);
  if (in.Has("rope.freq_base_swa") && config.rope_local_theta == 0.0 &&
      in.Number("rope.freq_base_swa", 0.0) != config.rope_theta)
    Fail(ErrorKind::kUnsupported, "{}: metadata {}rope.freq_base_swa {}: layers with a window that rotate otherwise",
         in.file.where, in.prefix, in.Number("rope.freq_base_swa", 0.0));
  LayerConfig windowed;
  for (int64_t i = config.n_layers; i-- > 0;)
    if (config.Layer(i).window > 0) windowed = config.Layer(i);
  for (auto [key, expected] : {std::pair{"attention.key_length_swa", config.HeadDim(windowed)},
                               {"attention.value_length_swa", config.HeadDim(windowed)},
                               {"rope.dimension_count_swa", config.RotaryDim(windowed)}})
    if (in.Int(key, expected) != expected)
      Fail(ErrorKind::kUnsupported, "{}: metadata {}{} {}: layers with a window that differ from the others ({})",
           in.file.where, in.prefix, key, in.Int(key), expected);
}

void CheckFactors(const GgufFile& file, std::string_view name, const std::vector<float>& factors, int64_t n) {
  if (static_cast<int64_t>(factors.size()) != n)
    Fail(ErrorKind::kCorrupt, "{}: tensor {}: expected {} factors, found {}", file.where, name, n, factors.size());
  for (float factor : factors)
    if (!(factor > 1e-6f && factor < 1e6f))
      Fail(ErrorKind::kCorrupt, "{}: tensor {}: {} is not a usable factor", file.where, name, factor);
}

void ApplyRopeTables(const GgufFile& file, const RopeTables& tables, const std::string& p, ModelConfig& config) {
  const int64_t half = config.rotary_dim / 2;
  if (!tables.freqs.empty()) {
    const std::optional<RopeScaling> proportional = ProportionalScalingFromFactors(tables.freqs);
    if (proportional && config.rope_scaling.kind == RopeScaling::Kind::kNone &&
        static_cast<int64_t>(tables.freqs.size()) == half)
      config.rope_scaling = *proportional;
    else
      CheckFactors(file, "rope_freqs.weight", tables.freqs, half);
    bool all_one = std::all_of(tables.freqs.begin(), tables.freqs.end(), [](float f) { return f == 1.0f; });
    std::optional<RopeScaling> llama3;
    if (config.rope_scaling.kind == RopeScaling::Kind::kProportional) all_one = true;
    if (config.rope_scaling.kind == RopeScaling::Kind::kNone) llama3 = Llama3ScalingFromFactors(config, tables.freqs);
    if (llama3 && !all_one)
      config.rope_scaling = *llama3;
    else if (!all_one)
      config.rope_factors = tables.freqs;
  }
  if (tables.long_factors.empty() && tables.short_factors.empty() &&
      file.String(p + "rope.scaling.type", "") != "longrope")
    return;
  CheckFactors(file, "rope_factors_long.weight", tables.long_factors, half);
  CheckFactors(file, "rope_factors_short.weight", tables.short_factors, half);
  config.rope_scaling.kind = RopeScaling::Kind::kLong;
  config.rope_scaling.original_context = file.Int(p + "rope.scaling.original_context_length", config.context);
  config.rope_scaling.factor = static_cast<double>(config.context) /
                               static_cast<double>(std::max<int64_t>(1, config.rope_scaling.original_context));
  config.rope_scaling.attention_factor = file.Number(p + "rope.scaling.attn_factor", 1.0);
  config.rope_factors = tables.short_factors;
  config.rope_long_factors = tables.long_factors;
}

}  // namespace

GgufModel ReadGgufModel(const GgufFile& file, const RopeTables& tables, bool tied) {
  GgufModel out;
  ModelConfig& config = out.config;
  const std::string name(file.String("general.architecture"));
  const GgufFields in{file, name + "."};
  const bool experts = in.Int("expert_count", 0) > 0;
  const ArchitectureSpec* spec = FindArchitectureOfGguf(name, experts);
  if (!spec && FindArchitectureOfGguf(name, !experts))
    Fail(ErrorKind::kUnsupported, "{}: a model of architecture {} with {} experts is not supported", file.where, name,
         in.Int("expert_count", 0));
  if (!spec) RefuseArchitecture(file.where, name, false);
  const EngineRow& engine = EngineOf(name);
  config.architecture = spec->name;
  config.name = std::string(file.String("general.name", ""));
  config.rope_interleaved = spec->gguf_interleaved;
  config.delta.tiled = spec->gguf_tiled_heads;
  if (spec->wire) spec->wire(config);
  const std::string& p = in.prefix;
  ReadSizes(in, *spec, config);
  config.sliding_window = 0;  // descriptions of architectures that llama.cpp runs with one read it
  config.tied_output = tied;
  config.rope_scaling = ReadRopeScaling(file, p, config.context);
  if (spec->from_gguf) spec->from_gguf(in, config);
  ApplyEngine(engine, config);
  const int64_t value_length = in.Int("attention.value_length", config.hidden / config.n_heads);
  if (config.latent.kv_rank == 0 && value_length != config.head_dim)
    Fail(ErrorKind::kUnsupported, "{}: keys of length {} and values of length {}", file.where, config.head_dim,
         value_length);
  RefuseUnsupported(in, config);
  CheckConfig(config, file.where);
  ApplyRopeTables(file, tables, p, config);
  config.generation = ReadGenerationConfig(file, config.context);

  ModelConfig made = config;
  ApplyUnread(engine, in, made, out.differences);
  if (spec->as_made) spec->as_made(in, made, out.differences);
  if (!out.differences.empty()) {
    CheckConfig(made, file.where);
    out.as_made = std::move(made);
  }
  for (const std::string& why : WhyLlamaCppRefuses(config, tables))
    out.differences.push_back(fmt::format("llama.cpp does not run this file as it is: its {} {}", name, why));
  return out;
}

std::vector<std::string> WhyLlamaCppRefuses(const ModelConfig& config, const RopeTables& tables) {
  std::vector<std::string_view> names;
  if (!tables.freqs.empty()) names.push_back("rope_freqs.weight");
  if (!tables.long_factors.empty()) names.push_back("rope_factors_long.weight");
  if (!tables.short_factors.empty()) names.push_back("rope_factors_short.weight");
  return WhyNotLoaded(EngineOf(GgufName(*FindArchitecture(config.architecture))), config, names);
}

TokenizerSpec GgufTokenizer(const GgufFile& file) {
  const std::string_view model = file.String("tokenizer.ggml.model");
  TokenizerSpec spec = GgufTokenizerDefaults(model, file.String("tokenizer.ggml.pre", ""), file.where);
  ReadVocabulary(file, spec);
  ReadIds(file, spec);
  spec.add_bos = file.Bool("tokenizer.ggml.add_bos_token", spec.add_bos);
  spec.add_eos = file.Bool("tokenizer.ggml.add_eos_token", spec.add_eos);
  // llama.cpp always puts it before Gemma 4's, whatever the file says.
  if (spec.pre == "gemma4" || spec.pre == "granite-embed-multi-311m") spec.add_bos = spec.bos >= 0;
  spec.add_space_prefix = file.Bool("tokenizer.ggml.add_space_prefix", spec.add_space_prefix);
  spec.remove_extra_whitespaces = file.Bool("tokenizer.ggml.remove_extra_whitespaces", false);
  if (const GgufValue* map = file.Find("tokenizer.ggml.precompiled_charsmap")) {
    if (map->type != GgufType::kArray || GgufTypeBytes(map->element) != 1)
      Fail(ErrorKind::kCorrupt, "{}: metadata tokenizer.ggml.precompiled_charsmap: expected an array of bytes",
           file.where);
    spec.precompiled_charsmap.assign(reinterpret_cast<const char*>(map->items.data()), map->items.size());
  }
  GgufExtras extras{file.String("general.name", ""), file.String("general.architecture", "")};
  extras.fim_pad = TokenOf(file, "fim_pad", spec);
  extras.fim_rep = TokenOf(file, "fim_rep", spec);
  extras.fim_sep = TokenOf(file, "fim_sep", spec);
  CompleteGgufSpec(spec, file.where, extras);
  return spec;
}

std::string GgufChatTemplate(const GgufFile& file) {
  return std::string(file.String("tokenizer.chat_template", ""));
}

std::map<std::string, std::string> GgufExtraChatTemplates(const GgufFile& file) {
  std::map<std::string, std::string> out;
  const std::string_view prefix = "tokenizer.chat_template.";
  for (const GgufEntry& entry : file.metadata)
    if (entry.key.starts_with(prefix) && entry.value.type == GgufType::kString)
      out[std::string(entry.key.substr(prefix.size()))] = std::string(entry.value.text);
  return out;
}

}  // namespace assay
