#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/hf_config.h"
#include "checkpoint/hf_quantization.h"
#include "checkpoint/layout.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/writer_base.h"
#include "number/bf16.h"
#include "number/nf4.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string_view PlainDtype(const Format& format) {
  return format.name == "f32" ? "F32" : format.name == "f16" ? "F16" : format.name == "bf16" ? "BF16" : "";
}

std::string_view TorchDtype(const Format& format) {
  return format.name == "f16" ? "float16" : format.name == "f32" ? "float32" : "bfloat16";
}

/// Where a tensor's planes go: one of the shards, parts by name.
struct Placement {
  size_t shard = 0;
  std::string codes, scales, global, shape, map, state;  // names in the file; empty: none
};

struct Shard {
  std::string name;
  std::vector<SafetensorsPart> parts;
  std::unordered_map<std::string, uint64_t> offsets;
  uint64_t bytes = 0;
  std::unique_ptr<AtomicFile> file;
};

/// The names and shapes of one tensor's parts.
std::vector<SafetensorsPart> PartsOf(const OutputTensor& tensor, const std::string& hf_name, Placement& place) {
  std::vector<SafetensorsPart> parts;
  auto add = [&](std::string name, std::string_view dtype, std::vector<int64_t> shape) {
    uint64_t bytes = static_cast<uint64_t>(SafetensorsDtypeBits(dtype)) / 8;
    for (int64_t dim : shape) bytes *= static_cast<uint64_t>(dim);
    parts.push_back({name, std::string(dtype), std::move(shape), bytes, 0});
    return name;
  };
  const Format& format = *tensor.format;
  const int64_t rows = tensor.rows, cols = tensor.cols;
  const HfScheme* scheme = HfSchemeOf(format);
  if (!scheme) {
    place.codes = add(hf_name, PlainDtype(format), tensor.shape);
    return parts;
  }
  std::string module = hf_name.substr(0, hf_name.rfind('.'));
  const int64_t scale_cols = format.scale_weights < 0 ? 1 : cols / format.scale_weights;
  switch (scheme->packing) {
    case HfPacking::kWhole:
      place.codes = add(module + ".weight", format.name.starts_with("fp8") ? "F8_E4M3" : "I8", {rows, cols});
      place.scales = add(module + ".weight_scale", "BF16", {rows, scale_cols});
      break;
    case HfPacking::kPacked:
      place.codes = add(module + ".weight_packed", "I32", {rows, format.scale_weights < 0 ? (cols + 3) / 4 : cols / 8});
      place.scales = add(module + ".weight_scale", "BF16", {rows, scale_cols});
      place.shape = add(module + ".weight_shape", "I64", {2});
      break;
    case HfPacking::kFp4:
      place.codes = add(module + ".weight_packed", "U8", {rows, cols / 2});
      place.scales = add(module + ".weight_scale", format.has_global ? "F8_E4M3" : "U8", {rows, scale_cols});
      if (format.has_global) place.global = add(module + ".weight_global_scale", "F32", {1});
      break;
    case HfPacking::kBitsandbytes:
      place.codes = add(hf_name, "U8", {(rows * cols + 1) / 2, 1});
      place.scales = add(hf_name + ".absmax", "F32", {(rows * cols + 63) / 64});
      place.map = add(hf_name + ".quant_map", "F32", {16});
      place.state = add(hf_name + ".quant_state.bitsandbytes__nf4", "U8", {0});  // its length is set by the caller
      break;
  }
  return parts;
}

std::string QuantStateText(const OutputTensor& tensor, std::string_view dtype) {
  Json state = {{"quant_type", "nf4"}, {"blocksize", 64}, {"dtype", dtype}, {"shape", tensor.shape}};
  return DumpJson(state);
}

class HfWriter : public CheckpointWriter {
 public:
  HfWriter(const fs::path& out, const Checkpoint& source, const std::vector<OutputTensor>& tensors,
           uint64_t shard_bytes)
      : out_(out), part_(out.string() + ".part"), tensors_(tensors), cursor_(tensors_) {
    for (const TensorSlot& slot : TensorSlots(source.config())) slots_.emplace(slot.name, slot);
    CheckFormats();
    dtype_ = TorchDtype(*EmbeddingFormat());
    Plan(shard_bytes);
    std::error_code error;
    fs::remove_all(part_, error);
    fs::create_directories(part_, error);
    if (error) Fail(ErrorKind::kIo, "{}: cannot create the folder: {}", part_.string(), error.message());
    made_ = true;
    try {
      WriteTexts(source);
      Begin();
    } catch (...) {
      Discard();
      throw;
    }
  }

