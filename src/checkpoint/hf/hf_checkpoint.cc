#include "checkpoint/hf/hf_checkpoint.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/python_json.h"
#include "base/strings.h"
#include "checkpoint/hf/hf_chat_templates.h"
#include "checkpoint/hf/hf_tensors.h"
#include "checkpoint/hf/hf_text_tensors.h"
#include "checkpoint/hf/packing/zero_biases.h"
#include "checkpoint/layout.h"
#include "describe/arch/config_class.h"
#include "describe/arch/spec.h"
#include "describe/hf_config.h"
#include "dialect/published_prompts.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 64u << 20;
constexpr uint64_t kMaxTokenizerBytes = 256u << 20;

std::string ReadIfThere(const fs::path& path, uint64_t limit) {
  std::error_code ignored;
  return fs::exists(path, ignored) ? ReadFile(path, limit) : std::string();
}

Json ReadJsonIfThere(const fs::path& path) {
  std::string text = ReadIfThere(path, kMaxConfigBytes);
  if (text.empty()) return nullptr;
  Json json = ParsePythonJson(text, path.string());
  if (!json.is_object()) Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", path.string(), json.type_name());
  return json;
}

/// Python pickles: reading one executes what it says.
bool IsPickle(std::string_view name) {
  if (name == "training_args.bin") return false;
  for (std::string_view end : {".bin", ".bin.index.json", ".pt", ".pth"})
    if (name.ends_with(end)) return true;
  return false;
}

/// Which safetensors files make the model.
std::vector<fs::path> WeightFiles(const fs::path& folder) {
  fs::path index_path = folder / "model.safetensors.index.json";
  std::error_code ignored;
  if (fs::exists(folder / "model.safetensors", ignored)) return {folder / "model.safetensors"};
  if (fs::exists(index_path, ignored)) {
    Json index = ReadJsonIfThere(index_path);
    auto map = index.is_object() ? index.find("weight_map") : index.end();
    if (!index.is_object() || map == index.end() || !map->is_object() || map->empty())
      Fail(ErrorKind::kCorrupt, "{}: \"weight_map\" should be an object that is not empty", index_path.string());
    std::set<std::string> names;
    for (const auto& [tensor, file] : map->items()) {
      if (!file.is_string())
        Fail(ErrorKind::kCorrupt, "{}: weight_map: {}: expected a file name", index_path.string(), tensor);
      std::string name = file.get<std::string>();
      if (name.empty() || name.find('/') != std::string::npos || name.find('\\') != std::string::npos ||
          !name.ends_with(".safetensors"))
        Fail(ErrorKind::kCorrupt, "{}: weight_map: {}: \"{}\" is not the name of a safetensors file in this folder",
             index_path.string(), tensor, name);
      names.insert(name);
    }
    std::vector<fs::path> out;
    for (const std::string& name : names) out.push_back(folder / name);
    return out;
  }
  std::vector<fs::path> found;
  bool pickled = false;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors") && !name.starts_with("consolidated")) found.push_back(entry.path());
    pickled |= IsPickle(name);
  }
  if (found.size() == 1) return found;
  if (found.empty() && pickled)
    Fail(ErrorKind::kUnsupported,
         "{}: the weights are pickled PyTorch files (.bin, .pt), which run code when they are read; save them as "
         "safetensors",
         folder.string());
  Fail(ErrorKind::kNotFound,
       "{}: expected model.safetensors or model.safetensors.index.json, found {} safetensors files", folder.string(),
       found.size());
}

/// Every tensor that the index names has to be in the file that it names.
void CheckIndex(const fs::path& folder, const std::vector<SafetensorsFile>& files) {
  fs::path path = folder / "model.safetensors.index.json";
  if (files.size() < 2) return;
  std::set<std::pair<std::string, std::string>> present;
  for (const SafetensorsFile& file : files)
    for (const SafetensorsTensor& tensor : file.tensors)
      present.emplace(tensor.name, fs::path(file.where).filename().string());
  Json index = ReadJsonIfThere(path);
  for (const auto& [tensor, file] : index["weight_map"].items())
    if (!present.contains({tensor, file.get<std::string>()}))
      Fail(ErrorKind::kCorrupt, "{}: weight_map says that {} is in {}, but it is not", path.string(), tensor,
           file.get<std::string>());
}

constexpr const char* kTokenizerFiles[] = {"tokenizer.json", "tiktoken.model", "qwen.tiktoken", "tokenizer.model",
                                           "tekken.json"};
/// What counts beside them.
constexpr const char *kTokenizerConfig = "tokenizer_config.json", *kAddedTokens = "added_tokens.json",
                     *kSpecialTokens = "special_tokens_map.json";

