#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "base/json.h"
#include "base/python_json.h"
#include "checkpoint/hf/hf_chat_templates.h"
#include "checkpoint/hf/hf_stored.h"
#include "checkpoint/hf/packing/cache_scales.h"
#include "checkpoint/hf/packing/source.h"
#include "checkpoint/hf/packing/writing.h"
#include "checkpoint/hf/scheme/quantization.h"
#include "checkpoint/layout.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/writer_base.h"
#include "describe/arch/spec.h"
#include "describe/generation_files.h"
#include "describe/hf_config.h"
#include "describe/model_facts.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string_view TorchDtype(const Format& format) {
  return &format == &F16Format() ? "float16" : &format == &F32Format() ? "float32" : "bfloat16";
}

constexpr const char* kTexts[] = {"tokenizer.json",
                                  "tokenizer.model",
                                  "tiktoken.model",
                                  "qwen.tiktoken",
                                  "tekken.json",
                                  "vocab.json",
                                  "merges.txt",
                                  "tokenizer_config.json",
                                  "added_tokens.json",
                                  "special_tokens_map.json",
                                  "generation_config.json"};
constexpr const char* kTemplate = "chat_template.jinja";
const std::string kTemplates = "additional_chat_templates/";

/// Where a file of the model's folder really lies. What leads out of the folder is not part of the model and is not
/// copied (it may be anything of this user's), but for the hub cache, whose snapshots are links to its blobs.
fs::path InsideModel(const fs::path& folder, const std::string& name) {
  const fs::path root = fs::canonical(folder), file = fs::canonical(folder / name);
  fs::path allowed = root;
  if (root.parent_path().filename() == "snapshots" && fs::is_directory(root.parent_path().parent_path() / "blobs"))
    allowed = fs::canonical(root.parent_path().parent_path() / "blobs");
  for (const fs::path& above : {root, allowed})
    if (std::mismatch(above.begin(), above.end(), file.begin(), file.end()).first == above.end()) return file;
  Fail(ErrorKind::kInvalid, "{}: leads out of the model's folder, to {}; put the file itself there, or remove the link",
       (folder / name).string(), file.string());
}

struct Shard {
  std::string name;
  std::vector<SafetensorsPart> parts;
  uint64_t bytes = 0;
  std::unique_ptr<AtomicFile> file;
};

/// A tensor of the files, which may hold several of ours: fused projections, all experts of a layer.
struct Stored {
  std::string name;     // "model.layers.0.mlp.up_proj.weight"
  bool linear = false;  // what quantization schemes target
  bool scalar = false;  // one element without a dimension
  bool begun = false;
  HfModule module;  // name without ".weight"; shape as the file has it
  bool quantized() const { return DtypeOfFormat(*module.format).empty(); }
};

class HfWriter : public CheckpointWriter {
 public:
  HfWriter(const fs::path& out, const Checkpoint& source, const std::vector<OutputTensor>& tensors,
           uint64_t shard_bytes, std::string_view container, const OutputRules& rules)
      : out_(out), tensors_(tensors), cursor_(tensors_), layout_(source.layout()) {
    dtype_ = TorchDtype(*EmbeddingFormat());
    PlanStored(source.hf_slots());
    ChooseContainer(container, source.fp8_cache() && !CacheScalesOf(source.side_scales()).empty());
    CheckModules();
    PlanCacheScales(source);
    PlanShards(shard_bytes);
    folder_.emplace(out, rules, "config.json", IsRead);
    WriteTexts(source);
    Begin();
    folder_->CheckKept();
  }

