#include "describe/arch/config_class.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"

namespace assay {
namespace {

struct Row {
  std::string_view model_type, defaults, idle, also, aliases;
};

constexpr Row kRows[] = {
#include "describe/arch/config_classes.inc"
};

/// A file of its own that leaves one of these out is damaged rather than the class's largest model.
constexpr std::string_view kSizes[] = {"vocab_size", "hidden_size", "intermediate_size",   "num_hidden_layers",
                                       "n_embd",     "n_layer",     "num_attention_heads", "n_head"};

/// Keys of every class: what the model is, and the rotation in old and new words.
constexpr std::string_view kEverywhere[] = {"architectures",
                                            "model_type",
                                            "_name_or_path",
                                            "num_nextn_predict_layers",
                                            "rope_theta",
                                            "rope_scaling",
                                            "rope_parameters",
                                            "partial_rotary_factor",
                                            "original_max_position_embeddings",
                                            "per_layer_config"};

/// Keys that say nothing about the arithmetic: of the hub, of training, of the library, of other rooms here.
constexpr std::string_view kDescriptive[] = {"transformers_version",
                                             "torch_dtype",
                                             "dtype",
                                             "auto_map",
                                             "quantization_config",
                                             "compression_config",
                                             "use_cache",
                                             "attn_implementation",
                                             "_attn_implementation",
                                             "_attn_implementation_autoset",
                                             "task_specific_params",
                                             "finetuning_task",
                                             "tokenizer_class",
                                             "eos_token_id",
                                             "bos_token_id",
                                             "pad_token_id",
                                             "unk_token_id",
                                             "sep_token_id",
                                             "num_labels",
                                             "tie_word_embeddings",
                                             "gradient_checkpointing",
                                             "unsloth_version",
                                             "unsloth_fixed",
                                             "language",
                                             "license",
                                             "tags"};

/// What classes that have no such key work out and save.
constexpr std::string_view kWorkedOut[] = {"head_dim", "qk_head_dim"};

/// Keys that change the arithmetic of any model, and the values under which they do not.
struct ForeignKey {
  const char* key;
  std::array<std::string_view, 2> neutral;  // as JSON, beside null
};
constexpr ForeignKey kForeign[] = {
    {"per_layer_config", {"{}", "[]"}},
    {"use_bidirectional_attention", {"false", "\"vision\""}},  // of images alone

    {"add_cross_attention", {"false", ""}},
    {"is_encoder_decoder", {"false", ""}},
    {"pruned_heads", {"{}", "[]"}},
};

std::vector<ConfigClass> ReadRows() {
  std::vector<ConfigClass> out;
  for (const Row& row : kRows) {
    ConfigClass& type = out.emplace_back();
    type.model_type = row.model_type;
    type.defaults = ParseJson(row.defaults, row.model_type);
    type.idle = Split(std::string(row.idle), ' ');
    type.also = Split(std::string(row.also), ' ');
    for (const std::string& pair : Split(std::string(row.aliases), ' '))
      if (const size_t at = pair.find_first_of("=:"); at != std::string::npos)
        type.aliases.push_back({pair.substr(0, at), pair.substr(at + 1), pair[at] == '='});
  }
  return out;
}

template <typename List>
bool Contains(const List& list, std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

bool Knows(const ConfigClass& type, std::string_view key) {
  return type.defaults.contains(key) || Contains(type.also, key) || Contains(kEverywhere, key);
}

}  // namespace

const ConfigClass* FindConfigClass(std::string_view model_type) {
  static const std::vector<ConfigClass> kClasses = ReadRows();
  if (model_type == "kimi_k2") model_type = "deepseek_v3";  // has no class of its own
  for (const ConfigClass& type : kClasses)
    if (type.model_type == model_type) return &type;
  return nullptr;
}

Json CompleteConfig(const Json& config, const ConfigClass& type, bool sizes) {
  Json out = config;
  for (const ConfigClass::Alias& alias : type.aliases) {
    auto it = out.find(alias.other);
    if (it == out.end()) continue;
    if (alias.wins || !out.contains(alias.own)) out[alias.own] = Json(*it);
    out.erase(alias.other);
  }
  for (auto it = out.begin(); it != out.end();)
    it = Knows(type, it.key()) || Contains(kDescriptive, it.key()) ? std::next(it) : out.erase(it);
  for (const auto& [key, value] : type.defaults.items()) {
    if (value.is_null() || out.contains(key) || key.ends_with("_token_id")) continue;
    if (!sizes && Contains(kSizes, key)) continue;
    out[key] = value;
  }
  return out;
}

void RefuseForeignKeys(const Json& config, const ConfigClass& type, bool layer_overrides, std::string_view where) {
  for (const ForeignKey& foreign : kForeign) {
    auto it = config.find(foreign.key);
    if (it == config.end() || it->is_null() || Contains(type.idle, foreign.key)) continue;
    if (layer_overrides && foreign.key == std::string_view("per_layer_config")) continue;
    const std::string found = DumpJson(*it);
    if (!Contains(foreign.neutral, found))
      Fail(ErrorKind::kUnsupported, "{}: {} {} is not supported; supported: {}", where, foreign.key,
           found.substr(0, 60), foreign.neutral[0]);
  }
}

std::vector<std::string> UnknownKeys(const Json& config, const ConfigClass& type) {
  std::vector<std::string> out;
  for (const auto& [key, value] : config.items()) {
    bool known = Knows(type, key) || Contains(kDescriptive, key) || Contains(kWorkedOut, key) || value.is_null();
    for (const ConfigClass::Alias& alias : type.aliases) known = known || alias.other == key;
    for (const ForeignKey& foreign : kForeign) known = known || foreign.key == key;
    if (!known) out.push_back(key);
  }
  return out;
}

}  // namespace assay