class HfCheckpoint : public Checkpoint {
 public:
  explicit HfCheckpoint(const fs::path& folder) {
    container_ = Container::kHuggingFace;
    path_ = folder;
    const std::string config_where = (folder / "config.json").string();
    metadata_ = ReadJsonIfThere(folder / "config.json");
    if (!metadata_.is_object()) Fail(ErrorKind::kCorrupt, "{}: empty", config_where);
    const Json whole = metadata_;
    const HfWrapper* wrapper = FindWrapper(whole);
    if (wrapper) metadata_ = TextConfig(*wrapper, whole, config_where);
    config_ = HfModelConfig(metadata_, ReadJsonIfThere(folder / "generation_config.json"), config_where);
    if (config_.name.empty()) config_.name = folder.filename().string();
    std::map<std::string, Json> sidecars;
    for (const char* name : kHfQuantizationSidecars)
      if (Json json = ReadJsonIfThere(folder / name); json.is_object())
        sidecars[name] = wrapper ? TextModuleNames(json) : std::move(json);
    std::vector<std::string> unknown_keys;
    std::unique_ptr<const HfQuantization> quantization =
        ParseHfQuantization(metadata_, sidecars, config_where, &unknown_keys);

    std::vector<SafetensorsFile>& files = files_;
    for (const fs::path& path : WeightFiles(folder)) {
      keep_.push_back(MappedFile::Open(path));
      files.push_back(SafetensorsFile::Parse(keep_.back().bytes(), path.string()));
      file_bytes_ += files.back().file_bytes;
    }
    CheckIndex(folder, files);
    TextTensors text;
    if (wrapper) text = LeaveImages(*wrapper, whole, files);
    NameUnknownKeys();
    if (!unknown_keys.empty())
      SayUnread("quantization_config states what nothing here reads: " + Join(unknown_keys, ", "));
    if (!quantization) quantization = RecognizeHfQuantization(files, config_where);
    UntieQuantizedHead(files);
    for (const SafetensorsFile& file : files)
      for (const SafetensorsTensor& tensor : file.tensors)
        config_.fused_experts = config_.fused_experts || tensor.name.ends_with(".experts.gate_up_proj");
    LeaveBiases(files);
    assembled_ = AssembleHfTensors(config_, hf_slots(), quantization.get(), files, folder.string());
    tensors_ = std::move(assembled_.tensors);
    LeaveDrafts(assembled_.drafts, assembled_.draft_bytes);
    SplitStored(layout(), container_, tensors_, folder.string());
    SortTensors();
    CheckTensors(layout(), config_, tensors_, folder.string());
    CheckTables(config_, tensors_, folder.string());
    for (Tensor& tensor : tensors_)
      if (auto it = text.stored_names.find(tensor.source_name); it != text.stored_names.end())
        tensor.source_name = it->second;
    CheckBiases(config_where);

    tokenizer_ = ReadHuggingFaceTokenizer(folder);
    SayTokenizerRemarks();
    CheckVocabulary();
    if (tokenizer_.eos >= 0 &&
        std::find(config_.stop_tokens.begin(), config_.stop_tokens.end(), tokenizer_.eos) == config_.stop_tokens.end())
      config_.stop_tokens.push_back(tokenizer_.eos);
    HfChatTemplates templates = ReadHfChatTemplates(folder, wrapper != nullptr);
    chat_template_ = std::move(templates.main);
    extra_chat_templates_ = std::move(templates.named);
    for (const std::string& remark : templates.remarks) SayUnread(remark);
    if (chat_template_.empty() && extra_chat_templates_.empty())
      chat_template_ = PublishedChatTemplate(config_.architecture);
    scheme_ = quantization ? quantization->description() : std::string(main_format());
    side_scales_ = std::move(assembled_.side_scales);
    fp8_cache_ = quantization && quantization->fp8_cache();
  }

 private:
  /// One tokenizer may serve a family of which some models lack the rows of special tokens (Gemma 3: of images); the
  /// engine refuses prompts with those. A plain token without a row means that the files do not belong together.
  void CheckVocabulary() const {
    const auto n = static_cast<int64_t>(tokenizer_.tokens.size());
    int64_t rowless = std::count_if(tokenizer_.added.begin(), tokenizer_.added.end(),
                                    [&](const AddedToken& token) { return token.id >= config_.vocab; });
    if (n - rowless > config_.vocab)
      Fail(ErrorKind::kCorrupt, "{}: the tokenizer has {} tokens, but config.json says vocab_size {}", path_.string(),
           n, config_.vocab);
  }

  TextTensors LeaveImages(const HfWrapper& wrapper, const Json& whole, std::vector<SafetensorsFile>& files) {
    TextTensors text = KeepTextTensors(wrapper, files);
    config_.tied_output = TiedInWrapper(whole, text.has_head);
    metadata_["tie_word_embeddings"] = config_.tied_output;
    if (text.unread > 0)
      SayUnread(fmt::format("the language model of a {}; {} tensors of images and sound ({}) are not read",
                            wrapper.hf_class, text.unread, FormatBytes(text.unread_bytes)));
    return text;
  }