  void WriteRows(size_t tensor, int64_t row_begin, int64_t n_rows, std::span<const std::byte> codes,
                 std::span<const std::byte> scales) override {
    cursor_.Accept(tensor, row_begin, n_rows, codes.size(), scales.size());
    const OutputTensor& out = tensors_[tensor];
    const TensorSlot& slot = *layout_.Find(out.name);
    Stored& stored = stored_[stored_of_[tensor]];
    if (!stored.quantized()) {
      plain_.Rows(slot, *out.format, stored.module.shape, row_begin, n_rows, codes, sink_);
      return;
    }
    if (!stored.begun) container_->Begin(stored.module, sink_);
    stored.begun = true;
    slot.in_hf.ForRuns(row_begin, n_rows, out.rows, [&](int64_t row, int64_t at, int64_t run) {
      const int64_t done = row - row_begin;
      auto part = [&](std::span<const std::byte> plane, auto offset) {
        if (plane.empty()) return plane;
        const uint64_t from = static_cast<uint64_t>(offset(*out.format, done, out.cols));
        const uint64_t to =
            done + run == n_rows ? plane.size() : static_cast<uint64_t>(offset(*out.format, done + run, out.cols));
        return plane.subspan(from, to - from);
      };
      container_->Rows(stored.module, at, run, part(codes, CodesOffset), part(scales, ScalesOffset), sink_);
    });
  }