  ~HfWriter() override { Discard(); }

  void WriteRows(size_t tensor, int64_t row_begin, int64_t n_rows, std::span<const std::byte> codes,
                 std::span<const std::byte> scales) override {
    cursor_.Accept(tensor, row_begin, n_rows, codes.size(), scales.size());
    const OutputTensor& out = tensors_[tensor];
    const Format& format = *out.format;
    const Placement& place = places_[tensor];
    Shard& shard = shards_[place.shard];
    const HfScheme* scheme = HfSchemeOf(format);
    uint64_t at = shard.offsets.at(place.codes);
    if (scheme && scheme->packing == HfPacking::kPacked && format.scale_weights < 0) {
      std::vector<std::byte> packed = PackInt8(codes, n_rows, out.cols);
      shard.file->WriteAt(at + static_cast<uint64_t>(row_begin * ((out.cols + 3) / 4 * 4)), packed);
    } else {
      shard.file->WriteAt(at + static_cast<uint64_t>(CodesOffset(format, row_begin, out.cols)), codes);
    }
    if (!place.scales.empty()) WriteScales(shard, place, format, row_begin, out.cols, scales);
  }

  void SetGlobal(size_t tensor, float global_scale, float global_divisor) override {
    const Placement& place = places_[tensor];
    if (place.global.empty()) return;
    // compressed-tensors divides by what the file states.
    float stated = global_divisor / global_scale;
    shards_[place.shard].file->WriteAt(shards_[place.shard].offsets.at(place.global),
                                       std::as_bytes(std::span(&stated, 1)));
  }

  void Commit() override {
    ASSAY_CHECK(cursor_.AllDone());
    for (Shard& shard : shards_) shard.file->Commit();
    shards_.clear();
    std::error_code error;
    if (fs::exists(out_)) fs::remove_all(out_, error);
    if (!error) fs::rename(part_, out_, error);
    if (error) Fail(ErrorKind::kIo, "{}: cannot rename {} to it: {}", out_.string(), part_.string(), error.message());
    made_ = false;
  }

  uint64_t total_bytes() const override { return total_bytes_; }

 private:
  void Discard() {
    shards_.clear();
    std::error_code ignored;
    if (made_) fs::remove_all(part_, ignored);
    made_ = false;
  }

  void CheckFormats() {
    for (const OutputTensor& tensor : tensors_) {
      if (tensor.name == "rope_freqs.weight")
        Fail(ErrorKind::kInvalid, "{}: rope_freqs.weight belongs to GGUF only", out_.string());
      if (!HasHfScheme(*tensor.format))
        Fail(ErrorKind::kUnsupported,
             "{}: tensor {}: Hugging Face checkpoints have no scheme for {}; write GGUF instead", out_.string(),
             tensor.name, tensor.format->name);
      const TensorSlot& slot = slots_.at(tensor.name);
      bool matrix = slot.linear && slot.shape.size() == 2;
      if (HfSchemeOf(*tensor.format) && !matrix)
        Fail(ErrorKind::kUnsupported,
             "{}: tensor {}: only linear layers are quantized in Hugging Face checkpoints, this one should be f32, "
             "f16 or bf16, not {}",
             out_.string(), tensor.name, tensor.format->name);
    }
  }

  const Format* EmbeddingFormat() const {
    for (const OutputTensor& tensor : tensors_)
      if (tensor.name == "token_embd.weight") return tensor.format;
    return &GetFormat("bf16");
  }

  void Plan(uint64_t shard_bytes) {
    places_.resize(tensors_.size());
    shards_.emplace_back();
    uint64_t in_shard = 0;
    for (size_t i = 0; i < tensors_.size(); ++i) {
      std::vector<SafetensorsPart> parts = PartsOf(tensors_[i], slots_.at(tensors_[i].name).hugging_face, places_[i]);
      uint64_t bytes = 0;
      for (SafetensorsPart& part : parts) {
        if (part.name == places_[i].state) {
          part.bytes = QuantStateText(tensors_[i], dtype_).size();
          part.shape = {static_cast<int64_t>(part.bytes)};
        }
        bytes += part.bytes;
      }
      if (in_shard > 0 && in_shard + bytes > shard_bytes) {
        shards_.emplace_back();
        in_shard = 0;
      }
      in_shard += bytes;
      places_[i].shard = shards_.size() - 1;
      for (SafetensorsPart& part : parts) shards_.back().parts.push_back(std::move(part));
    }
  }