  /// What the class in transformers does not know acts on nothing there, nor here.
  void NameUnknownKeys() {
    const ConfigClass* type = FindConfigClass(JsonString(metadata_, "model_type", path_.string(), ""));
    if (!type) return;
    const std::vector<std::string> keys = UnknownKeys(metadata_, *type);
    if (keys.empty()) return;
    SayUnread(fmt::format("config.json states what the class of {} does not know, and nothing here reads: {}",
                          type->model_type, Join(keys, ", ")));
  }

  /// ExLlamaV3 codes the head of a model whose config.json says tied, and keeps the embedding as it is.
  void UntieQuantizedHead(const std::vector<SafetensorsFile>& files) {
    if (!config_.tied_output) return;
    const std::string head = fmt::format("{}.trellis", FindArchitecture(config_.architecture)->roots.output);
    for (const SafetensorsFile& file : files)
      for (const SafetensorsTensor& tensor : file.tensors)
        if (tensor.name == head) metadata_["tie_word_embeddings"] = config_.tied_output = false;
  }

  void SayTokenizerRemarks() {
    constexpr size_t kShown = 3;
    const std::vector<std::string>& all = tokenizer_.remarks;
    for (size_t i = 0; i < std::min(all.size(), kShown); ++i) SayUnread(all[i]);
    if (all.size() > kShown) SayUnread(fmt::format("and {} more tokens so", all.size() - kShown));
  }

  /// The key that says whether the class creates an optional bias.
  static const char* BiasKey(const TensorSlot& slot) {
    return slot.name.find(".attn_") != std::string::npos ? "attention_bias" : "mlp_bias";
  }

  void LeaveBiases(std::vector<SafetensorsFile>& files) {
    if (const size_t n = LeaveZeroBiases(hf_slots(), files); n > 0)
      SayUnread(fmt::format("all-zero biases that {} does not have, left out: {}", config_.architecture, n));
  }

  /// Biases that the class would not create are weights that its library would ignore.
  void CheckBiases(const std::string& where) const {
    for (const TensorSlot& slot : layout().slots()) {
      if (slot.required || !slot.name.ends_with(".bias")) continue;
      if (const Tensor* found = Find(slot.name))
        Fail(ErrorKind::kCorrupt, "{}: \"{}\" is false, but there is a tensor {}", where, BiasKey(slot),
             found->source_name);
    }
  }

  std::vector<MappedFile> keep_;
  std::vector<SafetensorsFile> files_;
  HfTensors assembled_;  // from files_
};

}  // namespace

bool IsTokenizerFile(std::string_view name) {
  if (name == kTokenizerConfig || name == kAddedTokens || name == kSpecialTokens) return true;
  return std::find(std::begin(kTokenizerFiles), std::end(kTokenizerFiles), name) != std::end(kTokenizerFiles);
}

bool HasTokenizerFiles(const fs::path& folder) {
  return std::any_of(std::begin(kTokenizerFiles), std::end(kTokenizerFiles), [&](const char* name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  });
}

TokenizerSpec ReadHuggingFaceTokenizer(const fs::path& folder) {
  const std::string config = ReadIfThere(folder / kTokenizerConfig, kMaxConfigBytes),
                    added = ReadIfThere(folder / kAddedTokens, kMaxConfigBytes),
                    special_map = ReadIfThere(folder / kSpecialTokens, kMaxConfigBytes);
  const TokenizerSettings settings{config, added, special_map};
  for (const std::string name : kTokenizerFiles) {
    const std::string text = ReadIfThere(folder / name, kMaxTokenizerBytes), where = (folder / name).string();
    if (text.empty()) continue;
    if (name == "tokenizer.json") return TokenizerSpecFromJson(text, settings, where);
    if (name == "tekken.json") return TokenizerSpecFromTekken(text, where);
    // Llama 3's own release and GLM-4 ship ranks as tokenizer.model: text, where a SentencePiece model begins with a
    // tag.
    if (name == "tokenizer.model" && text[0] == '\n')
      return TokenizerSpecFromSentencePiece(std::as_bytes(std::span(text)), settings, where);
    return TokenizerSpecFromTiktoken(text, settings, where);
  }
  Fail(ErrorKind::kNotFound, "{}: neither tokenizer.json nor tokenizer.model, tiktoken.model or tekken.json",
       folder.string());
}

std::shared_ptr<const Checkpoint> OpenHuggingFace(const fs::path& folder) {
  return std::make_shared<HfCheckpoint>(folder);
}

}  // namespace assay
