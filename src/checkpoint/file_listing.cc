#include "checkpoint/file_listing.h"

#include <algorithm>

#include "base/error.h"
#include "base/python_json.h"
#include "base/strings.h"
#include "checkpoint/gguf/gguf_config.h"
#include "checkpoint/gguf/gguf_file.h"
#include "checkpoint/gguf/gguf_types.h"
#include "checkpoint/safetensors.h"
#include "describe/slots.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 64u << 20;

/// The parts of "name-00001-of-00003.gguf", else the file itself.
std::vector<fs::path> GgufParts(const fs::path& path) {
  const std::string name = path.filename().string();
  constexpr size_t kTail = sizeof("-00001-of-00003.gguf") - 1;
  if (name.size() < kTail || name.substr(name.size() - kTail + 6, 4) != "-of-") return {path};
  const std::string stem = name.substr(0, name.size() - kTail), count = name.substr(name.size() - 10, 5);
  std::vector<fs::path> parts;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(path.parent_path().empty() ? "." : path.parent_path())) {
    const std::string other = entry.path().filename().string();
    if (other.size() == name.size() && other.starts_with(stem + "-") && other.ends_with("-of-" + count + ".gguf"))
      parts.push_back(entry.path());
  }
  std::sort(parts.begin(), parts.end());
  return parts;
}

void AddGguf(const fs::path& path, FileListing& listing) {
  const MappedFile mapped = MappedFile::Open(path);
  const GgufFile file = GgufFile::Parse(mapped.bytes(), path.string());
  if (listing.architecture.empty()) listing.architecture = file.String("general.architecture", "");
  if (const GgufValue* type = file.Find("general.file_type"); type && type->is_integer())
    listing.quantization = GgufFileTypeName(static_cast<uint64_t>(type->integer()));
  for (const GgufTensor& tensor : file.tensors)
    listing.tensors.push_back({std::string(tensor.name), std::string(GgufTensorTypeName(GgufTypeId(*tensor.format))),
                               tensor.shape, tensor.bytes});
  listing.file_bytes += file.file_bytes;
  listing.files.push_back(path.string());
}

std::optional<Vocabulary> ReadVocabulary(const fs::path& path) {
  const MappedFile mapped = MappedFile::Open(path);
  const GgufFile file = GgufFile::Parse(mapped.bytes(), path.string());
  if (!file.Find("tokenizer.ggml.model")) return std::nullopt;
  return Vocabulary{GgufTokenizer(file), GgufChatTemplate(file), GgufMetadataJson(file)};
}

void AddSafetensors(const fs::path& path, FileListing& listing) {
  const MappedFile mapped = MappedFile::Open(path);
  const SafetensorsFile file = SafetensorsFile::Parse(mapped.bytes(), path.string());
  for (const SafetensorsTensor& tensor : file.tensors)
    listing.tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.data.size()});
  listing.file_bytes += file.file_bytes;
  listing.files.push_back(path.string());
}

void ReadConfig(const fs::path& folder, FileListing& listing) {
  const fs::path path = folder / "config.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return;
  const Json config = ParsePythonJson(ReadFile(path, kMaxConfigBytes), path.string());
  if (!config.is_object())
    Fail(ErrorKind::kCorrupt, "{}: expected an object, found {}", path.string(), config.type_name());
  if (auto it = config.find("architectures");
      it != config.end() && it->is_array() && !it->empty() && (*it)[0].is_string())
    listing.architecture = (*it)[0].get<std::string>();
  for (const char* key : {"quantization_config", "compression_config"})
    if (auto it = config.find(key); it != config.end() && it->is_object()) listing.quantization = QuantizationText(*it);
}

/// "4 bits" of {"bits": 4}; empty when the key is absent or of another kind.
std::string Fact(const Json& config, const char* key, const char* before, const char* after) {
  auto it = config.find(key);
  if (it == config.end() || it->is_null() || it->is_structured()) return "";
  if (it->is_boolean()) return it->get<bool>() ? fmt::format("{}{}", before, after) : "";
  return fmt::format("{}{}{}", before, it->is_string() ? it->get<std::string>() : it->dump(), after);
}

}  // namespace

std::string QuantizationText(const Json& config) {
  std::vector<std::string> facts = {JsonString(config, "quant_method", "quantization_config", "unnamed")};
  for (const std::string& fact :
       {Fact(config, "format", "", ""), Fact(config, "quant_algo", "", ""), Fact(config, "bits", "", " bits"),
        Fact(config, "w_bit", "", " bits"), Fact(config, "group_size", "group ", ""),
        Fact(config, "q_group_size", "group ", ""), Fact(config, "bnb_4bit_quant_type", "", ""),
        Fact(config, "load_in_8bit", "", "LLM.int8"), Fact(config, "checkpoint_format", "", ""),
        Fact(config, "version", "", ""), Fact(config, "desc_act", "", "act-order"), Fact(config, "fmt", "", ""),
        Fact(config, "packing_format", "", "")})
    if (!fact.empty()) facts.push_back(fact);
  if (auto block = config.find("weight_block_size"); block != config.end() && block->is_array())
    facts.push_back("blocks " + block->dump());
  return Join(facts, ", ");
}

FileListing ListWeightFiles(const fs::path& path) {
  FileListing listing;
  if (fs::is_directory(path)) {
    listing.container = "safetensors";
    ReadConfig(path, listing);
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".safetensors") && !name.starts_with("consolidated")) files.push_back(entry.path());
    }
    if (files.empty()) Fail(ErrorKind::kNotFound, "{}: no safetensors files in this folder", path.string());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) AddSafetensors(file, listing);
  } else if (path.extension() == ".safetensors") {
    listing.container = "safetensors";
    ReadConfig(path.parent_path(), listing);
    AddSafetensors(path, listing);
  } else {
    listing.container = "GGUF";
    for (const fs::path& part : GgufParts(path)) AddGguf(part, listing);
    if (listing.tensors.empty()) listing.vocabulary = ReadVocabulary(path);
  }
  std::sort(listing.tensors.begin(), listing.tensors.end(),
            [](const ListedTensor& a, const ListedTensor& b) { return ListedBefore(a.name, b.name); });
  return listing;
}

}  // namespace assay