  /// Creates the shards at their full size and writes all that is known before the first row.
  void Begin() {
    Json map = Json::object();
    uint64_t weights = 0;
    for (size_t i = 0; i < shards_.size(); ++i) {
      Shard& shard = shards_[i];
      shard.name = shards_.size() == 1 ? "model.safetensors"
                                       : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards_.size());
      std::string head = LaySafetensors(shard.parts);
      shard.bytes = head.size();
      for (const SafetensorsPart& part : shard.parts) {
        shard.offsets[part.name] = part.offset;
        shard.bytes += part.bytes;
        weights += part.bytes;
        map[part.name] = shard.name;
      }
      total_bytes_ += shard.bytes;
      shard.file = std::make_unique<AtomicFile>(part_ / shard.name);
      shard.file->Write(head);
      shard.file->Extend(shard.bytes);
    }
    if (shards_.size() > 1) {
      std::vector<std::pair<std::string, std::string>> sorted;
      for (const auto& [name, file] : map.items()) sorted.emplace_back(name, file.get<std::string>());
      std::sort(sorted.begin(), sorted.end());
      Json index = {{"metadata", {{"total_size", weights}}}, {"weight_map", Json::object()}};
      for (const auto& [name, file] : sorted) index["weight_map"][name] = file;
      WriteFileAtomically(part_ / "model.safetensors.index.json", DumpJson(index, 2) + "\n");
    }
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const Placement& place = places_[i];
      Shard& shard = shards_[place.shard];
      if (!place.shape.empty()) {
        int64_t shape[2] = {tensors_[i].rows, tensors_[i].cols};
        shard.file->WriteAt(shard.offsets.at(place.shape), std::as_bytes(std::span(shape)));
      }
      if (!place.map.empty()) shard.file->WriteAt(shard.offsets.at(place.map), std::as_bytes(std::span(kNf4Values)));
      if (!place.state.empty()) {
        std::string state = QuantStateText(tensors_[i], dtype_);
        shard.file->WriteAt(shard.offsets.at(place.state), std::as_bytes(std::span(state)));
      }
    }
  }

  /// int8 to the 8-bit fields of pack-quantized: 128 higher, rows padded to whole words.
  static std::vector<std::byte> PackInt8(std::span<const std::byte> codes, int64_t n_rows, int64_t cols) {
    const int64_t row_bytes = (cols + 3) / 4 * 4;
    std::vector<std::byte> out(static_cast<size_t>(n_rows * row_bytes));
    for (int64_t row = 0; row < n_rows; ++row)
      for (int64_t i = 0; i < cols; ++i)
        out[static_cast<size_t>(row * row_bytes + i)] = codes[static_cast<size_t>(row * cols + i)] ^ std::byte{0x80};
    return out;
  }

  static void WriteScales(Shard& shard, const Placement& place, const Format& format, int64_t row_begin, int64_t cols,
                          std::span<const std::byte> scales) {
    uint64_t at = shard.offsets.at(place.scales);
    uint64_t skip = static_cast<uint64_t>(ScalesOffset(format, row_begin, cols));
    if (format.scale_bytes != 4 || format.flat) {
      shard.file->WriteAt(at + skip, scales);
      return;
    }
    std::vector<uint16_t> narrow(scales.size() / 4);
    for (size_t i = 0; i < narrow.size(); ++i) {
      float value;
      std::memcpy(&value, scales.data() + 4 * i, 4);
      narrow[i] = EncodeBf16(value);
    }
    shard.file->WriteAt(at + skip / 2, std::as_bytes(std::span(narrow)));
  }

  Json QuantizationJson(const Checkpoint& source) const {
    std::vector<HfModule> modules;
    for (const OutputTensor& tensor : tensors_) {
      const TensorSlot& slot = slots_.at(tensor.name);
      if (slot.linear && slot.shape.size() == 2)
        modules.push_back({slot.hugging_face.substr(0, slot.hugging_face.rfind('.')), tensor.format});
    }
    return HfQuantizationJson(modules, source.config().tied_output, dtype_);
  }

  void WriteTexts(const Checkpoint& source) {
    Json quantization = QuantizationJson(source);
    Json config;
    const TokenizerSpec& spec = source.tokenizer();
    if (source.container() == Container::kHuggingFace) {
      config = source.metadata();
      config.erase("quantization_config");
      config.erase("compression_config");
      CopyTexts(source.path());
    } else {
      config = GeneratedConfig(source);
      WriteFileAtomically(part_ / "generation_config.json",
                          DumpJson(HfGenerationJson(source.config(), spec.bos, spec.pad), 2) + "\n");
      WriteGeneratedTokenizer(source);
    }
    if (!quantization.is_null()) config["quantization_config"] = quantization;
    WriteFileAtomically(part_ / "config.json", DumpJson(config, 2) + "\n");
  }

  void CopyTexts(const fs::path& from) {
    constexpr std::array<const char*, 9> kTexts = {
        "tokenizer.json",          "tokenizer.model",        "tokenizer_config.json",
        "special_tokens_map.json", "added_tokens.json",      "chat_template.jinja",
        "chat_template.json",      "generation_config.json", "LICENSE"};
    for (const char* name : kTexts) {
      std::error_code ignored;
      if (fs::exists(from / name, ignored)) WriteFileAtomically(part_ / name, ReadFile(from / name));
    }
    std::error_code ignored;
    if (!fs::is_directory(from / "additional_chat_templates", ignored)) return;
    fs::create_directories(part_ / "additional_chat_templates");
    for (const fs::directory_entry& entry : fs::directory_iterator(from / "additional_chat_templates"))
      if (entry.path().extension() == ".jinja")
        WriteFileAtomically(part_ / "additional_chat_templates" / entry.path().filename(), ReadFile(entry.path()));
  }

  Json GeneratedConfig(const Checkpoint& source) const {
    bool attention = false, mlp = false;
    for (const OutputTensor& tensor : tensors_) {
      if (!tensor.name.ends_with(".bias")) continue;
      (tensor.name.find(".attn_") != std::string::npos ? attention : mlp) = true;
    }
    std::set<std::string> names;
    for (const OutputTensor& tensor : tensors_) names.insert(tensor.name);
    for (int64_t i = 0; i < source.config().n_layers; ++i)
      for (std::string_view module : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
        std::string name = fmt::format("blk.{}.{}.bias", i, module);
        if ((module.starts_with("attn") ? attention : mlp) && !names.contains(name))
          Fail(ErrorKind::kUnsupported, "{}: config.json cannot say that some layers have biases and {} is missing",
               out_.string(), name);
      }
    return HfConfigJson(source.config(), dtype_, attention, mlp, source.tokenizer().bos, source.tokenizer().pad);
  }

  void WriteGeneratedTokenizer(const Checkpoint& source) {
    const TokenizerSpec& spec = source.tokenizer();
    WriteFileAtomically(part_ / "tokenizer.json", TokenizerJsonFromSpec(spec));
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
    WriteFileAtomically(part_ / "tokenizer_config.json", DumpJson(config, 2) + "\n");
    if (!source.chat_template().empty()) WriteFileAtomically(part_ / "chat_template.jinja", source.chat_template());
    if (source.extra_chat_templates().empty()) return;
    fs::create_directories(part_ / "additional_chat_templates");
    for (const auto& [key, text] : source.extra_chat_templates())
      if (key.find('/') == std::string::npos && !key.starts_with('.'))
        WriteFileAtomically(part_ / "additional_chat_templates" / (key + ".jinja"), text);
  }

  fs::path out_, part_;
  std::vector<OutputTensor> tensors_;
  WriteCursor cursor_;
  std::unordered_map<std::string, TensorSlot> slots_;
  std::vector<Placement> places_;
  std::vector<Shard> shards_;
  std::string dtype_;
  uint64_t total_bytes_ = 0;
  bool made_ = false;
};

}  // namespace

std::unique_ptr<CheckpointWriter> CreateHfWriter(const fs::path& out_path, const Checkpoint& source,
                                                 const std::vector<OutputTensor>& tensors, uint64_t shard_bytes) {
  fs::path out = out_path;
  if (!out.has_filename()) out = out.parent_path();  // "folder/"
  std::error_code ignored;
  if (fs::exists(out, ignored)) {
    if (!fs::is_directory(out)) Fail(ErrorKind::kInvalid, "{}: a file of that name is there", out.string());
    if (!fs::is_empty(out) && !fs::exists(out / "config.json"))
      Fail(ErrorKind::kInvalid, "{}: the folder holds something else than a model; choose another name", out.string());
    if (fs::equivalent(out, source.path(), ignored))
      Fail(ErrorKind::kInvalid, "{}: is the source itself", out.string());
  }
  return std::make_unique<HfWriter>(out, source, tensors, shard_bytes);
}

}  // namespace assay
