#include "describe/hf_wrapper.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "describe/arch/config_class.h"
#include "describe/arch/spec.h"

namespace assay {
namespace {

const std::vector<HfWrapper>& Wrappers() {
  static const std::vector<HfWrapper> kTable = {
      {"Gemma3ForConditionalGeneration", "gemma3", "gemma3_text", {"vision_tower.", "multi_modal_projector."}},
      {"Gemma3nForConditionalGeneration",
       "gemma3n",
       "gemma3n_text",
       {"vision_tower.", "embed_vision.", "audio_tower.", "embed_audio."}},
      {"Gemma4ForConditionalGeneration",
       "gemma4",
       "gemma4_text",
       {"vision_tower.", "embed_vision.", "audio_tower.", "embed_audio."}},
      {"Gemma4UnifiedForConditionalGeneration",
       "gemma4_unified",
       "gemma4_unified_text",
       {"vision_embedder.", "embed_vision.", "audio_embedder.", "embed_audio."}},
      {"Llama4ForConditionalGeneration", "llama4", "llama4_text", {"vision_model.", "multi_modal_projector."}},
      {"Qwen3_5ForConditionalGeneration", "qwen3_5", "qwen3_5_text", {"visual."}},
      {"Qwen3_5MoeForConditionalGeneration", "qwen3_5_moe", "qwen3_5_moe_text", {"visual."}},
      {"KimiK25ForConditionalGeneration", "kimi_k25", "kimi_k2", {"vision_tower.", "mm_projector."}},
      {"Kimi_K25ForConditionalGeneration", "kimi_k25", "kimi_k2", {"vision_tower.", "mm_projector."}},
      {"Mistral3ForConditionalGeneration", "mistral3", "mistral", {"vision_tower.", "multi_modal_projector."}},
      {"Qwen2VLForConditionalGeneration", "qwen2_vl", "qwen2_vl_text", {"visual."}},
      {"Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl", "qwen2_5_vl_text", {"visual."}},
      {"Qwen3VLForConditionalGeneration", "qwen3_vl", "qwen3_vl_text", {"visual."}},
      {"Qwen3VLMoeForConditionalGeneration", "qwen3_vl_moe", "qwen3_vl_moe_text", {"visual."}},
      {"LlavaForConditionalGeneration", "llava", "llama", {"vision_tower.", "multi_modal_projector."}},
      {"LlavaNextForConditionalGeneration",
       "llava_next",
       "llama",
       {"vision_tower.", "multi_modal_projector.", "image_newline"}},
      {"AyaVisionForConditionalGeneration", "aya_vision", "cohere2", {"vision_tower.", "multi_modal_projector."}},
      {"Cohere2VisionForConditionalGeneration",
       "cohere2_vision",
       "cohere2",
       {"vision_tower.", "multi_modal_projector."}},
      {"InternVLForConditionalGeneration", "internvl", "qwen2", {"vision_tower.", "multi_modal_projector."}},
      {"Idefics3ForConditionalGeneration", "idefics3", "llama", {"vision_model.", "connector."}},
      {"SmolVLMForConditionalGeneration", "smolvlm", "llama", {"vision_model.", "connector."}},
  };
  return kTable;
}

/// The language model of ours that computes what a nested configuration describes.
struct TextClass {
  std::string_view type;       // model_type of text_config
  const char *hf_class, *own;  // the language model's class and its model_type
  const char* fixed = "{}";    // what the nested class has no key for, and the language model's does
};

constexpr TextClass kTexts[] = {
    {"gemma3_text", "Gemma3ForCausalLM", "gemma3_text"},
    {"gemma3n_text", "Gemma3nForCausalLM", "gemma3n_text"},
    {"gemma4_text", "Gemma4ForCausalLM", "gemma4_text"},
    {"gemma4_unified_text", "Gemma4ForCausalLM", "gemma4_text", R"({"hidden_size_per_layer_input": 0})"},
    {"llama4_text", "Llama4ForCausalLM", "llama4_text"},
    {"qwen3_5_text", "Qwen3_5ForCausalLM", "qwen3_5_text"},
    {"qwen3_5_moe_text", "Qwen3_5MoeForCausalLM", "qwen3_5_moe_text"},
    {"mistral", "MistralForCausalLM", "mistral"},
    {"ministral3", "Ministral3ForCausalLM", "ministral3"},
    {"llama", "LlamaForCausalLM", "llama"},
    {"qwen2", "Qwen2ForCausalLM", "qwen2"},
    {"qwen2_vl_text", "Qwen2ForCausalLM", "qwen2"},
    {"qwen2_5_vl_text", "Qwen2ForCausalLM", "qwen2"},
    {"qwen3", "Qwen3ForCausalLM", "qwen3"},
    {"qwen3_vl_text", "Qwen3ForCausalLM", "qwen3"},
    {"qwen3_vl_moe_text", "Qwen3MoeForCausalLM", "qwen3_moe", R"({"norm_topk_prob": true})"},
    {"cohere2", "Cohere2ForCausalLM", "cohere2"},
    {"kimi_k2", "DeepseekV3ForCausalLM", "kimi_k2"},
    {"deepseek_v3", "DeepseekV3ForCausalLM", "deepseek_v3"},
};

const TextClass* FindText(std::string_view type) {
  for (const TextClass& row : kTexts)
    if (row.type == type) return &row;
  return nullptr;
}

/// Several positions per token (Qwen2-VL: time, height, width) are the same one in text.
void DropImagePositions(Json& config) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    auto rope = config.find(key);
    if (rope == config.end() || !rope->is_object()) continue;
    rope->erase("mrope_section");
    rope->erase("mrope_interleaved");
    for (const char* type : {"type", "rope_type"})
      if (auto it = rope->find(type); it != rope->end() && *it == "mrope") *it = "default";
  }
}