  void SetGlobal(size_t tensor, float global_scale, float global_divisor) override {
    Stored& stored = stored_[stored_of_[tensor]];
    HfModule& module = stored.module;
    if (stored.begun && (module.global_scale != global_scale || module.global_divisor != global_divisor))
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: its parts have scales of their own, but the file keeps one",
           out_.string(), stored.name);
    module.global_scale = global_scale;
    module.global_divisor = global_divisor;
  }

  // A module of which a part is there is begun again, which writes the same.
  void ContinueAt(size_t tensor, int64_t row) override { cursor_.ContinueAt(tensor, row); }

  bool HoldsRows() const override { return plain_.HoldsRows() || (container_ && container_->HoldsRows()); }

  void Flush() override {
    for (const Shard& shard : shards_) shard.file->Flush();
    folder_->Flush();
  }

  void Leave(bool leaves) override {
    for (const Shard& shard : shards_) shard.file->Leave(leaves);
    folder_->Leave(leaves);
  }

  std::vector<UnfinishedFile> unfinished() const override {
    std::vector<UnfinishedFile> files;
    for (const Shard& shard : shards_) files.push_back({shard.file->part(), shard.bytes});
    return files;
  }

  void Commit() override {
    ASSAY_CHECK(cursor_.AllDone());
    for (Shard& shard : shards_) shard.file->Commit();
    folder_->Commit();
  }

  std::string_view scale_dtype(size_t tensor) const override {
    const Stored& stored = stored_[stored_of_[tensor]];
    return stored.quantized() ? container_->ScaleDtype(stored.module) : "";
  }
  std::string left_out() const override { return left_out_; }
  fs::path first_file() const override { return out_; }
  uint64_t total_bytes() const override { return total_bytes_; }
  double bits_per_weight() const override {
    double bits = 0, weights = 0;
    for (const Stored& stored : stored_) {
      if (stored.module.shape.size() < 2 || stored.module.format->integers) continue;
      for (const SafetensorsPart& part : PartsOf(stored)) bits += 8.0 * static_cast<double>(part.bytes);
      weights += static_cast<double>(stored.module.rows) * static_cast<double>(stored.module.cols);
    }
    return weights > 0 ? bits / weights : 0.0;
  }

 private:
  /// What a reader of a model's folder looks for.
  static bool IsRead(const std::string& name) {
    if (name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json")) return true;
    if (name.starts_with(kTemplates)) return true;
    // One that a processor reads, or that is taken where there is no other.
    if (name == kTemplate || name == "chat_template.json" || name == "processor_config.json") return true;
    const auto is = [&](std::string_view text) { return name == text; };
    return std::any_of(std::begin(kTexts), std::end(kTexts), is) ||
           std::any_of(std::begin(kHfQuantizationSidecars), std::end(kHfQuantizationSidecars), is);
  }

  const Format* EmbeddingFormat() const {
    for (const OutputTensor& tensor : tensors_)
      if (tensor.name == "token_embd.weight") return tensor.format;
    return &Bf16Format();
  }

  /// The files' tensors, in the order in which the first of their parts will come.
  void PlanStored(const std::vector<TensorSlot>& slots) {
    std::unordered_map<std::string_view, const TensorSlot*> files;
    for (const TensorSlot& slot : slots) files.emplace(slot.hugging_face, &slot);
    std::unordered_map<std::string_view, size_t> at;
    for (const OutputTensor& tensor : tensors_) {
      if (tensor.name == "rope_freqs.weight")
        Fail(ErrorKind::kInvalid, "{}: rope_freqs.weight belongs to GGUF only", out_.string());
      const TensorSlot& slot = *layout_.Find(tensor.name);
      auto [found, fresh] = at.emplace(slot.hugging_face, stored_.size());
      stored_of_.push_back(found->second);
      if (fresh) stored_.push_back(MakeStored(*files.at(slot.hugging_face), tensor));
      const HfModule& module = stored_[found->second].module;
      if (module.format != tensor.format)
        Fail(ErrorKind::kUnsupported,
             "{}: tensor {}: {} is one tensor of the file, of which a part should be {} and another {}", out_.string(),
             tensor.name, slot.hugging_face, module.format->name, tensor.format->name);
      if (DtypeOfFormat(*tensor.format).empty() && !FitsPlace(slot.in_hf, *tensor.format, tensor.rows, tensor.cols))
        Fail(ErrorKind::kUnsupported, "{}: tensor {}: {} cannot be a part of {}", out_.string(), tensor.name,
             tensor.format->name, slot.hugging_face);
    }
  }

  Stored MakeStored(const TensorSlot& file, const OutputTensor& first) const {
    constexpr std::string_view kWeight = ".weight";
    Stored stored;
    stored.name = file.hugging_face;
    stored.linear = file.linear;
    stored.scalar = file.in_hf.scalar;
    HfModule& module = stored.module;
    module.name = stored.name;
    if (module.name.ends_with(kWeight)) module.name.resize(module.name.size() - kWeight.size());
    module.format = first.format;
    module.shape = file.shape;
    // Packed, all experts of a layer lie [expert, out, in], whichever way round they are when plain.
    if (stored.quantized() && file.shape.size() == 3 && layout_.Find(first.name)->in_hf.transposed)
      std::swap(module.shape[1], module.shape[2]);
    module.cols = module.shape.back();
    module.rows = 1;
    for (size_t i = 0; i + 1 < module.shape.size(); ++i) module.rows *= module.shape[i];
    module.scale_dtype = first.scale_dtype;
    module.column_group = first.column_group;
    module.activation_scale = first.activation_scale;
    if (stored.quantized() && HfContainersOf(*first.format).empty())
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: Hugging Face checkpoints have no scheme for {}; write GGUF instead",
           out_.string(), first.name, first.format->name);
    const bool calibrated = first.format->activation == ActivationKind::kFp8Static ||
                            first.format->activation == ActivationKind::kInt8Static ||
                            first.format->activation == ActivationKind::kNvfp4;
    if (stored.quantized() && calibrated && !(first.activation_scale > 0.0f))
      Fail(ErrorKind::kUnsupported, "{}: tensor {}: {} needs a calibrated scale of its activations", out_.string(),
           first.name, first.format->name);
    return stored;
  }

  /// The one that was asked for, else the first that holds every format.
  void ChooseContainer(std::string_view name, bool fp8_cache) {
    std::vector<const Format*> formats;
    for (const Stored& stored : stored_)
      if (stored.quantized() && std::find(formats.begin(), formats.end(), stored.module.format) == formats.end())
        formats.push_back(stored.module.format);
    if (formats.empty()) return;
    const HfContainerOptions options{dtype_, fp8_cache};
    std::vector<std::string_view> names =
        name.empty() ? HfContainersOf(*formats.front()) : std::vector<std::string_view>{name};
    const Format* misfit = nullptr;
    for (std::string_view candidate : names) {
      container_ = CreateHfContainer(candidate, options);
      auto bad = std::find_if(formats.begin(), formats.end(), [&](const Format* f) { return !container_->Holds(*f); });
      if (bad == formats.end() && (!MisplacedModule() || candidate == names.back())) return;
      if (bad != formats.end()) misfit = *bad;
    }
    if (!name.empty())
      Fail(ErrorKind::kUnsupported, "{}: {} checkpoints do not hold {}", out_.string(), name, misfit->name);
    Fail(ErrorKind::kUnsupported, "{}: {} cannot be mixed with {} in one Hugging Face checkpoint", out_.string(),
         formats.front()->name, misfit->name);
  }

  /// The first that the container stores plainly only; null: none.
  const Stored* MisplacedModule() const {
    for (const Stored& stored : stored_)
      if (stored.quantized() && !container_->HoldsModule(stored.linear, stored.module.shape)) return &stored;
    return nullptr;
  }

  void CheckModules() const {
    if (const Stored* stored = container_ ? MisplacedModule() : nullptr)
      Fail(ErrorKind::kUnsupported,
           "{}: tensor {}: only linear layers are quantized in Hugging Face checkpoints (mxfp4: only experts that lie "
           "together), this one should be f32, f16 or bf16, not {}",
           out_.string(), stored->name, stored->module.format->name);
  }

  void PlanCacheScales(const Checkpoint& source) {
    if (source.fp8_cache() && container_)
      for (const CacheScale& scale : CacheScalesOf(source.side_scales()))
        if (SafetensorsPart part = container_->CacheScalePart(scale.attention, scale.of); !part.name.empty())
          cache_scales_.emplace_back(std::move(part), scale.value);
    if (cache_scales_.empty()) left_out_ = CacheScalesText(source);
  }

  std::vector<SafetensorsPart> PartsOf(const Stored& stored) const {
    if (stored.quantized()) return container_->Parts(stored.module);
    return {MakePart(stored.name, DtypeOfFormat(*stored.module.format),
                     stored.scalar ? std::vector<int64_t>() : stored.module.shape)};
  }

  void PlanShards(uint64_t shard_bytes) {
    shards_.emplace_back();
    uint64_t in_shard = 0;
    for (const Stored& stored : stored_) {
      std::vector<SafetensorsPart> parts = PartsOf(stored);
      uint64_t bytes = 0;
      for (const SafetensorsPart& part : parts) bytes += part.bytes;
      if (in_shard > 0 && in_shard + bytes > shard_bytes) {
        shards_.emplace_back();
        in_shard = 0;
      }
      in_shard += bytes;
      for (SafetensorsPart& part : parts) shards_.back().parts.push_back(std::move(part));
    }
    for (const auto& [part, value] : cache_scales_) shards_.back().parts.push_back(part);
  }

  struct Place {
    size_t shard = 0;
    uint64_t offset = 0, bytes = 0;
    std::string dtype;
    std::vector<int64_t> shape;
  };

  /// The last look at floats: values and scales that containers round to fewer bits than formats have.
  static void RequireFinite(const std::string& name, const Place& place, uint64_t offset,
                            std::span<const std::byte> bytes) {
    const std::string_view format = PlainFormatOfDtype(place.dtype);
    if (format.empty() || place.bytes == 0) return;
    const int64_t element = GetFormat(format).block_bytes;
    const PackedView view = ViewOf(GetFormat(format), 1, static_cast<int64_t>(bytes.size()) / element, bytes.data());
    if (view.format->valid_row(view, 0)) return;
    std::vector<float> values(static_cast<size_t>(view.cols));
    view.format->decode_row(view, 0, values.data());
    const auto bad = std::find_if_not(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
    int64_t index = static_cast<int64_t>(offset) / element + (bad - values.begin());
    std::vector<int64_t> at(place.shape.size());
    for (size_t i = at.size(); i-- > 0; index /= place.shape[i]) at[i] = index % place.shape[i];
    Fail(ErrorKind::kUnsupported, "tensor {}: element {} would be {} in {}: its value is too large for the type", name,
         ShapeText(at), *bad, place.dtype);
  }

  void Begin() {
    std::map<std::string, std::string> map;
    uint64_t weights = 0;
    for (size_t i = 0; i < shards_.size(); ++i) {
      Shard& shard = shards_[i];
      shard.name = shards_.size() == 1 ? "model.safetensors"
                                       : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards_.size());
      std::string head = LaySafetensors(shard.parts);
      shard.bytes = head.size();
      for (const SafetensorsPart& part : shard.parts) {
        places_[part.name] = {i, part.offset, part.bytes, part.dtype, part.shape};
        shard.bytes += part.bytes;
        weights += part.bytes;
        map[part.name] = shard.name;
      }
      total_bytes_ += shard.bytes;
      shard.file = folder_->Continue(shard.name);
      shard.file->Write(head);
      shard.file->Extend(shard.bytes);
    }
    sink_ = [this](const std::string& name, uint64_t offset, std::span<const std::byte> bytes) {
      const Place& place = places_.at(name);
      ASSAY_CHECK(offset + bytes.size() <= place.bytes);
      RequireFinite(name, place, offset, bytes);
      shards_[place.shard].file->WriteAt(place.offset + offset, bytes);
    };
    for (const auto& [part, value] : cache_scales_) sink_(part.name, 0, std::as_bytes(std::span(&value, 1)));
    if (shards_.size() == 1) return;
    Json index = {{"metadata", {{"total_size", weights}}}, {"weight_map", map}};
    folder_->Write("model.safetensors.index.json", DumpJson(index, 2) + "\n");
  }

  Json QuantizationJson(const ModelConfig& config) const {
    if (!container_) return nullptr;
    std::vector<HfModule> modules;
    std::vector<std::string> plain;
    for (const Stored& stored : stored_) {
      if (stored.quantized()) {
        modules.push_back(stored.module);
        continue;
      }
      if (!stored.linear || stored.module.shape.size() != 2) continue;
      plain.push_back(stored.module.name);
    }
    // A tied head is a Linear all the same when the loader walks the modules.
    if (config.tied_output) plain.push_back(std::string(FindArchitecture(config.architecture)->roots.output));
    return container_->Config(modules, plain);
  }

  void WriteTexts(const Checkpoint& source) {
    Json quantization = QuantizationJson(source.config());
    Json config;
    const TokenizerSpec& spec = source.tokenizer();
    if (source.container() == Container::kHuggingFace) {
      config = source.metadata();
      config.erase("quantization_config");
      config.erase("compression_config");
      config.erase("expert_dtype");  // DeepSeek V4's word on how experts were packed
      // Layers that draft further tokens are not written.
      for (const char* key : {"num_nextn_predict_layers", "mtp_num_hidden_layers"})
        if (config.contains(key)) config[key] = 0;
      CopyTexts(source.path());
      // What is written is a language model alone: it has no processor, whose files would not be read.
      if (HasProcessorTemplate(source.path()))
        WriteTemplates(source);
      else
        CopyTemplates(source.path());
    } else {
      config = GeneratedConfig(source);
      if (const std::string lost = FolderLosses(source.config().generation); !lost.empty())
        left_out_ += (left_out_.empty() ? "" : "; ") + lost;
      folder_->Write("generation_config.json",
                     DumpJson(HfGenerationJson(source.config(), spec.bos, spec.pad), 2) + "\n");
      WriteGeneratedTokenizer(source);
    }
    if (!quantization.is_null()) config["quantization_config"] = quantization;
    folder_->Write("config.json", DumpPythonJson(config, 2) + "\n");
  }

  void Copy(const fs::path& from, const std::string& name) { folder_->Write(name, ReadFile(InsideModel(from, name))); }

  void CopyTexts(const fs::path& from) {
    std::error_code ignored;
    for (const char* name : kTexts)
      if (fs::exists(from / name, ignored)) Copy(from, name);
    if (fs::exists(from / "LICENSE", ignored)) Copy(from, "LICENSE");
    // Code that auto_map of config.json and tokenizer_config.json names, for transformers.
    for (const fs::directory_entry& entry : fs::directory_iterator(from))
      if (entry.path().extension() == ".py" && entry.is_regular_file()) Copy(from, entry.path().filename().string());
  }

  void CopyTemplates(const fs::path& from) {
    std::error_code ignored;
    if (fs::exists(from / kTemplate, ignored)) Copy(from, kTemplate);
    if (!fs::is_directory(from / kTemplates, ignored)) return;
    for (const fs::directory_entry& entry : fs::directory_iterator(from / kTemplates))
      if (entry.path().extension() == ".jinja") Copy(from, kTemplates + entry.path().filename().string());
  }

  void WriteTemplates(const Checkpoint& source) {
    if (!source.chat_template().empty()) folder_->Write(kTemplate, source.chat_template());
    for (const auto& [key, text] : source.extra_chat_templates())
      if (key.find('/') == std::string::npos && !key.starts_with('.'))
        folder_->Write(kTemplates + key + ".jinja", text);
  }

  Json GeneratedConfig(const Checkpoint& source) const {
    bool attention = false, mlp = false;
    for (const OutputTensor& tensor : tensors_)
      if (IsOptionalBias(*layout_.Find(tensor.name)))
        (tensor.name.find(".attn_") != std::string::npos ? attention : mlp) = true;
    Json config =
        HfConfigJson(source.as_made(), dtype_, attention, mlp, source.tokenizer().bos, source.tokenizer().pad);
    RequireSameModel(config, source.as_made());
    return config;
  }

  static bool IsOptionalBias(const TensorSlot& slot) { return !slot.required && slot.name.ends_with(".bias"); }

  /// Reads what was generated as the folder will be read.
  void RequireSameModel(const Json& config, const ModelConfig& source) const {
    const std::string where = fmt::format("{}: config.json cannot hold this model", out_.string());
    ModelConfig read;
    try {
      read = HfModelConfig(config, nullptr, where);
    } catch (const Error& error) {
      Fail(ErrorKind::kUnsupported, "{}", error.what());
    }
    std::vector<TensorSlot> slots = TensorSlots(read);
    std::erase_if(slots, IsOptionalBias);  // config.json denies them
    auto refuse = [&](std::string_view why) { Fail(ErrorKind::kUnsupported, "{}: {}", where, why); };
    const std::vector<std::string> apart = ModelDifferences(read, source);
    if (!apart.empty())
      refuse(fmt::format("it would be another: {}",
                         fmt::join(apart.begin(), apart.begin() + std::min<ptrdiff_t>(3, std::ssize(apart)), "; ")));
    for (const std::string& why : WrongTensors(slots, tensors_))
      refuse(fmt::format("{} {}", config["model_type"].get<std::string>(), why));
  }

  void WriteGeneratedTokenizer(const Checkpoint& source) {
    TokenizerSpec spec = source.tokenizer();
    UseMakersRules(spec);
    folder_->Write("tokenizer.json", TokenizerJsonFromSpec(spec));
    Json config;
    auto name = [&](const char* key, TokenId id) {
      if (id >= 0 && id < static_cast<TokenId>(spec.tokens.size())) config[key] = spec.tokens[static_cast<size_t>(id)];
    };
    config["add_bos_token"] = spec.add_bos;
    config["add_eos_token"] = spec.add_eos;
    name("bos_token", spec.bos);
    config["clean_up_tokenization_spaces"] = false;
    name("eos_token", spec.eos);
    config["model_max_length"] = source.config().context;
    name("pad_token", spec.pad);
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
    name("unk_token", spec.unk);
    folder_->Write("tokenizer_config.json", DumpJson(config, 2) + "\n");
    WriteTemplates(source);
  }

  fs::path out_;
  std::vector<OutputTensor> tensors_;
  WriteCursor cursor_;
  const Layout& layout_;  // of the source
  std::vector<Stored> stored_;
  std::vector<size_t> stored_of_;  // of each tensor
  std::unique_ptr<HfContainer> container_;
  StoredPlainWriter plain_;
  std::optional<OutputFolder> folder_;
  std::vector<Shard> shards_;
  std::unordered_map<std::string, Place> places_;
  HfSink sink_;
  std::vector<std::pair<SafetensorsPart, float>> cache_scales_;
  std::string dtype_, left_out_;
  uint64_t total_bytes_ = 0;
};

}  // namespace

std::unique_ptr<CheckpointWriter> CreateHfWriter(const fs::path& out_path, const Checkpoint& source,
                                                 const std::vector<OutputTensor>& tensors, uint64_t shard_bytes,
                                                 std::string_view container, const OutputRules& rules) {
  const fs::path out = out_path.has_filename() ? out_path : out_path.parent_path();  // "folder/"
  return std::make_unique<HfWriter>(out, source, tensors, shard_bytes, container, rules);
}

}  // namespace assay