constexpr std::pair<std::string_view, std::string_view> kPrefixes[] = {
    {"language_model.model.", "model."},
    {"language_model.lm_head.", "lm_head."},
    {"model.language_model.lm_head.", "lm_head."},
    {"model.language_model.", "model."},
    {"model.text_model.", "model."},
};

std::string TextModuleName(std::string name) {
  if (name.find("language_model") == std::string::npos) return name;
  for (const auto& [from, to] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"language_model.model", "model"},
           {"language_model\\.model", "model"},
           {"model.language_model", "model"},
           {"model\\.language_model", "model"},
           {"language_model.lm_head", "lm_head"},
           {"language_model\\.lm_head", "lm_head"},
           {"language_model", "model"},
       })
    ReplaceAll(name, from, to);
  return name;
}

}  // namespace

const HfWrapper* FindWrapper(const Json& config) {
  std::string name, type;
  if (auto it = config.find("architectures");
      it != config.end() && it->is_array() && !it->empty() && (*it)[0].is_string())
    name = (*it)[0].get<std::string>();
  if (auto it = config.find("model_type"); it != config.end() && it->is_string()) type = it->get<std::string>();
  for (const HfWrapper& row : Wrappers())
    if (name.empty() ? row.model_type == type : row.hf_class == name) return &row;
  return nullptr;
}

std::vector<std::string> WrapperClasses() {
  std::vector<std::string> out;
  for (const HfWrapper& row : Wrappers()) out.emplace_back(row.hf_class);
  return out;
}

Json TextConfig(const HfWrapper& wrapper, const Json& config, std::string_view where) {
  auto nested = config.find("text_config");
  const bool own = nested != config.end() && nested->is_object();
  Json out = own ? *nested : config;
  std::string type = own ? JsonString(out, "model_type", where, wrapper.text_type) : std::string(wrapper.text_type);
  const TextClass* text = FindText(type);
  if (!text) RefuseArchitecture(fmt::format("{}: text_config", where), type, true);
  for (const char* key : {"eos_token_id", "bos_token_id", "pad_token_id", "dtype", "torch_dtype", "quantization_config",
                          "compression_config", "tie_word_embeddings"})
    if (config.contains(key) && (!out.contains(key) || out[key].is_null())) out[key] = config[key];
  for (const char* key : {"quantization_config", "compression_config"})
    if (out.contains(key)) out[key] = TextModuleNames(out[key]);
  for (const char* key : {"vision_config", "auto_map"}) out.erase(key);
  const ConfigClass* config_class = FindConfigClass(type);
  ASSAY_CHECK(config_class != nullptr);
  out = CompleteConfig(out, *config_class, true);
  const Json fixed = ParseJson(text->fixed, type);
  for (const auto& [key, value] : fixed.items()) out[key] = value;
  if (text->own != text->type) DropImagePositions(out);
  out["architectures"] = {text->hf_class};
  out["model_type"] = text->own;
  return out;
}

bool TiedInWrapper(const Json& config, bool has_head) {
  bool yes = false, no = false;
  for (const Json* level : {&config, config.contains("text_config") ? &config["text_config"] : nullptr}) {
    if (!level || !level->is_object()) continue;
    auto it = level->find("tie_word_embeddings");
    if (it == level->end() || !it->is_boolean()) continue;
    (it->get<bool>() ? yes : no) = true;
  }
  return has_head ? yes && !no : yes || !no;
}

Json TextModuleNames(const Json& quantization) {
  if (quantization.is_string()) return TextModuleName(quantization.get<std::string>());
  if (quantization.is_array()) {
    Json out = Json::array();
    for (const Json& item : quantization) out.push_back(TextModuleNames(item));
    return out;
  }
  if (!quantization.is_object()) return quantization;
  Json out = Json::object();
  for (const auto& [key, value] : quantization.items()) out[TextModuleName(key)] = TextModuleNames(value);
  return out;
}

std::optional<std::string> TextTensorName(const HfWrapper& wrapper, const std::string& stored) {
  std::string_view name = stored;
  if (name.starts_with("model.")) name.remove_prefix(6);
  for (std::string_view begin : wrapper.unread)
    if (name.starts_with(begin)) return std::nullopt;
  for (const auto& [begin, ours] : kPrefixes)
    if (stored.starts_with(begin)) return std::string(ours) + stored.substr(begin.size());
  return stored;
}

}  // namespace assay
